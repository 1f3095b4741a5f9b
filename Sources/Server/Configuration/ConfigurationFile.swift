import Agents
import ChatProtocol
import Wire

/// The JSON file of a configuration: every `Setting` but `config`, and `agents` and `limits`, which only it can set.
struct ConfigurationFile {
    private let path: String
    private let root: JSONObject
    private let environment: [String: String]

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
            case "limits": try applyLimits(value, to: &configuration.limits)
            default:
                guard let setting = settings.first(where: { $0.rawValue == key }) else {
                    throw unknown(key, among: settings.map(\.rawValue) + ["agents", "limits"])
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

    private func fault(_ key: String, _ fault: ConfigurationError.Fault) -> ConfigurationError {
        ConfigurationError(.file(path, key: key), fault)
    }

    private func unknown(_ key: String, in parent: String = "", among keys: [String]) -> ConfigurationError {
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

// Agents.
extension ConfigurationFile {
    private static let guideKeys = ["agent_type", "connector", "docs"]
    private static let commandKeys = ["agent_type", "connector", "command"]
    private static let modelKeys = [
        "agent_type", "connector", "base_url", "model", "api_key_env", "system_prompt", "parameters",
    ]

    private func agents(_ value: JSONValue) throws(ConfigurationError) -> [AgentConfiguration] {
        guard let values = value.array else { throw fault("agents", .mustBe("a list of objects")) }
        var agents: [AgentConfiguration] = []
        for (index, value) in values.enumerated() {
            let place = "agents[\(index)]"
            guard let object = value.object else { throw fault(place, .mustBe("an object")) }
            let agent = try agent(object, at: place + ".")
            guard !agents.contains(where: { $0.agentType == agent.agentType }) else {
                throw fault(place + ".agent_type", .duplicate(agent.agentType))
            }
            agents.append(agent)
        }
        return agents
    }

    private func agent(_ object: JSONObject, at place: String) throws(ConfigurationError) -> AgentConfiguration {
        let agentType = try requiredText("agent_type", in: object, at: place)
        guard Identifier<Never>.isWellFormed(agentType) else {
            throw fault(place + "agent_type", .mustBe("1 to 64 letters, digits, hyphens or underscores"))
        }
        let connector = try requiredText("connector", in: object, at: place)
        switch connector {
        case "guide":
            try refuseUnknown(in: object, at: place, known: Self.guideKeys)
            let docs = try text("docs", in: object, at: place)
            return AgentConfiguration(agentType: agentType, connector: .guide(docsDirectory: docs))
        case "openai":
            try refuseUnknown(in: object, at: place, known: Self.modelKeys)
            return AgentConfiguration(agentType: agentType, connector: .openAI(try model(object, at: place)))
        case "anthropic":
            try refuseUnknown(in: object, at: place, known: Self.modelKeys + ["max_tokens"])
            var settings = try model(object, at: place)
            if let tokens = object["max_tokens"] {
                guard let count = tokens.int, count > 0 else {
                    throw fault(place + "max_tokens", .mustBe("a whole number above 0"))
                }
                settings.parameters["max_tokens"] = tokens
            }
            return AgentConfiguration(agentType: agentType, connector: .anthropic(settings))
        case "command":
            try refuseUnknown(in: object, at: place, known: Self.commandKeys)
            let settings = CommandSettings(command: try command(in: object, at: place))
            return AgentConfiguration(agentType: agentType, connector: .command(settings))
        default:
            throw fault(place + "connector", .notOneOf(connector, ["guide", "openai", "anthropic", "command"]))
        }
    }

    private func command(in object: JSONObject, at place: String) throws(ConfigurationError) -> [String] {
        guard let value = object["command"] else { throw fault(place + "command", .missing) }
        let words = value.array?.compactMap(\.string) ?? []
        guard words.count == value.array?.count, words.first?.isEmpty == false,
            !words.contains(where: { $0.utf8.contains(0) })
        else { throw fault(place + "command", .mustBe("a list of strings: a program and its arguments")) }
        return words
    }

    private func model(_ object: JSONObject, at place: String) throws(ConfigurationError) -> ModelSettings {
        var baseURL = try requiredText("base_url", in: object, at: place)
        let isWeb = ["http://", "https://"].contains { baseURL.hasPrefix($0) && baseURL.utf8.count > $0.utf8.count }
        guard isWeb, baseURL.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw fault(place + "base_url", .mustBe("an http or https URL"))
        }
        while baseURL.hasSuffix("/") { baseURL.removeLast() }
        var apiKey: String?
        if let name = try text("api_key_env", in: object, at: place) {
            guard let key = environment[name], !key.isEmpty else {
                throw fault(place + "api_key_env", .variableNotSet(name))
            }
            apiKey = key
        }
        return ModelSettings(
            baseURL: baseURL, model: try requiredText("model", in: object, at: place), apiKey: apiKey,
            systemPrompt: try text("system_prompt", in: object, at: place),
            parameters: try parameters(in: object, at: place))
    }

    private func parameters(in object: JSONObject, at place: String) throws(ConfigurationError) -> JSONObject {
        guard let value = object["parameters"] else { return JSONObject() }
        guard let parameters = value.object else { throw fault(place + "parameters", .mustBe("an object")) }
        return parameters
    }

    private func refuseUnknown(
        in object: JSONObject, at place: String, known: [String]
    ) throws(ConfigurationError) {
        for (key, _) in object.members where !known.contains(key) { throw unknown(key, in: place, among: known) }
    }

    private func text(
        _ key: String, in object: JSONObject, at place: String
    ) throws(ConfigurationError) -> String? {
        guard let value = object[key] else { return nil }
        guard let text = value.string, !text.isEmpty else { throw fault(place + key, .mustBe("a string")) }
        return text
    }

    private func requiredText(
        _ key: String, in object: JSONObject, at place: String
    ) throws(ConfigurationError) -> String {
        guard let text = try text(key, in: object, at: place) else { throw fault(place + key, .missing) }
        return text
    }
}
