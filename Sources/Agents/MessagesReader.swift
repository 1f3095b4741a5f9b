import Chat
import ChatProtocol
import Wire

/// Reads a successful response to Anthropic's `POST /messages`.
///
/// The content comes in blocks, one open at a time: each begins, grows by deltas and stops. Events, blocks and deltas
/// of kinds that are not known here are passed over, as the API asks of its clients.
/// Source: Anthropic API reference, "Streaming Messages", version 2023-06-01.
struct MessagesReader: ModelReader {
    /// Errors in a stream after which the same request may succeed.
    private static let passingErrors: [ExactText] = [
        "overloaded_error", "api_error", "rate_limit_error", "timeout_error",
    ]

    /// The counts of what the model was given.
    private static let givenCounts = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"]

    private(set) var finishReason: String?
    private(set) var usage: Usage?
    private(set) var tokenCount = 0
    private(set) var isDone = false
    private var framing = AnswerFraming()
    private var toolCalls = ToolCallCollector()
    /// The block of a tool call that is under way.
    private var toolBlock: Int64?
    private var model: String?
    /// The counts so far: each event names some of them, all cumulative.
    private var counts = JSONObject()

    mutating func read(_ bytes: [UInt8], into said: inout [AgentEvent]) throws(ModelError) {
        var data: [[UInt8]] = []
        let error = framing.receive(bytes, into: &data)
        for data in data where !isDone && !data.isEmpty { try take(AnswerFraming.object(data), into: &said) }
        if let error { throw error }
    }

    mutating func end(isCut: Bool, into said: inout [AgentEvent]) throws(ModelError) {
        if let answer = try framing.wholeAnswer(isCut: isCut) { try takeWhole(answer, into: &said) }
        guard isDone || finishReason != nil else { throw .cut }
        try finishToolCall(into: &said)
        isDone = true
    }

    private mutating func take(_ event: JSONObject, into said: inout [AgentEvent]) throws(ModelError) {
        switch event["type"]?.string?.exact {
        case "message_start": takeStart(event["message"]?.object ?? JSONObject())
        case "content_block_start":
            try begin(event["content_block"]?.object ?? JSONObject(), index: event["index"]?.int ?? 0, into: &said)
        case "content_block_delta":
            try takeDelta(event["delta"]?.object ?? JSONObject(), index: event["index"]?.int ?? 0, into: &said)
        case "content_block_stop": try finishToolCall(into: &said)
        case "message_delta":
            takeUsage(event)
            takeStopReason(event["delta"]?.object ?? JSONObject())
        case "message_stop":
            try finishToolCall(into: &said)
            isDone = true
        case "error": throw Self.error(event)
        default: break
        }
    }

    /// A whole message, from a server that does not stream.
    private mutating func takeWhole(_ message: JSONObject, into said: inout [AgentEvent]) throws(ModelError) {
        if let error = message["error"], !error.isNull { throw Self.error(message) }
        guard let content = message["content"]?.array else { throw .malformed }
        takeStart(message)
        for (index, block) in content.enumerated() {
            try begin(block.object ?? JSONObject(), index: Int64(index), into: &said)
            try finishToolCall(into: &said)
        }
        takeStopReason(message)
        finishReason = finishReason ?? "stop"
    }

    private mutating func takeStart(_ message: JSONObject) {
        model = message["model"]?.string
        takeUsage(message)
    }

    private mutating func takeStopReason(_ object: JSONObject) {
        guard let reason = object["stop_reason"]?.string, !reason.isEmpty else { return }
        finishReason =
            switch reason.exact {
            case "end_turn": "stop"
            case "max_tokens": "length"
            case "tool_use": "tool_calls"
            default: reason
            }
    }

    private static func error(_ event: JSONObject) -> ModelError {
        let type = event["error"]?.object?["type"]?.string ?? ""
        return .reported(ErrorBody.message(of: event) ?? "", mayPass: passingErrors.contains(type.exact))
    }
}

// Blocks.
extension MessagesReader {
    private mutating func begin(
        _ block: JSONObject, index: Int64, into said: inout [AgentEvent]
    ) throws(ModelError) {
        switch block["type"]?.string?.exact {
        case "text": say(block["text"], AgentEvent.text, into: &said)
        case "thinking": say(block["thinking"], AgentEvent.reasoning, into: &said)
        case "tool_use", "server_tool_use":
            try finishToolCall(into: &said)
            // A stream begins with the empty object and sends the input behind it.
            let input = block["input"].flatMap { $0 == [:] ? nil : $0 }
            try takeToolCall(
                ToolCallCollector.Fragment(
                    index: index, id: block["id"]?.string, name: block["name"]?.string, arguments: input))
            toolBlock = index
        default: break
        }
    }

    private mutating func takeDelta(
        _ delta: JSONObject, index: Int64, into said: inout [AgentEvent]
    ) throws(ModelError) {
        switch delta["type"]?.string?.exact {
        case "text_delta": say(delta["text"], AgentEvent.text, into: &said)
        case "thinking_delta": say(delta["thinking"], AgentEvent.reasoning, into: &said)
        case "input_json_delta" where toolBlock == index:
            try takeToolCall(ToolCallCollector.Fragment(index: index, arguments: delta["partial_json"]))
        default: break
        }
    }

    private mutating func say(
        _ value: JSONValue?, _ event: ([UInt8]) -> AgentEvent, into said: inout [AgentEvent]
    ) {
        guard let text = value?.string, !text.isEmpty else { return }
        said.append(event(Array(text.utf8)))
        tokenCount += 1
    }

    /// Blocks are told apart by their index, so no fragment completes the call before it.
    private mutating func takeToolCall(_ fragment: ToolCallCollector.Fragment) throws(ModelError) {
        _ = try toolCalls.take(fragment)
        tokenCount += 1
    }

    private mutating func finishToolCall(into said: inout [AgentEvent]) throws(ModelError) {
        toolBlock = nil
        if let call = try toolCalls.finish() { said.append(.event(.toolCall, call)) }
    }

    /// What was given counts whole, also the part that came from the server's cache.
    private mutating func takeUsage(_ event: JSONObject) {
        let usage = event["usage"]?.object ?? JSONObject()
        for name in Self.givenCounts + ["output_tokens"] {
            if let count = usage[name], count.int != nil { counts[name] = count }
        }
        let given = Self.givenCounts.map { counts[$0]?.int }
        let prompt = given.contains { $0 != nil } ? given.reduce(0) { $0 &+ ($1 ?? 0) } : nil
        let completion = counts["output_tokens"]?.int
        guard prompt != nil || completion != nil else { return }
        self.usage = Usage(
            promptTokens: prompt.map { Int($0) }, completionTokens: completion.map { Int($0) },
            totalTokens: Int((prompt ?? 0) &+ (completion ?? 0)), model: model)
    }
}
