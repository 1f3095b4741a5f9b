import Chat
import ChatProtocol
import Wire

/// A system prompt with places for a turn's facts, such as `{{user_id}}` or `{{room.metadata.topic}}`.
enum PromptTemplate {
    /// Puts the facts in their places. A name that is not known leaves nothing; a value is inserted as it is and not
    /// looked at again, so that no user can name a fact by a value.
    static func render(_ template: String, _ turn: AgentTurn) -> String {
        let bytes = Array(template.utf8)
        var result: [UInt8] = []
        var position = 0
        while let start = index(of: UInt8(ascii: "{"), in: bytes, from: position),
            let end = index(of: UInt8(ascii: "}"), in: bytes, from: start + 2)
        {
            result += bytes[position..<start]
            result += value(trimmed(bytes[(start + 2)..<end]), turn).utf8
            position = end + 2
        }
        return String(decoding: result + bytes[position...], as: UTF8.self)
    }

    /// Where the byte stands twice.
    private static func index(of brace: UInt8, in bytes: [UInt8], from start: Int) -> Int? {
        guard start < bytes.count else { return nil }
        return (start..<bytes.count - 1).first { bytes[$0] == brace && bytes[$0 + 1] == brace }
    }

    private static func value(_ name: String, _ turn: AgentTurn) -> String {
        switch name {
        case "user_id": return turn.userID.text
        case "room_name": return turn.roomName
        case "agent_type": return turn.agentType
        case "date": return date(turn)
        default:
            for (prefix, object) in [
                ("room.metadata.", turn.roomMetadata), ("message.metadata.", turn.messageMetadata),
                ("resources.", turn.messageMetadata["resources"]?.object),
            ] where name.hasPrefix(prefix) {
                return text(object?[String(name.dropFirst(prefix.count))])
            }
            return ""
        }
    }

    /// The day the turn started, in UTC, such as `2026-01-31`.
    static func date(_ turn: AgentTurn) -> String { String(turn.startedAt.rfc3339.prefix(10)) }

    /// A string as it is, nothing for null, anything else as JSON.
    private static func text(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null?: ""
        case .string(let text)?: text
        case let value?: String(decoding: value.compact, as: UTF8.self)
        }
    }

    private static func trimmed(_ name: ArraySlice<UInt8>) -> String {
        let space = UInt8(ascii: " ")
        return String(decoding: name.drop { $0 == space }.reversed().drop { $0 == space }.reversed(), as: UTF8.self)
    }
}
