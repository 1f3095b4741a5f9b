import Agents
import ChatProtocol
import Wire

/// The JSON file of a configuration: every `Setting` but `config`, and `agents`, `routes` and `limits`, which only it
/// can set.
struct ConfigurationFile {
    private let path: String
    private let root: JSONObject
    let environment: [String: String]

    /// Parses the file.
    ///
    /// - Parameter environment: where the agents' keys are.
    init(path: String, bytes: [UInt8], environment: [String: String]) throws(ConfigurationError) {
        self.path = path
        self.environment = environment
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            let line = 1 + bytes.prefix(error.offset).count { $0 == UInt8(ascii: "\n") }
            throw ConfigurationError(.file(path, key: nil), .invalidJSON(error.kind, line: line))
        }
        guard let root = value.object else {
            throw ConfigurationError(.file(path, key: nil), .mustBe("a JSON object"))
        }
        self.root = root
    }

    /// Sets everything that the file names.
    func apply(to configuration: inout Configuration) throws(ConfigurationError) {
        let settings = Setting.allCases.filter { $0 != .config }
        for (key, value) in root.members {
            switch key {
            case "agents": configuration.agents = try agents(value)
            case "routes": configuration.routes = try routes(value)
            case "limits": try applyLimits(value, to: &configuration.limits)
            default:
                guard let setting = settings.first(where: { $0.rawValue == key }) else {
                    throw unknown(key, among: settings.map(\.rawValue) + ["agents", "routes", "limits"])
                }
                try apply(setting, value, to: &configuration)
            }
        }
    }

    private func apply(
        _ setting: Setting, _ value: JSONValue, to configuration: inout Configuration
    ) throws(ConfigurationError) {
        let text: String? =
            switch setting.kind {
            case .text: value.string
            case .number: value.int.map(String.init)
            case .truth: value.bool.map { $0 ? "true" : "false" }
            case .list: value.array.flatMap(Self.commaSeparated)
            }
        guard let text else { throw fault(setting.rawValue, .mustBe(setting.kind.description)) }
        do throws(ConfigurationError.Fault) {
            try setting.apply(text, to: &configuration)
        } catch {
            throw fault(setting.rawValue, error)
        }
    }

    private static func commaSeparated(_ values: [JSONValue]) -> String? {
        let texts = values.compactMap(\.string)
        return texts.count == values.count ? texts.joined(separator: ",") : nil
    }

    func fault(_ key: String, _ fault: ConfigurationError.Fault) -> ConfigurationError {
        ConfigurationError(.file(path, key: key), fault)
    }

    func unknown(_ key: String, in parent: String = "", among keys: [String]) -> ConfigurationError {
        fault(parent + key, .unknown(suggestion: Suggestion.nearest(to: key, among: keys)))
    }
}

extension Setting.Kind: CustomStringConvertible {
    var description: String {
        switch self {
        case .text: "a string"
        case .number: "a number"
        case .truth: "true or false"
        case .list: "a list of strings"
        }
    }
}

// Limits.
extension ConfigurationFile {
    private func applyLimits(_ value: JSONValue, to limits: inout Limits) throws(ConfigurationError) {
        guard let object = value.object else { throw fault("limits", .mustBe("an object")) }
        let settings = LimitSetting.all
        for (key, value) in object.members {
            guard let setting = settings.first(where: { $0.key == key }) else {
                throw unknown(key, in: "limits.", among: settings.map(\.key))
            }
            guard let number = value.int.map(Int.init), setting.range.contains(number) else {
                let (from, to) = (setting.range.lowerBound, setting.range.upperBound)
                throw fault("limits.\(key)", .mustBe("a whole number from \(from) to \(to)"))
            }
            limits[keyPath: setting.field] = number
        }
    }
}

// Reading fields.
extension ConfigurationFile {
    /// - Parameter hints: what to say of keys that somebody may expect here.
    func refuseUnknown(
        in object: JSONObject, at place: String, known: [String], hints: [String: String] = [:]
    ) throws(ConfigurationError) {
        for (key, _) in object.members where !known.contains(key) {
            if let hint = hints[key] { throw fault(place + key, .misplaced(hint)) }
            throw unknown(key, in: place, among: known)
        }
    }

    func text(
        _ key: String, in object: JSONObject, at place: String
    ) throws(ConfigurationError) -> String? {
        guard let value = object[key] else { return nil }
        guard let text = value.string, !text.isEmpty else { throw fault(place + key, .mustBe("a string")) }
        return text
    }

    func requiredText(
        _ key: String, in object: JSONObject, at place: String
    ) throws(ConfigurationError) -> String {
        guard let text = try text(key, in: object, at: place) else { throw fault(place + key, .missing) }
        return text
    }
}
