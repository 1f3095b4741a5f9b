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

    /// Reads from the newest exchange backwards, so a long history costs no more than the messages that are wanted.
    func context(_ sessionID: SessionID, _ agentType: String, limit: Int) throws(SQLiteError) -> StorageResult {
        guard limit > 0, let session = try connection.openSession(sessionID) else { return .context([]) }
        let forgotten = try connection.forgotten(by: session, agentType: agentType)
        var newestFirst: [ContextMessage] = []
        try connection.each(
            """
            SELECT id, text FROM exchanges
            WHERE session_id = ? AND id > ? AND agent_type = ? AND ended_at IS NOT NULL ORDER BY id DESC
            """, .text(sessionID.text), .int(forgotten), .text(agentType)
        ) { (row) throws(SQLiteError) in
            let response = row.text(1)
            if !response.isEmpty { newestFirst.append(ContextMessage(role: .assistant, text: response)) }
            if newestFirst.count < limit { try appendMessages(of: row.int(0), to: &newestFirst, limit: limit) }
            return newestFirst.count < limit
        }
        return .context(newestFirst.reversed())
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
