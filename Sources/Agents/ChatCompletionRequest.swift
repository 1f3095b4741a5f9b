import Chat
import ChatProtocol
import Wire

/// The body of `POST /chat/completions` for a turn.
enum ChatCompletionRequest {
    static func body(_ turn: AgentTurn, _ settings: OpenAISettings) -> [UInt8] {
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

    private static func messages(_ turn: AgentTurn, _ settings: OpenAISettings) -> [JSONValue] {
        let system = settings.systemPrompt.map { [message("system", $0)] } ?? []
        return system + turn.context.map { message(role($0.role), $0.text) } + [message("user", turn.input)]
    }

    private static func message(_ role: String, _ text: String) -> JSONValue {
        ["role": .string(role), "content": .string(text)]
    }

    /// A human operator speaks from the model's side of the conversation.
    private static func role(_ role: MessageRole) -> String {
        switch role {
        case .user: "user"
        case .assistant, .operator: "assistant"
        case .system: "system"
        }
    }
}

extension OpenAISettings {
    func request(_ turn: AgentTurn) -> HTTPRequest {
        var url = baseURL
        while url.hasSuffix("/") { url.removeLast() }
        var headers = ["Content-Type: application/json", "Accept: text/event-stream, application/json"]
        if let apiKey { headers.append("Authorization: Bearer \(apiKey)") }
        return HTTPRequest(
            url: url + "/chat/completions", headers: headers, body: ChatCompletionRequest.body(turn, self),
            connectTimeoutSeconds: connectTimeoutSeconds)
    }
}
