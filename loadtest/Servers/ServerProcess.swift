import CLinux
import Glibc

/// A server under test, in a process of its own that ends with this object.
final class ServerProcess {
    /// Where it listens.
    let port: UInt16
    let processID: pid_t
    private let directory: ScratchDirectory
    private static let stopMilliseconds = 5000

    /// Starts it and waits for its line `listening on http://HOST:PORT`.
    ///
    /// - Parameters:
    ///   - hasOwnCore: whether it runs on core 0 alone and the load test on core 1, so that neither pays for the other.
    ///   - directory: where the server writes; `name` is that of its standard error.
    init(_ words: [String], hasOwnCore: Bool, name: String, in directory: ScratchDirectory) throws(Failure) {
        let log = "\(directory.path)/\(name).err"
        // What a thread is bound to is what its children are bound to.
        if hasOwnCore { Cores.pin(to: Cores.server) }
        defer { if hasOwnCore { Cores.pin(to: Cores.loadTest) } }
        var pipe: [Int32] = [0, 0]
        guard Glibc.pipe(&pipe) == 0 else { throw Failure("pipe failed") }
        defer { Glibc.close(pipe[0]) }
        let processID = Self.spawn(words, output: pipe[1], log: log)
        Glibc.close(pipe[1])
        guard let processID else { throw Failure("cannot start \(words[0])") }
        let line = Self.readLine(pipe[0])
        let digits = line.split(separator: ":").last.map { $0.prefix { $0.isNumber } }
        guard line.hasPrefix("listening on "), let port = digits.flatMap({ UInt16($0) }) else {
            kill(processID, SIGKILL)
            waitpid(processID, nil, 0)
            throw Failure("\(words[0]) did not start to listen; its log says:\n\(contents(of: log))")
        }
        (self.processID, self.port, self.directory) = (processID, port, directory)
    }

    /// Ends it, by force if it takes too long.
    deinit {
        kill(processID, SIGTERM)
        for _ in 0..<Self.stopMilliseconds {
            if waitpid(processID, nil, WNOHANG) != 0 { return }
            usleep(1000)
        }
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
    }

    private static func spawn(_ words: [String], output: Int32, log: String) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_addclose(&actions, output)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var processID = pid_t()
        return posix_spawn(&processID, words[0], &actions, nil, &arguments, environ) == 0 ? processID : nil
    }

    /// The first line that comes within ten seconds, or what there is of it.
    private static func readLine(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&watched, 1, 10_000) == 1, read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") {
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
