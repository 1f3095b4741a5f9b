import Server

/// What the command line asks for.
enum Command: Equatable {
    /// With the flags behind it.
    case serve([String])
    case migrate(Migration, dataDirectory: String?)
    case backup(to: String, dataDirectory: String?)
    /// A file by its name, or the data directory's.
    case check(file: String?, dataDirectory: String?)
    case version
    case help(HelpTopic)

    /// What to do with the store's schema.
    enum Migration: Equatable {
        /// To the newest version.
        case up
        /// Back to a version.
        case down(to: Int)
        case status
    }

    /// The commands' names, as typed.
    static let names = ["serve", "migrate", "backup", "check", "version", "help"]

    /// Reads the words behind the program's name.
    static func parse(_ arguments: [String]) throws(ConfigurationError) -> Command {
        guard let name = arguments.first else { return .help(.overview) }
        let rest = Array(arguments.dropFirst())
        switch name {
        case "-h", "--help": return .help(.overview)
        case "help": return .help(try topic(rest))
        case "--version", "version": return try withoutArguments(rest, .version, help: .version)
        case "serve": return asksForHelp(rest) ? .help(.serve) : .serve(rest)
        case "migrate": return asksForHelp(rest) ? .help(.migrate) : try migrate(rest)
        case "backup": return asksForHelp(rest) ? .help(.backup) : try backup(rest)
        case "check": return asksForHelp(rest) ? .help(.check) : try check(rest)
        default:
            let suggestion = Suggestion.nearest(to: name, among: names)
            throw ConfigurationError(.commandLine(name), .unknown(suggestion: suggestion))
        }
    }

    private static func asksForHelp(_ arguments: [String]) -> Bool {
        arguments.contains("--help") || arguments.contains("-h")
    }

    private static func withoutArguments(
        _ arguments: [String], _ command: Command, help: HelpTopic
    ) throws(ConfigurationError) -> Command {
        if asksForHelp(arguments) { return .help(help) }
        if let word = arguments.first { throw ConfigurationError(.commandLine(word), .unexpectedArgument) }
        return command
    }

    private static func topic(_ arguments: [String]) throws(ConfigurationError) -> HelpTopic {
        guard let name = arguments.first else { return .overview }
        guard let topic = HelpTopic(rawValue: name) else {
            let suggestion = Suggestion.nearest(to: name, among: names)
            throw ConfigurationError(.commandLine(name), .unknown(suggestion: suggestion))
        }
        return topic
    }

    private static func migrate(_ arguments: [String]) throws(ConfigurationError) -> Command {
        let (words, dataDirectory) = try wordsAndDirectory(arguments)
        return .migrate(try migration(words), dataDirectory: dataDirectory)
    }

    private static func backup(_ arguments: [String]) throws(ConfigurationError) -> Command {
        let (words, dataDirectory) = try wordsAndDirectory(arguments)
        guard let file = words.first, !file.isEmpty else {
            throw ConfigurationError(.commandLine("backup"), .needsValue)
        }
        if words.count > 1 { throw ConfigurationError(.commandLine(words[1]), .unexpectedArgument) }
        return .backup(to: file, dataDirectory: dataDirectory)
    }

    private static func check(_ arguments: [String]) throws(ConfigurationError) -> Command {
        let (words, dataDirectory) = try wordsAndDirectory(arguments)
        let extra = dataDirectory == nil ? words.dropFirst() : words[...]
        if let extra = extra.first { throw ConfigurationError(.commandLine(extra), .unexpectedArgument) }
        return .check(file: words.first, dataDirectory: dataDirectory)
    }

    /// Takes the one flag of the commands that are about a store out of their words.
    private static func wordsAndDirectory(
        _ arguments: [String]
    ) throws(ConfigurationError) -> (words: [String], dataDirectory: String?) {
        var words: [String] = []
        var dataDirectory: String?
        var rest = arguments[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else {
                words.append(word)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let place = ConfigurationError.Place.commandLine(parts[0])
            guard parts[0] == Setting.data.flag else {
                throw ConfigurationError(
                    place, .unknown(suggestion: Suggestion.nearest(to: parts[0], among: [Setting.data.flag])))
            }
            guard let text = parts.count == 2 ? parts[1] : rest.popFirst(), !text.isEmpty, !text.hasPrefix("--")
            else { throw ConfigurationError(place, .needsValue) }
            dataDirectory = text
        }
        return (words, dataDirectory)
    }

    private static func migration(_ words: [String]) throws(ConfigurationError) -> Migration {
        let word = words.first ?? "up"
        let argument = words.count > 1 ? words[1] : nil
        let extra: String?
        let migration: Migration
        switch word {
        case "up": (migration, extra) = (.up, argument)
        case "status": (migration, extra) = (.status, argument)
        case "down":
            guard let argument else { throw ConfigurationError(.commandLine("migrate down"), .needsValue) }
            guard let version = Int(argument), version >= 0 else {
                throw ConfigurationError(
                    .commandLine("migrate down"), .notANumber(argument, from: 0, to: Int(Int32.max)))
            }
            (migration, extra) = (.down(to: version), words.count > 2 ? words[2] : nil)
        default:
            throw ConfigurationError(.commandLine("migrate"), .notOneOf(word, ["up", "down", "status"]))
        }
        if let extra { throw ConfigurationError(.commandLine(extra), .unexpectedArgument) }
        return migration
    }
}
