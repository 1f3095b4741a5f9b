import Chat
import ChatProtocol
import Wire

/// What the APIs' requests share.
extension ModelSettings {
    /// The system prompt with this turn's facts in it.
    func systemPrompt(_ turn: AgentTurn) -> String? {
        systemPrompt.map { PromptTemplate.render($0, turn) }
    }

    func request(path: String, headers: [String], body: [UInt8]) -> HTTPRequest {
        var url = baseURL
        while url.hasSuffix("/") { url.removeLast() }
        let headers = ["Content-Type: application/json", "Accept: text/event-stream, application/json"] + headers
        return HTTPRequest(
            url: url + path, headers: headers, body: body, connectTimeoutSeconds: connectTimeoutSeconds)
    }
}

extension MessageRole {
    /// Whether a model takes the message for its own: a human operator speaks from its side of the conversation.
    var isModelSide: Bool {
        switch self {
        case .assistant, .operator: true
        case .user, .system: false
        }
    }
}
