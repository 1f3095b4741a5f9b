import Chat
import ChatProtocol
import Wire

/// Why a program's output is not an agent's.
enum CommandError: Error, Equatable {
    /// A line is longer than `CommandOutputReader.lineBytesMax`.
    case lineTooLong
    /// More came in all than any good answer needs.
    case tooLarge
    /// A line is not a JSON object in UTF-8.
    case notAnObject
    /// A line has no `type`, or one that does not exist.
    case unknownType(String?)
    /// A line lacks a field, or it is of the wrong kind.
    case badField(type: String, field: String)
    /// The agent said itself that it failed.
    case reported(String)
}

/// Reads what an agent's program writes: lines of JSON, bytes in, events out.
struct CommandOutputReader {
    /// One line, in bytes.
    static let lineBytesMax = 1024 * 1024
    /// All of a run's output, in bytes: what counts in an answer is bounded by the hub, what does not, here.
    static let outputBytesMax = 64 * 1024 * 1024

    /// Why the agent stopped, once it has said so; nothing after that counts.
    private(set) var finishReason: String?
    private var line: [UInt8] = []
    private var byteCount = 0
    private var toolCallCount = 0

    /// Takes bytes as they arrive; appends what they complete, also before throwing.
    mutating func read(_ bytes: [UInt8], into said: inout [AgentEvent]) throws(CommandError) {
        byteCount += bytes.count
        guard byteCount <= Self.outputBytesMax else { throw .tooLarge }
        var rest = bytes[...]
        while finishReason == nil, let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            try append(rest[..<end])
            try takeLine(into: &said)
            rest = rest[(end + 1)...]
        }
        if finishReason == nil { try append(rest) }
    }

    /// Takes the output's end, where a line may lack its line feed.
    mutating func end(into said: inout [AgentEvent]) throws(CommandError) {
        if finishReason == nil { try takeLine(into: &said) }
    }

    private mutating func append(_ piece: ArraySlice<UInt8>) throws(CommandError) {
        guard line.count + piece.count <= Self.lineBytesMax else { throw .lineTooLong }
        line.append(contentsOf: piece)
    }

    private mutating func takeLine(into said: inout [AgentEvent]) throws(CommandError) {
        var bytes: [UInt8] = []
        swap(&bytes, &line)
        guard bytes.contains(where: { $0 != 0x20 && !(0x09...0x0D).contains($0) }) else { return }
        guard let object = (try? JSONValue(parsing: bytes))?.object else { throw .notAnObject }
        try take(object, into: &said)
    }

    private mutating func take(_ object: JSONObject, into said: inout [AgentEvent]) throws(CommandError) {
        let type = object["type"]?.string
        switch type?.exact {
        case "text": try said.append(.text(Array(Self.text("delta", of: object).utf8)))
        case "reasoning": try said.append(.reasoning(Array(Self.text("delta", of: object).utf8)))
        case "tool_call":
            var call: JSONObject = [
                "id": object["id"] ?? .string("call_\(toolCallCount)"),
                "name": .string(try Self.text("name", of: object)), "arguments": object["arguments"] ?? [:],
            ]
            toolCallCount += 1
            Self.copyRest(of: object, to: &call)
            said.append(.event(.toolCall, call))
        case "tool_result":
            guard object["result"] != nil else { throw .badField(type: "tool_result", field: "result") }
            said.append(.event(.toolResult, Self.fields(of: object)))
        case "action":
            _ = try Self.text("action", of: object)
            said.append(.event(.action, Self.fields(of: object)))
        case "usage": said.append(.usage(try Self.usage(object)))
        case "finished":
            let reason = object["finish_reason"] == nil ? "stop" : try Self.text("finish_reason", of: object)
            finishReason = reason.isEmpty ? "stop" : reason
        case "error": throw .reported(try Self.text("message", of: object))
        default: throw .unknownType(type)
        }
    }

    private static func text(_ field: String, of object: JSONObject) throws(CommandError) -> String {
        guard let text = object[field]?.string else {
            throw .badField(type: object["type"]?.string ?? "", field: field)
        }
        return text
    }

    private static func fields(of object: JSONObject) -> JSONObject {
        var fields = JSONObject()
        copyRest(of: object, to: &fields)
        return fields
    }

    private static func copyRest(of object: JSONObject, to fields: inout JSONObject) {
        for (name, value) in object.members where name.exact != "type" && fields[name] == nil {
            fields[name] = value
        }
    }

    private static func usage(_ object: JSONObject) throws(CommandError) -> Usage {
        var counts: [Int?] = []
        for field in ["prompt_tokens", "completion_tokens", "total_tokens"] {
            switch object[field] {
            case nil, .null?: counts.append(nil)
            case let value?:
                guard let count = value.int, count >= 0 else { throw .badField(type: "usage", field: field) }
                counts.append(Int(count))
            }
        }
        return Usage(
            promptTokens: counts[0], completionTokens: counts[1], totalTokens: counts[2],
            model: object["model"]?.string)
    }
}

extension CommandError {
    /// What the room is told; an agent's own words on one line and not too many.
    var sentence: String {
        switch self {
        case .lineTooLong: "the agent wrote a line longer than \(CommandOutputReader.lineBytesMax) bytes"
        case .tooLarge: "the agent wrote more than an answer can hold"
        case .notAnObject: "the agent wrote a line that is not a JSON object"
        case .unknownType(nil): "the agent wrote a line without a type"
        case .unknownType(let type?):
            "the agent wrote a line of the unknown type \"\(Redaction.publishable(type, hiding: nil))\""
        case .badField(let type, let field): "the agent wrote a line of type \(type) without a good \(field)"
        case .reported(let message):
            "the agent reported an error: \(Redaction.publishable(message, hiding: nil))"
        }
    }
}
