import Agents
import Chat
import ChatProtocol
import Wire

// Who answers, and who is asked.
extension ConfigurationFile {
    private static let guideKeys = ["agent_type", "connector", "docs"]
    private static let commandKeys = ["agent_type", "connector", "command", "env", "pass_env"]
    private static let modelKeys = [
        "agent_type", "connector", "base_url", "model", "api_key_env", "system_prompt", "parameters",
    ]

    func agents(_ value: JSONValue) throws(ConfigurationError) -> [AgentConfiguration] {
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
            try refuseUnknown(in: object, at: place, known: Self.modelKeys, hints: AgentKeyHint.ofModels)
            return AgentConfiguration(agentType: agentType, connector: .openAI(try model(object, at: place)))
        case "anthropic":
            try refuseUnknown(
                in: object, at: place, known: Self.modelKeys + ["max_tokens"], hints: AgentKeyHint.ofModels)
            var settings = try model(object, at: place)
            if let tokens = object["max_tokens"] {
                guard let count = tokens.int, count > 0 else {
                    throw fault(place + "max_tokens", .mustBe("a whole number above 0"))
                }
                settings.parameters["max_tokens"] = tokens
            }
            return AgentConfiguration(agentType: agentType, connector: .anthropic(settings))
        case "command":
            try refuseUnknown(in: object, at: place, known: Self.commandKeys, hints: AgentKeyHint.ofCommands)
            let settings = CommandSettings(
                command: try command(in: object, at: place), environment: try variables(in: object, at: place))
            return AgentConfiguration(agentType: agentType, connector: .command(settings))
        case "synthetic":
            try refuseUnknown(in: object, at: place, known: ["agent_type", "connector"])
            return AgentConfiguration(agentType: agentType, connector: .synthetic)
        default:
            let connectors = ["guide", "openai", "anthropic", "command", "synthetic"]
            throw fault(place + "connector", .notOneOf(connector, connectors))
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

    /// What a program gets: the usual of the hub's environment, what `pass_env` names of it, then what `env` sets.
    private func variables(in object: JSONObject, at place: String) throws(ConfigurationError) -> [String: String] {
        var variables = CommandSettings.passedOn(of: environment)
        if let value = object["pass_env"] {
            let names = value.array?.compactMap(\.string) ?? []
            guard names.count == value.array?.count else {
                throw fault(place + "pass_env", .mustBe("a list of names of environment variables"))
            }
            for name in names {
                guard let text = environment[name] else { throw fault(place + "pass_env", .variableNotSet(name)) }
                variables[name] = text
            }
        }
        guard let value = object["env"] else { return variables }
        guard let object = value.object else {
            throw fault(place + "env", .mustBe(#"an object such as {"NAME": "value"}"#))
        }
        for (name, value) in object.members {
            guard Self.isVariable(name) else {
                throw fault(place + "env.\(name)", .mustBe("a name of letters, digits and underscores"))
            }
            guard let text = value.string, !text.utf8.contains(0) else {
                throw fault(place + "env.\(name)", .mustBe("a string"))
            }
            variables[name] = text
        }
        return variables
    }

    /// A name as shells have them.
    private static func isVariable(_ name: String) -> Bool {
        let isLetter: (UInt8) -> Bool = { (0x41...0x5A).contains($0 & ~0x20) || $0 == UInt8(ascii: "_") }
        return name.utf8.first.map(isLetter) == true
            && name.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
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

    func routes(_ value: JSONValue) throws(ConfigurationError) -> [AgentRouter.Rule] {
        guard let values = value.array else { throw fault("routes", .mustBe("a list of objects")) }
        var rules: [AgentRouter.Rule] = []
        for (index, value) in values.enumerated() {
            let place = "routes[\(index)]"
            guard let object = value.object else { throw fault(place, .mustBe("an object")) }
            try refuseUnknown(in: object, at: place + ".", known: ["agent_type", "keywords"])
            let agentType = try requiredText("agent_type", in: object, at: place + ".")
            guard let keywords = object["keywords"] else { throw fault(place + ".keywords", .missing) }
            let texts = keywords.array?.compactMap(\.string) ?? []
            guard !texts.isEmpty, texts.count == keywords.array?.count,
                texts.allSatisfy({ !AgentRouter.words(of: $0).isEmpty })
            else { throw fault(place + ".keywords", .mustBe("a list of strings, each with a word in it")) }
            rules.append(AgentRouter.Rule(agentType: agentType, keywords: texts))
        }
        return rules
    }
}
