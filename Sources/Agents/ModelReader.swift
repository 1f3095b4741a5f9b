import Chat
import ChatProtocol

/// Reads a successful response of a model's server: bytes in, events out. One reader for one response.
///
/// A protocol because two APIs are read: OpenAI's chat completions and Anthropic's messages.
protocol ModelReader {
    /// Why the model stopped, once it has said so.
    var finishReason: String? { get }
    /// What the answer cost, once the server has said so.
    var usage: Usage? { get }
    /// How many pieces of text, reasoning or tool calls have come.
    var tokenCount: Int { get }
    /// Nothing more belongs to the answer.
    var isDone: Bool { get }

    /// Takes bytes as they arrive, however they are cut; appends what they complete, also before throwing.
    mutating func read(_ bytes: [UInt8], into said: inout [AgentEvent]) throws(ModelError)
    /// Takes the response's end.
    ///
    /// - Parameter isCut: the connection ended before the response did.
    mutating func end(isCut: Bool, into said: inout [AgentEvent]) throws(ModelError)
}

/// Why a response is not a model's answer.
enum ModelError: Error, Equatable {
    /// A `data:` line or the body is not JSON in UTF-8, or not the object it should be.
    case malformed
    /// An event of the stream, or the whole body, is larger than any good one.
    case tooLarge
    /// The stream ended without saying that the answer is complete.
    case cut
    /// The server reported an error in its stream; `mayPass` if it would perhaps answer a moment later.
    case reported(String, mayPass: Bool)
    /// A fragment of a tool call came after the next call had begun.
    case toolCallOutOfOrder
    case toolCallTooLarge
}
