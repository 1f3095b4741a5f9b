/// Why agents cannot be hosted as configured.
public enum AgentConfigurationError: Error, Sendable, Equatable {
    /// Two agents have this name.
    case duplicateAgent(String)
    /// The default agent is not among the agents.
    case unknownDefault(String)
    /// The agent's base URL is not `http://…` or `https://…`, or holds white space.
    case invalidBaseURL(agentType: String)
    /// The agent's key holds characters that no HTTP header may carry.
    case invalidKey(agentType: String)
    /// The agent's command names no program, or holds a zero byte, which no argument can.
    case invalidCommand(agentType: String)
    /// The guide's library was not given, or lacks this agent's folder.
    case missingLibrary(agentType: String)
    /// The system has no memory for an HTTP client.
    case outOfMemory
}

extension AgentConfigurationError: CustomStringConvertible {
    /// What is wrong.
    public var description: String {
        switch self {
        case .duplicateAgent(let name): "there are two agents \"\(name)\""
        case .unknownDefault(let name): "the default agent \"\(name)\" is not among the agents"
        case .invalidBaseURL(let name): "the base_url of agent \"\(name)\" is not an http or https URL"
        case .invalidKey(let name): "the key of agent \"\(name)\" has characters that no HTTP header may carry"
        case .invalidCommand(let name): "the command of agent \"\(name)\" names no program, or holds a zero byte"
        case .missingLibrary(let name): "the folder of agent \"\(name)\" was not read"
        case .outOfMemory: "the system has no memory for an HTTP client"
        }
    }
}

extension AgentConfiguration {
    func validate(library: GuideLibrary?) throws(AgentConfigurationError) {
        switch connector {
        case .guide(let directory):
            guard let library, library.holds(directory) else { throw .missingLibrary(agentType: agentType) }
        case .openAI(let settings), .anthropic(let settings):
            let url = settings.baseURL
            guard url.hasPrefix("http://") || url.hasPrefix("https://"),
                url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
            else { throw .invalidBaseURL(agentType: agentType) }
            // RFC 9110 section 5.5: a field's value holds no control character.
            guard settings.apiKey?.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) ?? true
            else { throw .invalidKey(agentType: agentType) }
        case .command(let settings):
            guard settings.command.first?.isEmpty == false, !settings.command.contains(where: { $0.utf8.contains(0) })
            else { throw .invalidCommand(agentType: agentType) }
        case .synthetic: break
        }
    }
}
