import Wire

// `joined` comes in two parts: the body of a snapshot is encoded once for all who join, the prefix carries the `id`
// of each. Prefix and body make one frame.
extension ServerFrame {
    /// The start of a `joined` frame, up to and with a comma.
    ///
    /// - Parameter id: the client frame's `id`; an unsolicited snapshot has none.
    public static func joinedPrefix(id: String?) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.beginObject()
        writer.field("type", "joined")
        writer.field("id", id)
        return writer.bytes + [UInt8(ascii: ",")]
    }

    /// The rest of a `joined` frame that replaces all that the client holds of the room.
    public static func joinedBody(_ snapshot: RoomSnapshot) -> [UInt8] {
        body(roomID: snapshot.room.roomID, at: snapshot.position, isRecovered: false, capacity: 4096) { writer in
            writer.key("room")
            writer.room(snapshot.room)
            writer.exchangesField("history", snapshot.history)
            writer.field("next_before", snapshot.nextBefore?.text)
            writer.key("presence")
            writer.beginObject()
            writer.presenceMembers(snapshot.presence)
            writer.endObject()
            writer.key("streams")
            writer.beginArray()
            for stream in snapshot.streams { writer.stream(stream) }
            writer.endArray()
        }
    }

    /// The rest of a `joined` frame that only says that the missed frames follow.
    ///
    /// - Parameter position: the client's own `after`.
    public static func joinedBody(recovering roomID: RoomID, from position: LogPosition) -> [UInt8] {
        body(roomID: roomID, at: position, isRecovered: true, capacity: 256) { _ in }
    }

    private static func body(
        roomID: RoomID, at position: LogPosition, isRecovered: Bool, capacity: Int,
        members: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        writer.field("room_id", roomID.text)
        writer.field("epoch", position.epoch)
        writer.field("seq", position.seq)
        writer.field("recovered", isRecovered)
        members(&writer)
        writer.endObject()
        return writer.bytes
    }
}

/// All that a client shows of a room, at a position of its log.
public struct RoomSnapshot: Sendable, Equatable {
    /// The room itself.
    public let room: RoomRecord
    /// The next frame of the log follows it.
    public let position: LogPosition
    /// The newest exchanges that have ended, oldest first.
    public let history: [ExchangeRecord]
    /// Asks for the exchanges before `history`.
    public let nextBefore: ExchangeID?
    /// Who is here.
    public let presence: Presence
    /// Running and waiting ones; they are not in `history`.
    public let streams: [StreamSnapshot]

    /// A room at a position.
    public init(
        room: RoomRecord, position: LogPosition, history: [ExchangeRecord], nextBefore: ExchangeID?,
        presence: Presence = Presence(), streams: [StreamSnapshot]
    ) {
        self.presence = presence
        self.room = room
        self.position = position
        self.history = history
        self.nextBefore = nextBefore
        self.streams = streams
    }
}

/// A running or waiting stream as a newcomer sees it.
public struct StreamSnapshot: Sendable, Equatable {
    /// Names the response while it grows.
    public let streamID: StreamID
    /// Names what will be stored.
    public let exchangeID: ExchangeID
    /// The session that it keeps busy.
    public let sessionID: SessionID
    /// Who asked.
    public let userID: UserID?
    /// Which agent answers.
    public let agentType: String
    /// The exchange that this one answers anew.
    public let regenerateOf: ExchangeID?
    /// Otherwise it waits.
    public let isStreaming: Bool
    /// What was asked, in order.
    public let messages: [MessageRecord]
    /// The response so far: whole Unicode scalars of UTF-8.
    public let text: [UInt8]
    /// Its own text, with its own offsets.
    public let reasoning: [UInt8]
    /// Tool calls, tool results and actions so far, each with its `type` and text `offset`.
    public let events: [JSONValue]
    /// When its first message came.
    public let startedAt: Timestamp

    /// A stream with what it holds so far.
    public init(
        streamID: StreamID, exchangeID: ExchangeID, sessionID: SessionID, userID: UserID?, agentType: String,
        regenerateOf: ExchangeID? = nil, isStreaming: Bool, messages: [MessageRecord], text: [UInt8] = [],
        reasoning: [UInt8] = [], events: [JSONValue] = [], startedAt: Timestamp
    ) {
        self.streamID = streamID
        self.exchangeID = exchangeID
        self.sessionID = sessionID
        self.userID = userID
        self.agentType = agentType
        self.regenerateOf = regenerateOf
        self.isStreaming = isStreaming
        self.messages = messages
        self.text = text
        self.reasoning = reasoning
        self.events = events
        self.startedAt = startedAt
    }
}

extension JSONWriter {
    fileprivate mutating func stream(_ stream: StreamSnapshot) {
        beginObject()
        field("stream_id", stream.streamID.text)
        field("exchange_id", stream.exchangeID.text)
        field("session_id", stream.sessionID.text)
        field("user_id", stream.userID?.text)
        field("agent_type", stream.agentType)
        field("regenerate_of", stream.regenerateOf?.text)
        field("state", stream.isStreaming ? "streaming" : "waiting")
        messagesField(stream.messages)
        key("text")
        string(utf8: stream.text)
        key("reasoning")
        string(utf8: stream.reasoning)
        field("events", .array(stream.events))
        field("started_at", stream.startedAt.rfc3339)
        endObject()
    }
}
