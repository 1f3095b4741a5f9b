import Glibc
import Server

/// The command: reads what is asked for, does it, and says how that went by its exit code.
@main
struct Hubbub {
    /// The exit codes: 0 for success.
    static let failure: Int32 = 1
    private static let usage: Int32 = 2
    static let unsound: Int32 = 3
    /// As a shell has it of a program that ends by SIGINT.
    static let brokenOff: Int32 = 130

    static func main() {
        do throws(ConfigurationError) {
            exit(try run(Command.parse(Array(CommandLine.arguments.dropFirst()))))
        } catch {
            complain(error.description)
            if error.isUsage { complain("see hubbub help, or hubbub help COMMAND") }
            exit(error.isUsage ? usage : failure)
        }
    }

    private static func run(_ command: Command) throws(ConfigurationError) -> Int32 {
        switch command {
        case .help(let topic):
            print(topic.text, terminator: "")
            return 0
        case .version:
            print("hubbub \(Version.current)")
            return 0
        case .serve(let arguments):
            nameUnknownVariables()
            let cores = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            let configuration = try Configuration.load(
                ConfigurationSources(arguments: arguments, environment: environment, cores: cores))
            return HubServer.run(configuration)
        case .migrate(let migration, let given):
            return migrate(migration, in: try dataDirectory(given))
        case .backup(let file, let given):
            return backUp(try dataDirectory(given), to: file)
        case .check(let file, let given):
            return check(file: file, orIn: try file == nil ? dataDirectory(given) : "")
        }
    }

    private static func dataDirectory(_ given: String?) throws(ConfigurationError) -> String {
        nameUnknownVariables()
        return try Configuration.dataDirectory(given, environment: environment)
    }

    private static func nameUnknownVariables() {
        for sentence in Configuration.unknownVariables(in: environment) { complain(sentence) }
    }

    static func complain(_ sentence: String) {
        let line = Array("hubbub: \(sentence)\n".utf8)
        write(STDERR_FILENO, line, line.count)
    }

    /// The process's environment; of a name that is there twice the first counts, as `getenv` has it.
    private static var environment: [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, variables[String(parts[0])] == nil { variables[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return variables
    }
}
