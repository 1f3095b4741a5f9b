import Chat
import ChatProtocol
import Wire

// How far each user has read.
//
// Invariant: a mark stands at an exchange of its room that is there. SQLite hands the rowid of a removed newest row out
// again, so a mark that stood at a removed row would count an exchange that came after it as read.
extension RoomWriter {
    /// A mark that would go back, or to an exchange that is gone, changes nothing: clients of one user overtake each
    /// other.
    func markRead(
        _ roomID: RoomID, _ userID: UserID, _ exchangeID: ExchangeID, at now: Timestamp
    ) throws(SQLiteError) -> StorageResult {
        guard let room = try connection.liveRoom(roomID),
            let exchange = try connection.exchange(exchangeID, in: room)
        else { return .stored }
        try connection.run(
            """
            INSERT INTO reads (room, user_id, exchange, read_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (room, user_id) DO UPDATE SET exchange = excluded.exchange, read_at = excluded.read_at
            WHERE excluded.exchange > reads.exchange
            """, .int(room), .text(userID.text), .int(exchange), .int(now.milliseconds))
        try connection.run(
            "DELETE FROM reads WHERE id IN (\(strangersBeyond))", .int(room), .int(Limits.strangerMarksPerRoom))
        return .stored
    }

    /// Moves the marks of a room whose exchange was removed to the newest one before it; without one they go.
    func pullReadsBack(in room: Int64) throws(SQLiteError) {
        try connection.run(
            """
            DELETE FROM reads WHERE room = ? AND NOT EXISTS (
                SELECT 1 FROM exchanges WHERE exchanges.room = reads.room AND exchanges.id <= reads.exchange)
            """, .int(room))
        try connection.run(
            """
            UPDATE reads SET exchange = (
                SELECT max(exchanges.id) FROM exchanges
                WHERE exchanges.room = reads.room AND exchanges.id <= reads.exchange)
            WHERE room = ?
            """, .int(room))
    }
}

/// The marks in a room of users who are not its members, but for the newest ones; binds the room and their number.
let strangersBeyond = """
    SELECT strangers.id FROM reads AS strangers INDEXED BY reads_by_time
    CROSS JOIN rooms AS home ON home.id = strangers.room
    WHERE strangers.room = ? AND strangers.user_id <> home.user_id AND NOT EXISTS (
        SELECT 1 FROM members WHERE members.room = strangers.room AND members.user_id = strangers.user_id)
    ORDER BY strangers.read_at DESC, strangers.id DESC LIMIT -1 OFFSET ?
    """
