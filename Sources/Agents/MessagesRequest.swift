import Chat
import ChatProtocol
import Wire

/// `POST /messages` for a turn.
///
/// Source: Anthropic API reference, "Create a Message", version 2023-06-01.
enum MessagesRequest {
    /// The API demands a limit; this one holds unless the configuration names another.
    private static let tokensMax: JSONValue = 4096

    static func request(_ turn: AgentTurn, _ settings: ModelSettings) -> HTTPRequest {
        let key = settings.apiKey.map { ["x-api-key: \($0)"] } ?? []
        return settings.request(
            path: "/messages", headers: ["anthropic-version: 2023-06-01"] + key, body: body(turn, settings))
    }

    static func body(_ turn: AgentTurn, _ settings: ModelSettings) -> [UInt8] {
        var body = settings.parameters
        body["model"] = .string(settings.model)
        body["max_tokens"] = body["max_tokens"] ?? tokensMax
        body["messages"] = .array(messages(turn))
        body["stream"] = true
        // The API has no system messages beside its system prompt.
        let system = [settings.systemPrompt(turn)] + turn.context.map { $0.role == .system ? $0.text : nil }
        let prompt = system.compactMap(\.self).filter { !$0.isEmpty }.joined(separator: "\n\n")
        if !prompt.isEmpty { body["system"] = .string(prompt) }
        return JSONValue.object(body).compact
    }

    /// Strictly alternating, the user's first: neighbours of one side become one message. The API refuses empty ones.
    private static func messages(_ turn: AgentTurn) -> [JSONValue] {
        let context = turn.context.filter { $0.role != .system && !$0.text.isEmpty }
        let fromUser = context.drop { $0.role.isModelSide }
        var sides: [(isModel: Bool, text: String)] = []
        for message in fromUser + [ContextMessage(role: .user, text: turn.input)] {
            if sides.last?.isModel == message.role.isModelSide {
                sides[sides.count - 1].text += "\n\n" + message.text
            } else {
                sides.append((message.role.isModelSide, message.text))
            }
        }
        return sides.map { ["role": $0.isModel ? "assistant" : "user", "content": .string($0.text)] }
    }
}
