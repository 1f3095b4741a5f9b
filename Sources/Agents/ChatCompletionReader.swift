import Chat
import ChatProtocol
import Wire

/// Reads a successful response to `POST /chat/completions`.
///
/// Source: OpenAI API reference, "Chat Completions", the streaming object; and what compatible servers send beside it.
struct ChatCompletionReader: ModelReader {
    private(set) var finishReason: String?
    private(set) var usage: Usage?
    private(set) var tokenCount = 0
    private(set) var isDone = false
    private var framing = AnswerFraming()
    private var toolCalls = ToolCallCollector()

    mutating func read(_ bytes: [UInt8], into said: inout [AgentEvent]) throws(ModelError) {
        var data: [[UInt8]] = []
        let error = framing.receive(bytes, into: &data)
        for data in data where !isDone { try takeData(data, into: &said) }
        if let error { throw error }
    }

    mutating func end(isCut: Bool, into said: inout [AgentEvent]) throws(ModelError) {
        if let answer = try framing.wholeAnswer(isCut: isCut) {
            try take(answer, into: &said)
            finishReason = finishReason ?? "stop"
        }
        // Some servers close after the finish reason, without `[DONE]`.
        guard isDone || finishReason != nil else { throw .cut }
        try finishToolCall(into: &said)
        isDone = true
    }

    private mutating func takeData(_ data: [UInt8], into said: inout [AgentEvent]) throws(ModelError) {
        if data.elementsEqual("[DONE]".utf8) {
            try finishToolCall(into: &said)
            isDone = true
        } else if !data.isEmpty {
            try take(AnswerFraming.object(data), into: &said)
        }
    }

    /// Takes a chunk, or a whole answer: they differ in `delta` and `message`.
    private mutating func take(_ object: JSONObject, into said: inout [AgentEvent]) throws(ModelError) {
        if let error = object["error"], !error.isNull {
            throw .reported(ErrorBody.message(of: object) ?? "", mayPass: false)
        }
        takeUsage(object)
        // Only one choice was asked for.
        let choices = object["choices"]?.array ?? []
        guard let choice = choices.first(where: { ($0.object?["index"]?.int ?? 0) == 0 })?.object else { return }
        if let delta = (choice["delta"] ?? choice["message"])?.object { try takeDelta(delta, into: &said) }
        if let reason = choice["finish_reason"]?.string, !reason.isEmpty {
            finishReason = reason
            try finishToolCall(into: &said)
        }
    }

    private mutating func takeDelta(_ delta: JSONObject, into said: inout [AgentEvent]) throws(ModelError) {
        if let text = nonEmpty(delta["reasoning_content"]) ?? nonEmpty(delta["reasoning"]) {
            said.append(.reasoning(Array(text.utf8)))
            tokenCount += 1
        }
        // A refusal is what the model says instead of content.
        if let text = nonEmpty(delta["content"]) ?? nonEmpty(delta["refusal"]) {
            said.append(.text(Array(text.utf8)))
            tokenCount += 1
        }
        for fragment in delta["tool_calls"]?.array ?? [] {
            guard let fragment = fragment.object else { throw .malformed }
            tokenCount += 1
            let function = fragment["function"]?.object ?? JSONObject()
            let call = try toolCalls.take(
                ToolCallCollector.Fragment(
                    index: fragment["index"]?.int, id: fragment["id"]?.string, name: function["name"]?.string,
                    arguments: function["arguments"]))
            if let call { said.append(.event(.toolCall, call)) }
        }
    }

    private mutating func finishToolCall(into said: inout [AgentEvent]) throws(ModelError) {
        if let call = try toolCalls.finish() { said.append(.event(.toolCall, call)) }
    }

    /// The last usage counts: some servers report a growing one with every chunk.
    private mutating func takeUsage(_ object: JSONObject) {
        guard let counts = object["usage"]?.object else { return }
        usage = Usage(
            promptTokens: counts["prompt_tokens"]?.int.map { Int($0) },
            completionTokens: counts["completion_tokens"]?.int.map { Int($0) },
            totalTokens: counts["total_tokens"]?.int.map { Int($0) }, model: object["model"]?.string)
    }

    private func nonEmpty(_ value: JSONValue?) -> String? {
        value?.string.flatMap { $0.isEmpty ? nil : $0 }
    }
}
