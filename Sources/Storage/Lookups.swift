import Chat
import ChatProtocol
import Wire

// Look-ups that reads and writes share.
extension DatabaseConnection {
    /// The rowid of a room that is not deleted.
    func liveRoom(_ roomID: RoomID) throws(SQLiteError) -> Int64? {
        try first("SELECT id FROM rooms WHERE room_id = ? AND deleted_at IS NULL", .text(roomID.text)) { $0.int(0) }
    }

    func exchange(_ exchangeID: ExchangeID) throws(SQLiteError) -> (id: Int64, isRunning: Bool)? {
        try first("SELECT id, ended_at FROM exchanges WHERE exchange_id = ?", .text(exchangeID.text)) {
            ($0.int(0), $0.isNull(1))
        }
    }

    /// Hands over an exchange's messages in their order, each with the bytes of its text and metadata.
    func eachMessage(of exchange: Int64, _ body: (MessageRecord, _ bytes: Int) -> Void) throws(SQLiteError) {
        try each(
            "SELECT message_id, user_id, role, text, timestamp, metadata FROM messages WHERE exchange = ? ORDER BY id",
            .int(exchange)
        ) { (row) throws(SQLiteError) in
            body(MessageRecord(row: row), row.bytes(3).count + row.bytes(5).count)
            return true
        }
    }

    /// The rowid of an exchange if it is of that room.
    func exchange(_ exchangeID: ExchangeID, in room: Int64) throws(SQLiteError) -> Int64? {
        try first(
            "SELECT id FROM exchanges WHERE exchange_id = ? AND room = ?", .text(exchangeID.text), .int(room)
        ) { $0.int(0) }
    }

    /// The row up to which, without it, an exchange's context reaches: its own, or what it regenerates has; 0 if it is
    /// gone.
    func toldBefore(_ exchangeID: ExchangeID) throws(SQLiteError) -> Int64 {
        try first(
            "SELECT coalesce(told_before, id) FROM exchanges WHERE exchange_id = ?", .text(exchangeID.text)
        ) { $0.int(0) } ?? 0
    }

    /// The message that used a key. Texts are compared by their bytes, not as Swift compares strings.
    func storedMessage(
        _ roomID: RoomID, _ userID: UserID, messageID: String, text: String
    ) throws(SQLiteError) -> StoredMessage? {
        guard let room = try liveRoom(roomID) else { return nil }
        return try first(
            """
            SELECT exchanges.exchange_id, exchanges.stream_id, exchanges.status, messages.text
            FROM messages JOIN exchanges ON exchanges.id = messages.exchange
            WHERE messages.room = ? AND messages.user_id = ? AND messages.message_id = ?
            """, .int(room), .text(userID.text), .text(messageID)
        ) { row in
            StoredMessage(
                exchangeID: ExchangeID(row.text(0)), streamID: StreamID(row.text(1)),
                status: ExchangeStatus(rawValue: row.text(2)) ?? .interrupted,
                isSameText: row.bytes(3).elementsEqual(text.utf8))
        }
    }

    /// The rowid of a session that was not closed.
    func openSession(_ sessionID: SessionID) throws(SQLiteError) -> Int64? {
        try first(
            "SELECT id FROM sessions WHERE session_id = ? AND closed_at IS NULL", .text(sessionID.text)
        ) { $0.int(0) }
    }

    /// The exchange up to which a session has forgotten its context with an agent; 0 if it remembers all.
    ///
    /// - Parameter agentType: `nil` looks only at resets of all agents.
    func forgotten(by session: Int64, agentType: String?) throws(SQLiteError) -> Int64 {
        try first(
            "SELECT max(through) FROM resets WHERE session = ? AND (agent_type IS NULL OR agent_type = ?)",
            .int(session), .text(agentType)
        ) { $0.int(0) } ?? 0
    }

    /// A running exchange's response so far, out of its segments.
    func response(
        of exchange: Int64
    ) throws(SQLiteError) -> (text: [UInt8], reasoning: [UInt8], events: [JSONValue]) {
        var text: [UInt8] = []
        var reasoning: [UInt8] = []
        var events: [JSONValue] = []
        try each(
            "SELECT text, reasoning, events FROM segments WHERE exchange = ? ORDER BY id", .int(exchange)
        ) { (row) throws(SQLiteError) in
            text.append(contentsOf: row.bytes(0))
            reasoning.append(contentsOf: row.bytes(1))
            events.append(contentsOf: [JSONValue](stored: row.bytes(2)))
            return true
        }
        return (text, reasoning, events)
    }
}
