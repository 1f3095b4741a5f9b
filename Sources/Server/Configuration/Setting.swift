import Reactor
import Telemetry

/// What can be set by a flag, by an environment variable and by a key of the file; the raw value is the key.
public enum Setting: String, Sendable, CaseIterable {
    case host, port, data, loops, config, docs, diagnostics, synthetic
    case logLevel = "log_level"
    case defaultAgent = "default_agent"
    case origins
    case allowOpen = "allow_open"
    case noRing = "no_io_uring"

    /// The form a value has in the file.
    enum Kind {
        case text, number, truth, list
    }

    /// The setting of a flag, if there is one.
    public init?(flag: String) {
        guard let setting = Setting.allCases.first(where: { $0.flag == flag }) else { return nil }
        self = setting
    }

    /// The flag, with its dashes.
    public var flag: String {
        "--" + String(rawValue.map { $0 == "_" ? "-" : $0 })
    }

    /// The environment variable.
    public var variable: String { Self.variablePrefix + rawValue.uppercased() }

    static let variablePrefix = "HUBBUB_"

    /// What stands for the value in help; `nil` for a switch.
    public var placeholder: String? {
        switch self {
        case .host: "ADDRESS"
        case .port, .loops: "N"
        case .data, .docs: "DIR"
        case .config: "FILE"
        case .logLevel: "LEVEL"
        case .defaultAgent: "NAME"
        case .origins: "URL,…"
        case .diagnostics, .synthetic, .allowOpen, .noRing: nil
        }
    }

    /// One line of help, with the default.
    public var help: String {
        switch self {
        case .host: "listen on this address (127.0.0.1)"
        case .port: "listen on this port; 0 takes a free one (8080)"
        case .data: "keep hubbub.db here ($XDG_DATA_HOME/hubbub, else ~/.local/share/hubbub)"
        case .loops: "event loops, one thread each (one per core)"
        case .config: "read a JSON file: agents, routes, limits, and every setting of this list"
        case .docs: "a folder of Markdown that the guide answers from (Hubbub's own pages)"
        case .diagnostics: "add /ws/echo (off)"
        case .synthetic: "add the agent \"synthetic\" and the frame \"release\", for load tests (off)"
        case .logLevel: "debug, info, warning or error (info)"
        case .defaultAgent: "the agent of a message that names none (guide)"
        case .origins: "pages that may use the hub, and its own names, such as https://example.org (none)"
        case .allowOpen: "listen beyond this machine WITHOUT authentication (off)"
        case .noRing: "send to each watcher by itself, not to many at once with io_uring (off)"
        }
    }

    var kind: Kind {
        switch self {
        case .host, .data, .config, .docs, .logLevel, .defaultAgent: .text
        case .port, .loops: .number
        case .diagnostics, .synthetic, .allowOpen, .noRing: .truth
        case .origins: .list
        }
    }

    /// Sets the value that a text stands for.
    func apply(_ text: String, to configuration: inout Configuration) throws(ConfigurationError.Fault) {
        guard !text.isEmpty || kind == .list else { throw .needsValue }
        switch self {
        case .host:
            guard PeerAddress(host: text, port: 0) != nil else {
                throw .mustBe("an IPv4 or IPv6 address, or localhost")
            }
            configuration.host = text
        case .port: configuration.port = UInt16(try Self.number(text, in: 0...65535))
        case .data: configuration.dataDirectory = text
        case .loops: configuration.loops = try Self.number(text, in: 1...256)
        case .config: configuration.configFile = text
        case .docs: configuration.docsDirectory = text
        case .diagnostics: configuration.offersDiagnostics = try Self.truth(text)
        case .synthetic: configuration.offersSynthetic = try Self.truth(text)
        case .logLevel:
            let levels = Log.Level.allCases
            guard let level = levels.first(where: { "\($0)" == text }) else {
                throw .notOneOf(text, levels.map { "\($0)" })
            }
            configuration.logLevel = level
        case .defaultAgent: configuration.defaultAgent = text
        case .origins: configuration.origins = try text.split(separator: ",").map(Self.origin)
        case .allowOpen: configuration.allowsOpen = try Self.truth(text)
        case .noRing: configuration.usesRing = try !Self.truth(text)
        }
    }

    private static func number(_ text: String, in range: ClosedRange<Int>) throws(ConfigurationError.Fault) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw .notANumber(text, from: range.lowerBound, to: range.upperBound)
        }
        return number
    }

    private static func truth(_ text: String) throws(ConfigurationError.Fault) -> Bool {
        switch text {
        case "true", "1": true
        case "false", "0": false
        default: throw .notOneOf(text, ["true", "false"])
        }
    }

    /// An origin as browsers send it (RFC 6454 section 6.2): scheme, host and port, in lower case, without a path.
    private static func origin(_ text: Substring) throws(ConfigurationError.Fault) -> String {
        let origin = text.lowercased()
        let hosts = ["http://", "https://"].compactMap { origin.hasPrefix($0) ? origin.dropFirst($0.utf8.count) : nil }
        guard let host = hosts.first, !host.isEmpty, !host.contains(where: { "/?#@ ".contains($0) }) else {
            throw .mustBe("origins such as https://example.org, without a path")
        }
        return origin
    }
}

extension ConfigurationError.Fault: Error {}
