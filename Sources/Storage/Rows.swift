import ChatProtocol
import Wire

/// The columns of a room, in the order in which `RoomRecord.init(row:)` reads them.
let roomColumns = """
    rooms.id, rooms.room_id, rooms.user_id, rooms.room_name, rooms.created_at, rooms.last_activity, \
    rooms.exchange_count, rooms.metadata, rooms.default_session_id
    """

/// How many columns those are.
let roomColumnCount: Int32 = 9

/// The columns of an exchange, in the order in which `StoredExchange.init(row:)` reads them.
let exchangeColumns = """
    exchanges.id, exchanges.exchange_id, exchanges.stream_id, exchanges.session_id, exchanges.user_id, \
    exchanges.agent_type, exchanges.status, exchanges.text, exchanges.reasoning, exchanges.events, exchanges.usage, \
    exchanges.finish_reason, exchanges.error_code, exchanges.error_message, exchanges.started_at, exchanges.ended_at, \
    exchanges.regenerate_of
    """

/// What a preview needs of those, in the same order: the start of the text, and nothing else that may be long.
let previewColumns = """
    exchanges.id, exchanges.exchange_id, exchanges.stream_id, exchanges.session_id, exchanges.user_id, \
    exchanges.agent_type, exchanges.status, substr(CAST(exchanges.text AS BLOB), 1, \(previewBytes)), \
    NULL, NULL, NULL, NULL, NULL, NULL, exchanges.started_at, exchanges.ended_at, NULL
    """

/// How much of a text is read for a preview: a scalar has at most four bytes, so all that are shown, and one more, are
/// whole. Texts are cut as blobs because `substr` ends a text at its first U+0000.
let previewBytes = 4 * (Limits.previewCharactersMax + 1)

extension RoomRecord {
    init(row: Row) {
        self.init(
            roomID: RoomID(row.text(1)), userID: UserID(row.text(2)), name: row.text(3),
            createdAt: Timestamp(milliseconds: row.int(4)), lastActivity: Timestamp(milliseconds: row.int(5)),
            messageCount: Int(row.int(6)), metadata: JSONObject(stored: row.bytes(7)) ?? JSONObject(),
            defaultSessionID: SessionID(row.text(8)))
    }
}

/// An exchange as its row has it: still without its messages and segments.
struct StoredExchange {
    let rowID: Int64
    var record: ExchangeRecord
    /// What it weighs in a page, in bytes.
    var bytes: Int

    /// Reads `exchangeColumns`, the first of which is column `first`.
    init(row: Row, roomID: RoomID, first: Int32 = 0) {
        rowID = row.int(first)
        record = ExchangeRecord(
            exchangeID: ExchangeID(row.text(first + 1)), streamID: StreamID(row.text(first + 2)), roomID: roomID,
            sessionID: SessionID(row.text(first + 3)), userID: UserID(row.text(first + 4)),
            agentType: row.text(first + 5), regenerateOf: row.optionalText(first + 16).map { ExchangeID($0) },
            startedAt: Timestamp(milliseconds: row.int(first + 14)))
        record.status = ExchangeStatus(rawValue: row.text(first + 6)) ?? .interrupted
        record.text = row.text(first + 7)
        record.reasoning = row.optionalText(first + 8)
        record.events = [JSONValue](stored: row.bytes(first + 9))
        record.usage = Usage(stored: row.bytes(first + 10))
        record.finishReason = row.optionalText(first + 11)
        if let code = row.optionalText(first + 12) {
            record.error = StreamError(
                code: ErrorCode(rawValue: code) ?? .internalError, message: row.text(first + 13))
        }
        record.endedAt = row.optionalInt(first + 15).map { Timestamp(milliseconds: $0) }
        bytes = row.bytes(first + 7).count + row.bytes(first + 8).count + row.bytes(first + 9).count
    }
}

extension MessageRecord {
    /// Reads `message_id, user_id, role, text, timestamp, metadata`.
    init(row: Row) {
        self.init(
            messageID: row.optionalText(0), userID: UserID(row.text(1)),
            role: MessageRole(rawValue: row.text(2)) ?? .user, text: row.text(3),
            timestamp: Timestamp(milliseconds: row.int(4)), metadata: JSONObject(stored: row.bytes(5)))
    }
}

extension SessionRecord {
    /// Reads `session_id, user_id, room_id, created_at, expires_at`.
    init(row: Row) {
        self.init(
            sessionID: SessionID(row.text(0)), userID: row.optionalText(1).map { UserID($0) },
            roomID: RoomID(row.text(2)), createdAt: Timestamp(milliseconds: row.int(3)),
            expiresAt: row.optionalInt(4).map { Timestamp(milliseconds: $0) })
    }
}

extension JSONObject {
    init?(stored bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty, let object = try? JSONValue(parsing: bytes, depthMax: storedDepthMax).object else {
            return nil
        }
        self = object
    }

    var stored: SQLValue { .utf8(JSONValue.object(self).compact) }
}

extension [JSONValue] {
    init(stored bytes: UnsafeRawBufferPointer) {
        self = bytes.isEmpty ? [] : (try? JSONValue(parsing: bytes, depthMax: storedDepthMax).array) ?? []
    }

    var stored: SQLValue { isEmpty ? .null : .utf8(JSONValue.array(self).compact) }
}

extension Usage {
    init?(stored bytes: UnsafeRawBufferPointer) {
        guard let object = JSONObject(stored: bytes) else { return nil }
        func count(_ key: String) -> Int? { object[key]?.int.map { Int($0) } }
        self.init(
            promptTokens: count("prompt_tokens"), completionTokens: count("completion_tokens"),
            totalTokens: count("total_tokens"), model: object["model"]?.string,
            isEstimated: object["estimated"]?.bool ?? false)
    }

    var stored: SQLValue {
        var object = JSONObject()
        func number(_ count: Int?) -> JSONValue? { count.map { .int(Int64($0)) } }
        object["prompt_tokens"] = number(promptTokens)
        object["completion_tokens"] = number(completionTokens)
        object["total_tokens"] = number(totalTokens)
        object["model"] = model.map { .string($0) }
        if isEstimated { object["estimated"] = true }
        return object.stored
    }
}

/// What came in was at most as deep as a frame may be; stored inside an array or object it is a little deeper.
private let storedDepthMax = 64
