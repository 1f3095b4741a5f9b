import Glibc

/// How to run an agent's program.
public struct CommandSettings: Sendable {
    /// The program and its arguments. No shell reads them; a program without a slash is found by the hub's `PATH`.
    public var command: [String]
    /// All variables that the program gets.
    public var environment: [String: String]
    /// How long the program may write nothing.
    public var silentTimeoutSeconds: Double = 60
    /// How long it may take to end by itself when it has finished, and again when it was asked to end (SIGTERM);
    /// then it is killed. The hub waits 5 s for an agent that it stops.
    public var terminationGraceSeconds: Double = 2

    /// A program, with the default time limits.
    public init(command: [String], environment: [String: String] = [:]) {
        self.command = command
        self.environment = environment
    }

    /// What every program gets of the hub's environment: what programs need to find files and to speak the right
    /// language, and no keys.
    public static func passedOn(of environment: [String: String]) -> [String: String] {
        environment.filter { name, _ in passedNames.contains(name) || name.hasPrefix("LC_") }
    }

    private static let passedNames: Set = [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
    ]

    /// Why the program cannot be run as things are now; `nil` if it can.
    ///
    /// - Parameter path: the hub's `PATH`.
    public func missingProgram(path: String?) -> String? {
        guard let program = command.first else { return nil }
        if program.utf8.contains(UInt8(ascii: "/")) {
            return Self.isProgram(program) ? nil : "there is no program \(program)"
        }
        let folders = (path ?? "/bin:/usr/bin").split(separator: ":", omittingEmptySubsequences: false)
        let isFound = folders.contains { Self.isProgram(($0.isEmpty ? "." : String($0)) + "/" + program) }
        return isFound ? nil : "no folder of PATH has a program \(program)"
    }

    private static func isProgram(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}
