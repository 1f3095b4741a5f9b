import Chat
import ChatProtocol
import Wire

/// Why a response is not a chat completion.
enum ChatCompletionError: Error, Equatable {
    /// A `data:` line or the body is not JSON in UTF-8, or not the object it should be.
    case malformed
    /// An event of the stream, or the whole body, is larger than any good one.
    case tooLarge
    /// The stream ended without a finish reason and without `[DONE]`.
    case cut
    /// The server reported an error in its stream.
    case reported(String)
    /// A fragment of a tool call came after the next call had begun.
    case toolCallOutOfOrder
    case toolCallTooLarge
}

/// Reads a successful response to `POST /chat/completions`: bytes in, events out.
///
/// The response is a stream of server-sent events, or, from servers that do not know `stream`, one JSON object; the
/// first byte tells which.
/// Source: OpenAI API reference, "Chat Completions", the streaming object; and what compatible servers send beside it.
struct ChatCompletionReader {
    private enum Form {
        case unknown
        case stream
        case whole
    }

    /// A whole answer, in bytes.
    static let wholeBytesMax = 4 * 1024 * 1024

    /// Why the model stopped, once it has said so.
    private(set) var finishReason: String?
    /// What the answer cost, once the server has said so.
    private(set) var usage: Usage?
    /// How many pieces of text, reasoning or tool calls have come.
    private(set) var tokenCount = 0
    /// Nothing more belongs to the answer.
    private(set) var isDone = false
    private var form = Form.unknown
    private var events = SSEParser()
    private var whole: [UInt8] = []
    private var toolCalls = ToolCallCollector()

    /// Takes bytes as they arrive, however they are cut; appends what they complete, also before throwing.
    mutating func read(_ bytes: [UInt8], into said: inout [AgentEvent]) throws(ChatCompletionError) {
        if form == .unknown, let first = bytes.first(where: { !isWhiteSpace($0) }) {
            form = first == UInt8(ascii: "{") ? .whole : .stream
        }
        switch form {
        case .unknown: break
        case .stream: try readStream(bytes, into: &said)
        case .whole:
            guard whole.count + bytes.count <= Self.wholeBytesMax else { throw .tooLarge }
            whole.append(contentsOf: bytes)
        }
    }

    /// Takes the response's end.
    ///
    /// - Parameter isCut: the connection ended before the response did.
    mutating func end(isCut: Bool, into said: inout [AgentEvent]) throws(ChatCompletionError) {
        if form == .whole {
            guard !isCut else { throw .cut }
            try take(parse(whole), into: &said)
            finishReason = finishReason ?? "stop"
        }
        guard isDone || finishReason != nil else { throw .cut }
        try finishToolCall(into: &said)
        isDone = true
    }

    private mutating func readStream(_ bytes: [UInt8], into said: inout [AgentEvent]) throws(ChatCompletionError) {
        var data: [[UInt8]] = []
        var isTooLarge = false
        do throws(SSEError) {
            try events.receive(bytes) { data.append($0.data) }
        } catch {
            isTooLarge = true
        }
        for data in data where !isDone { try takeData(data, into: &said) }
        if isTooLarge { throw .tooLarge }
    }

    private mutating func takeData(_ data: [UInt8], into said: inout [AgentEvent]) throws(ChatCompletionError) {
        if data.elementsEqual("[DONE]".utf8) {
            try finishToolCall(into: &said)
            isDone = true
        } else if !data.isEmpty {
            try take(parse(data), into: &said)
        }
    }

    private func parse(_ bytes: [UInt8]) throws(ChatCompletionError) -> JSONObject {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw .malformed
        }
        guard let object = value.object else { throw .malformed }
        return object
    }

    /// Takes a chunk, or a whole answer: they differ in `delta` and `message`.
    private mutating func take(_ object: JSONObject, into said: inout [AgentEvent]) throws(ChatCompletionError) {
        if let error = object["error"], !error.isNull { throw .reported(Self.message(ofError: object) ?? "") }
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

    private mutating func takeDelta(_ delta: JSONObject, into said: inout [AgentEvent]) throws(ChatCompletionError) {
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
            if let call = try toolCalls.take(fragment) { said.append(.event(.toolCall, call)) }
        }
    }

    private mutating func finishToolCall(into said: inout [AgentEvent]) throws(ChatCompletionError) {
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

    private func isWhiteSpace(_ byte: UInt8) -> Bool {
        // A byte order mark may precede a stream.
        byte == 0x20 || (0x09...0x0D).contains(byte) || byte == 0xEF || byte == 0xBB || byte == 0xBF
    }

    /// The sentence in an error body, whichever of the usual forms it has.
    static func message(ofError object: JSONObject) -> String? {
        object["error"]?.object?["message"]?.string ?? object["error"]?.string ?? object["message"]?.string
            ?? object["detail"]?.string
    }
}
