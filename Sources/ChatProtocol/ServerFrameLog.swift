import Wire

// The frames of a room's log. Each carries `room_id` and `seq`, the entry's position.
extension ServerFrame {
    /// A person's message, once it is on disk.
    ///
    /// - Parameter regenerateOf: the exchange that this one answers anew.
    public static func message(
        roomID: RoomID, seq: UInt64, exchangeID: ExchangeID, regenerateOf: ExchangeID? = nil, _ message: MessageRecord
    ) -> [UInt8] {
        log("message", roomID, seq, capacity: message.text.utf8.count + 256) { writer in
            writer.field("exchange_id", exchangeID.text)
            writer.field("regenerate_of", regenerateOf?.text)
            writer.messageMembers(message)
        }
    }

    /// An agent begins to answer.
    public static func streamStarted(
        roomID: RoomID, seq: UInt64, streamID: StreamID, exchangeID: ExchangeID, sessionID: SessionID,
        agentType: String, regenerateOf: ExchangeID? = nil, startedAt: Timestamp
    ) -> [UInt8] {
        log("stream-started", roomID, seq) { writer in
            writer.field("stream_id", streamID.text)
            writer.field("exchange_id", exchangeID.text)
            writer.field("session_id", sessionID.text)
            writer.field("agent_type", agentType)
            writer.field("regenerate_of", regenerateOf?.text)
            writer.field("started_at", startedAt.rfc3339)
        }
    }

    /// A piece of a response's text.  // HOT
    ///
    /// - Parameters:
    ///   - firstSeq: the first position that the piece covers, where it covers several; `seq` is the last.
    ///   - offset: where the piece starts in the text, in bytes.
    ///   - delta: whole Unicode scalars of UTF-8.
    public static func chunk(
        roomID: RoomID, firstSeq: UInt64? = nil, seq: UInt64, streamID: StreamID, offset: Int,
        delta: UnsafeRawBufferPointer
    ) -> [UInt8] {
        piece("chunk", roomID, firstSeq, seq, streamID, offset, delta)
    }

    /// A piece of a response's reasoning, with its own count of bytes; otherwise as `chunk`.  // HOT
    public static func reasoning(
        roomID: RoomID, firstSeq: UInt64? = nil, seq: UInt64, streamID: StreamID, offset: Int,
        delta: UnsafeRawBufferPointer
    ) -> [UInt8] {
        piece("reasoning", roomID, firstSeq, seq, streamID, offset, delta)
    }

    /// Several pieces at once, for a reader that was behind; they cover all positions from `firstSeq` to `seq`.
    public static func chunks(roomID: RoomID, firstSeq: UInt64, seq: UInt64, parts: [ChunkPart]) -> [UInt8] {
        let capacity = parts.reduce(128) { $0 + $1.delta.count + $1.delta.count / 8 + 128 }
        return log("chunks", roomID, firstSeq: firstSeq, seq, capacity: capacity) { writer in
            writer.key("parts")
            writer.beginArray()
            for part in parts {
                writer.beginObject()
                writer.field("stream_id", part.streamID.text)
                writer.field("kind", part.kind.rawValue)
                writer.field("offset", part.offset)
                writer.key("delta")
                writer.string(utf8: part.delta)
                writer.endObject()
            }
            writer.endArray()
        }
    }

    /// A tool call, a tool result or an action.
    ///
    /// - Parameters:
    ///   - kind: the frame's `type`.
    ///   - offset: the text's length when it happened, in bytes.
    ///   - fields: the event's own; they cannot take the place of the frame's.
    public static func event(
        kind: String, roomID: RoomID, seq: UInt64, streamID: StreamID, offset: Int, fields: JSONObject
    ) -> [UInt8] {
        log(kind, roomID, seq) { writer in
            writer.field("stream_id", streamID.text)
            writer.field("offset", offset)
            for (name, value) in fields.members where !isReserved(name) {
                writer.key(name)
                writer.value(value)
            }
        }
    }

    /// A response is complete, or as complete as it gets, and on disk.
    ///
    /// - Parameters:
    ///   - length: the text's, in bytes.
    ///   - storedLength: what of it is on disk, where storage failed; otherwise all of it is.
    public static func streamEnded(
        roomID: RoomID, seq: UInt64, streamID: StreamID, exchangeID: ExchangeID, outcome: StreamOutcome,
        length: Int, storedLength: Int? = nil
    ) -> [UInt8] {
        log("stream-ended", roomID, seq, capacity: 512) { writer in
            writer.field("stream_id", streamID.text)
            writer.field("exchange_id", exchangeID.text)
            writer.field("status", outcome.status.rawValue)
            writer.field("length", length)
            writer.field("stored_length", storedLength)
            writer.field("finish_reason", outcome.finishReason)
            writer.usageField(outcome.usage)
            writer.errorField(outcome.error)
        }
    }

    /// A room's name or metadata changed; carries the whole room.
    public static func roomUpdated(_ room: RoomRecord, seq: UInt64, by userID: UserID) -> [UInt8] {
        log("room-updated", room.roomID, seq, capacity: 512) { writer in
            writer.key("room")
            writer.room(room)
            writer.field("by", userID.text)
        }
    }

    /// A session forgot its context, of one agent or of all (`nil`); its history stays.
    public static func reset(
        roomID: RoomID, seq: UInt64, sessionID: SessionID, agentType: String?, by userID: UserID
    ) -> [UInt8] {
        log("reset", roomID, seq) { writer in
            writer.field("session_id", sessionID.text)
            writer.field("reset_scope", agentType ?? "all")
            writer.field("by", userID.text)
        }
    }

    /// The history of a session, or of the whole room (`nil`), was removed: clients forget it too.
    public static func historyCleared(
        roomID: RoomID, seq: UInt64, sessionID: SessionID?, by userID: UserID
    ) -> [UInt8] {
        log("history-cleared", roomID, seq) { writer in
            writer.field("session_id", sessionID?.text)
            writer.field("by", userID.text)
        }
    }

    /// The room has a member more, or a member another role.
    public static func memberJoined(
        roomID: RoomID, seq: UInt64, _ member: MemberRecord, by userID: UserID
    ) -> [UInt8] {
        log("member-joined", roomID, seq) { writer in
            writer.memberMembers(member)
            writer.field("by", userID.text)
        }
    }

    /// The room has a member less.
    public static func memberLeft(
        roomID: RoomID, seq: UInt64, _ member: UserID, by userID: UserID
    ) -> [UInt8] {
        log("member-left", roomID, seq) { writer in
            writer.field("user_id", member.text)
            writer.field("by", userID.text)
        }
    }

    /// The last entry of a room's log.
    public static func roomDeleted(roomID: RoomID, seq: UInt64, by userID: UserID) -> [UInt8] {
        log("room-deleted", roomID, seq) { $0.field("by", userID.text) }
    }

    private static func log(
        _ type: String, _ roomID: RoomID, firstSeq: UInt64? = nil, _ seq: UInt64, capacity: Int = 256,
        body: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        frame(type, capacity: capacity) { writer in
            writer.field("room_id", roomID.text)
            writer.field("first_seq", firstSeq)
            writer.field("seq", seq)
            body(&writer)
        }
    }

    /// A growing response's frame, in one allocation unless much of it needs escapes.  // HOT
    private static func piece(
        _ type: String, _ roomID: RoomID, _ firstSeq: UInt64?, _ seq: UInt64, _ streamID: StreamID, _ offset: Int,
        _ delta: UnsafeRawBufferPointer
    ) -> [UInt8] {
        let coversSeveral = firstSeq.map { $0 != seq } ?? false
        var writer = JSONWriter(capacity: delta.count + delta.count / 8 + 320)
        writer.beginObject()
        writer.field("type", type)
        writer.field("room_id", roomID.text)
        if coversSeveral { writer.field("first_seq", firstSeq) }
        writer.field("seq", seq)
        writer.field("stream_id", streamID.text)
        writer.field("offset", offset)
        writer.key("delta")
        writer.string(utf8: delta)
        writer.endObject()
        return writer.bytes
    }

    private static func isReserved(_ name: String) -> Bool {
        switch name.exact {
        case "type", "room_id", "first_seq", "seq", "stream_id", "offset": true
        default: false
        }
    }
}

/// One stream's pending piece in a `chunks` frame.
public struct ChunkPart: Sendable, Equatable {
    /// Which of a stream's two texts.
    public enum Kind: String, Sendable {
        case text, reasoning
    }

    /// The stream it is of.
    public let streamID: StreamID
    /// Which text it is of.
    public let kind: Kind
    /// Where the piece starts in its text, in bytes.
    public let offset: Int
    /// Whole Unicode scalars of UTF-8.
    public let delta: ArraySlice<UInt8>

    /// One stream's pending piece.
    public init(streamID: StreamID, kind: Kind, offset: Int, delta: ArraySlice<UInt8>) {
        self.streamID = streamID
        self.kind = kind
        self.offset = offset
        self.delta = delta
    }
}
