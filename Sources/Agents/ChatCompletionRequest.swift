import Chat
import ChatProtocol
import Wire

/// `POST /chat/completions` for a turn.
///
/// Source: OpenAI API reference, "Create chat completion".
enum ChatCompletionRequest {
    static func request(_ turn: AgentTurn, _ settings: ModelSettings) -> HTTPRequest {
        let headers = settings.apiKey.map { ["Authorization: Bearer \($0)"] } ?? []
        return settings.request(path: "/chat/completions", headers: headers, body: body(turn, settings))
    }

    static func body(_ turn: AgentTurn, _ settings: ModelSettings) -> [UInt8] {
        var body = settings.parameters
        body["model"] = .string(settings.model)
        body["messages"] = .array(messages(turn, settings))
        body["stream"] = true
        switch body["stream_options"] {
        case .null?: body["stream_options"] = nil
        case nil: body["stream_options"] = ["include_usage": true]
        default: break
        }
        return JSONValue.object(body).compact
    }

    private static func messages(_ turn: AgentTurn, _ settings: ModelSettings) -> [JSONValue] {
        let system = settings.systemPrompt(turn).map { [message("system", $0)] } ?? []
        return system + turn.context.map { message(role($0.role), $0.text) } + [message("user", turn.input)]
    }

    private static func message(_ role: String, _ text: String) -> JSONValue {
        ["role": .string(role), "content": .string(text)]
    }

    private static func role(_ role: MessageRole) -> String {
        if role == .system { return "system" }
        return role.isModelSide ? "assistant" : "user"
    }
}
