import Wire

/// Why the hub cannot start as it was told: where that was said, and what is wrong with it.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where something was said.
    public enum Place: Equatable, Sendable {
        /// A flag, with its dashes, or a word of the command line.
        case commandLine(String)
        /// An environment variable.
        case variable(String)
        /// A file, and a key in it such as `agents[1].base_url`.
        case file(String, key: String?)
    }

    /// What is wrong.
    public enum Fault: Equatable, Sendable {
        case needsValue
        /// A flag or key that does not exist, and the one that was perhaps meant.
        case unknown(suggestion: String?)
        /// A key that is known under another name or elsewhere.
        case misplaced(String)
        case unexpectedArgument
        case notANumber(String, from: Int, to: Int)
        case notOneOf(String, [String])
        /// Completes "must be …".
        case mustBe(String)
        case missing
        case duplicate(String)
        case variableNotSet(String)
        case noSuchAgent(String, known: [String])
        case needsSynthetic(agentType: String)
        case openBeyondLoopback(host: String)
        case noDataDirectory
        /// The system's sentence.
        case unreadable(String)
        case invalidJSON(JSONError.Kind, line: Int)
    }

    /// Where it was said.
    public let place: Place
    /// What is wrong with it.
    public let fault: Fault

    /// A fault at a place.
    public init(_ place: Place, _ fault: Fault) {
        self.place = place
        self.fault = fault
    }

    /// Whether the command line itself is at fault.
    public var isUsage: Bool {
        if case .commandLine = place { true } else { false }
    }

    /// One line: where, a colon, what. Of a control character in somebody's words the number is shown.
    public var description: String {
        var line = ""
        for scalar in "\(place.description): \(fault.description)".unicodeScalars {
            if scalar.properties.generalCategory == .control {
                line += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                line.unicodeScalars.append(scalar)
            }
        }
        return line
    }
}

extension ConfigurationError.Place: CustomStringConvertible {
    /// The place as it stands before the colon.
    public var description: String {
        switch self {
        case .commandLine(let word): word
        case .variable(let name): name
        case .file(let path, let key?): "\(path): \(key)"
        case .file(let path, nil): path
        }
    }
}

extension ConfigurationError.Fault: CustomStringConvertible {
    /// The fault as it stands behind the colon.
    public var description: String {
        switch self {
        case .needsValue: "needs a value"
        case .unknown(let suggestion?): "unknown; did you mean \(suggestion)?"
        case .unknown(nil): "unknown"
        case .misplaced(let hint): "unknown; \(hint)"
        case .unexpectedArgument: "unexpected argument"
        case .notANumber(let text, let from, let to): "\"\(text)\" is not a number from \(from) to \(to)"
        case .notOneOf(let text, let choices):
            "\"\(text)\" is not one of \(choices.joined(separator: ", "))"
        case .mustBe(let what): "must be \(what)"
        case .missing: "is missing"
        case .duplicate(let text): "\"\(text)\" is there twice"
        case .variableNotSet(let name): "the environment variable \(name) is not set"
        case .noSuchAgent(let name, let known):
            "no agent is called \"\(name)\"; there are: \(known.joined(separator: ", "))"
        case .needsSynthetic(let name):
            "\"\(name)\" has the connector \"synthetic\", which is for load tests; start with --synthetic to allow it"
        case .openBeyondLoopback(let host):
            "\(host) can be reached from other machines, and there is no authentication yet; "
                + "use 127.0.0.1, or add --allow-open if everyone who can reach it may do everything"
        case .noDataDirectory: "must be given, because neither XDG_DATA_HOME nor HOME is set"
        case .unreadable(let reason): "cannot be read: \(reason)"
        case .invalidJSON(let kind, let line): "line \(line): not valid JSON (\(kind.sentence))"
        }
    }
}

extension JSONError.Kind {
    var sentence: String {
        switch self {
        case .unexpectedEnd: "it ends too early"
        case .unexpectedByte: "unexpected character"
        case .controlCharacter: "control character in a string"
        case .invalidEscape: "invalid escape in a string"
        case .invalidUTF8: "a string is not UTF-8"
        case .invalidNumber: "malformed number"
        case .numberOutOfRange: "number out of range"
        case .tooDeep: "nested too deeply"
        case .trailingBytes: "something follows the value"
        }
    }
}
