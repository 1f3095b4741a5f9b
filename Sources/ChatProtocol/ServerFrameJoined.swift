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
    ///
    /// - Parameters:
    ///   - bytesMax: of the streams as much goes in as fits; a stream stands there with the start of its text, or not
    ///     at all.
    ///   - position: the log position of the frame, by what the streams lack.
    public static func joinedBody(
        _ snapshot: RoomSnapshot, bytesMax: Int, at position: ([StreamRest]) -> LogPosition
    ) -> [UInt8] {
        var contents = JSONWriter(capacity: 4096)
        contents.beginObject()
        contents.key("room")
        contents.room(snapshot.room, lastExchange: snapshot.lastExchange)
        contents.exchangesField("history", snapshot.history)
        contents.field("next_before", snapshot.nextBefore?.text)
        contents.key("presence")
        contents.beginObject()
        contents.presenceMembers(snapshot.presence)
        contents.endObject()
        contents.key("streams")
        contents.beginArray()
        var rests: [StreamRest] = []
        for (index, stream) in snapshot.streams.enumerated() {
            let rest = contents.stream(stream, number: index, bytesMax: bytesMax - contents.bytes.count)
            if let rest { rests.append(rest) }
        }
        contents.endArray()
        contents.endObject()
        let head = body(roomID: snapshot.room.roomID, at: position(rests), isRecovered: false)
        return head + [UInt8(ascii: ",")] + contents.bytes.dropFirst()
    }

    /// The rest of a `joined` frame that only says that the missed frames follow.
    ///
    /// - Parameter position: the client's own `after`.
    public static func joinedBody(recovering roomID: RoomID, from position: LogPosition) -> [UInt8] {
        body(roomID: roomID, at: position, isRecovered: true) + [UInt8(ascii: "}")]
    }

    private static func body(roomID: RoomID, at position: LogPosition, isRecovered: Bool) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.field("room_id", roomID.text)
        writer.field("epoch", position.epoch)
        writer.field("seq", position.seq)
        writer.field("recovered", isRecovered)
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
    /// The newest exchange, ended or not, for `last_message`.
    public let lastExchange: ExchangeRecord?

    /// A room at a position.
    public init(
        room: RoomRecord, position: LogPosition, history: [ExchangeRecord], nextBefore: ExchangeID?,
        presence: Presence = Presence(), streams: [StreamSnapshot], lastExchange: ExchangeRecord? = nil
    ) {
        self.lastExchange = lastExchange
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

/// What a `joined` frame had no room for of one stream.
public struct StreamRest: Sendable, Equatable {
    /// Its place among the snapshot's streams.
    public let number: Int
    /// Nothing of it stands in the frame.
    public let isLeftOut: Bool
    /// Where the text that is lacking begins, in bytes.
    public let textFrom: Int
    /// Where the reasoning that is lacking begins, in bytes.
    public let reasoningFrom: Int
}

extension JSONWriter {
    /// Writes a stream with as much of its text and reasoning as fits, and returns what does not; a stream whose
    /// messages and events do not fit is left out.
    fileprivate mutating func stream(_ stream: StreamSnapshot, number: Int, bytesMax: Int) -> StreamRest? {
        var frame = JSONWriter(capacity: 512)
        frame.stream(stream, text: [], reasoning: [])
        // A comma, too.
        let room = bytesMax - frame.bytes.count - 1
        guard room >= 0 else { return StreamRest(number: number, isLeftOut: true, textFrom: 0, reasoningFrom: 0) }
        let text = stream.text[...].prefix(escapedTo: room)
        let reasoning = stream.reasoning[...].prefix(escapedTo: room - text.escapedCount)
        self.stream(stream, text: text, reasoning: reasoning)
        guard text.count < stream.text.count || reasoning.count < stream.reasoning.count else { return nil }
        return StreamRest(number: number, isLeftOut: false, textFrom: text.count, reasoningFrom: reasoning.count)
    }

    private mutating func stream(_ stream: StreamSnapshot, text: ArraySlice<UInt8>, reasoning: ArraySlice<UInt8>) {
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
        string(utf8: text)
        key("reasoning")
        string(utf8: reasoning)
        field("events", .array(stream.events))
        field("started_at", stream.startedAt.rfc3339)
        endObject()
    }
}

extension ArraySlice<UInt8> {
    /// Bytes of the JSON string of this text, without its quotes.
    fileprivate var escapedCount: Int { reduce(0) { $0 + JSONWriter.escapedCount(of: $1) } }

    /// The longest start that ends at a scalar's end and takes at most so many bytes as a JSON string.
    fileprivate func prefix(escapedTo bytesMax: Int) -> ArraySlice<UInt8> {
        var left = bytesMax
        var end = startIndex
        while end < endIndex {
            left -= JSONWriter.escapedCount(of: self[end])
            guard left >= 0 else { break }
            end += 1
        }
        while end > startIndex, end < endIndex, self[end] & 0xc0 == 0x80 { end -= 1 }
        return self[..<end]
    }
}
