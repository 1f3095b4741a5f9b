import Chat
import ChatProtocol

// Sessions and what they remember.
extension RoomReader {
    func findSession(_ sessionID: SessionID) throws(SQLiteError) -> StorageResult {
        .session(
            try connection.first(
                """
                SELECT sessions.session_id, sessions.user_id, rooms.room_id, sessions.created_at, sessions.expires_at
                FROM sessions JOIN rooms ON rooms.id = sessions.room
                WHERE sessions.session_id = ? AND sessions.closed_at IS NULL AND rooms.deleted_at IS NULL
                """, .text(sessionID.text)
            ) { SessionRecord(row: $0) })
    }

    func findRoom(of sessionID: SessionID) throws(SQLiteError) -> StorageResult {
        .roomOfSession(
            try connection.first(
                """
                SELECT rooms.room_id FROM sessions JOIN rooms ON rooms.id = sessions.room
                WHERE sessions.session_id = ? AND rooms.deleted_at IS NULL
                """, .text(sessionID.text)
            ) { RoomID($0.text(0)) })
    }

    /// Goes from the newest exchange backwards, each time to the newest that the one it came from was told of, so a
    /// long history costs no more than the messages that are wanted.
    func context(
        _ sessionID: SessionID, _ agentType: String, of exchange: ExchangeID?, limit: Int
    ) throws(SQLiteError) -> StorageResult {
        guard limit > 0, let session = try connection.openSession(sessionID) else { return .context([]) }
        let forgotten = try connection.forgotten(by: session, agentType: agentType)
        var bound = try exchange.map(connection.toldBefore) ?? .max
        var newestFirst: [ContextMessage] = []
        while newestFirst.count < limit,
            let exchange = try newest(of: sessionID, agentType, after: forgotten, before: bound)
        {
            bound = exchange.id
            if let toldBefore = exchange.toldBefore {
                if exchange.text.isEmpty { continue }
                bound = toldBefore
            }
            let text = exchange.isInterrupted ? try restarted(exchange.id) ?? exchange.text : exchange.text
            if !text.isEmpty { newestFirst.append(ContextMessage(role: .assistant, text: text)) }
            if newestFirst.count < limit { try appendMessages(of: exchange.id, to: &newestFirst, limit: limit) }
        }
        return .context(newestFirst.reversed())
    }

    private func newest(
        of sessionID: SessionID, _ agentType: String, after: Int64, before: Int64
    ) throws(SQLiteError) -> (id: Int64, text: String, toldBefore: Int64?, isInterrupted: Bool)? {
        try connection.first(
            """
            SELECT id, text, told_before, status = 'interrupted' FROM exchanges
            WHERE session_id = ? AND id > ? AND id < ? AND agent_type = ? AND ended_at IS NOT NULL
            ORDER BY id DESC LIMIT 1
            """, .text(sessionID.text), .int(after), .int(before), .text(agentType)
        ) {
            (id: $0.int(0), text: $0.text(1), toldBefore: $0.optionalInt(2), isInterrupted: $0.int(3) != 0)
        }
    }

    /// The answer that the hub asked for again after an interruption: the agent of a question that waited behind it is
    /// told this text, and not the piece from before.
    private func restarted(_ exchange: Int64) throws(SQLiteError) -> String? {
        try connection.first(
            """
            SELECT again.text FROM exchanges
            JOIN messages ON messages.room = exchanges.room AND messages.user_id = exchanges.user_id
                AND messages.message_id = ? || exchanges.exchange_id
            JOIN exchanges AS again ON again.id = messages.exchange
            WHERE exchanges.id = ? AND again.ended_at IS NOT NULL AND again.text <> ''
            """, .text(InterruptedAnswer.keyPrefix), .int(exchange)
        ) { $0.text(0) }
    }

    private func appendMessages(
        of exchange: Int64, to newestFirst: inout [ContextMessage], limit: Int
    ) throws(SQLiteError) {
        try connection.each(
            "SELECT role, text FROM messages WHERE exchange = ? ORDER BY id DESC", .int(exchange)
        ) { (row) throws(SQLiteError) in
            newestFirst.append(
                ContextMessage(role: MessageRole(rawValue: row.text(0)) ?? .user, text: row.text(1)))
            return newestFirst.count < limit
        }
    }
}
