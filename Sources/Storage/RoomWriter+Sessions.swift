import Chat
import ChatProtocol
import Wire

// Sessions, and forgetting.
//
// Invariant: a reset reaches no further than the newest exchange of its session. SQLite hands the rowid of a removed
// newest row out again, so a reset that reached further would hide an exchange that came after it.
extension RoomWriter {
    func createSession(_ session: SessionRecord, sessionsMax: Int) throws(SQLiteError) -> StorageResult {
        guard let room = try connection.liveRoom(session.roomID) else { return .unavailable }
        let count = try connection.first(
            "SELECT count(*) FROM sessions WHERE room = ? AND closed_at IS NULL AND expires_at > ?", .int(room),
            .int(session.createdAt.milliseconds)
        ) { Int($0.int(0)) }
        guard count ?? 0 < sessionsMax else { return .sessionLimitReached }
        try insert(session, in: room)
        return .stored
    }

    func insert(_ session: SessionRecord, in room: Int64) throws(SQLiteError) {
        try connection.run(
            """
            INSERT INTO sessions (session_id, room, user_id, is_default, created_at, expires_at)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            .text(session.sessionID.text), .int(room), .text(session.userID?.text),
            .int(session.userID == nil ? 1 : 0), .int(session.createdAt.milliseconds),
            session.expiresAt.map { .int($0.milliseconds) } ?? .null)
    }

    func touchSession(_ sessionID: SessionID, expiresAt: Timestamp) throws(SQLiteError) -> StorageResult {
        try connection.run(
            "UPDATE sessions SET expires_at = ? WHERE session_id = ? AND closed_at IS NULL",
            .int(expiresAt.milliseconds), .text(sessionID.text))
        return connection.changes == 1 ? .stored : .unavailable
    }

    /// Closing what is closed, or never was, changes nothing: a retry must not fail.
    func closeSession(_ sessionID: SessionID, at now: Timestamp) throws(SQLiteError) -> StorageResult {
        try connection.run(
            "UPDATE sessions SET closed_at = ? WHERE session_id = ? AND closed_at IS NULL", .int(now.milliseconds),
            .text(sessionID.text))
        return .stored
    }

    /// Forgets every exchange begun until now, also one that has not ended: its messages came before the reset. One
    /// that is for people only was never remembered.
    func resetSession(
        _ sessionID: SessionID, _ agentType: String?, at now: Timestamp
    ) throws(SQLiteError) -> StorageResult {
        guard let session = try connection.openSession(sessionID) else { return .cleared(0) }
        let forgotten = try connection.forgotten(by: session, agentType: agentType)
        let found = try connection.first(
            """
            SELECT count(*), max(id) FROM exchanges
            WHERE session_id = ? AND id > ? AND agent_type IS NOT NULL AND (? IS NULL OR agent_type = ?)
                AND NOT EXISTS (
                    SELECT 1 FROM resets
                    WHERE session = ? AND resets.agent_type = exchanges.agent_type AND through >= exchanges.id)
            """, .text(sessionID.text), .int(forgotten), .text(agentType), .text(agentType), .int(session)
        ) { (count: Int($0.int(0)), newest: $0.int(1)) }
        guard let found, found.count > 0 else { return .cleared(0) }
        try connection.run(
            "DELETE FROM resets WHERE session = ? AND agent_type IS ?", .int(session), .text(agentType))
        try connection.run(
            "INSERT INTO resets (session, agent_type, through, reset_at) VALUES (?, ?, ?, ?)", .int(session),
            .text(agentType), .int(found.newest), .int(now.milliseconds))
        return .cleared(found.count)
    }

    /// Removes rows for good; the exchanges' messages and segments go with them by their foreign keys.
    ///
    /// The `message_id`s of what was removed are free again: a late retry of such a message is a new message.
    func clearHistory(_ roomID: RoomID, _ sessionID: SessionID?) throws(SQLiteError) -> StorageResult {
        guard let room = try connection.liveRoom(roomID) else { return .cleared(0) }
        if let sessionID {
            try connection.run(
                "DELETE FROM exchanges WHERE session_id = ? AND +room = ? AND ended_at IS NOT NULL",
                .text(sessionID.text), .int(room))
        } else {
            try connection.run("DELETE FROM exchanges WHERE room = ? AND ended_at IS NOT NULL", .int(room))
        }
        let removed = connection.changes
        try connection.run(
            "UPDATE rooms SET exchange_count = (SELECT count(*) FROM exchanges WHERE room = rooms.id) WHERE id = ?",
            .int(room))
        try connection.run(
            """
            UPDATE resets SET through = min(through, (
                SELECT coalesce(max(exchanges.id), 0) FROM exchanges
                WHERE session_id = (SELECT session_id FROM sessions WHERE sessions.id = resets.session)))
            WHERE session IN (SELECT id FROM sessions WHERE room = ? AND closed_at IS NULL)
            """, .int(room))
        try pullReadsBack(in: room)
        return .cleared(removed)
    }
}
