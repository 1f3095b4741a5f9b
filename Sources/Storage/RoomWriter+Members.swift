import Chat
import ChatProtocol

// Who belongs to a room.
extension RoomWriter {
    /// A member keeps the time since when it is one.
    func setMember(_ roomID: RoomID, _ member: MemberRecord, membersMax: Int) throws(SQLiteError) -> StorageResult {
        guard let room = try connection.liveRoom(roomID) else { return .unavailable }
        try connection.run(
            "UPDATE members SET role = ? WHERE room = ? AND user_id = ?", .text(member.role.rawValue), .int(room),
            .text(member.userID.text))
        guard connection.changes == 0 else { return .stored }
        let count = try connection.first("SELECT count(*) FROM members WHERE room = ?", .int(room)) { Int($0.int(0)) }
        guard count ?? 0 < membersMax else { return .memberLimitReached }
        try connection.run(
            "INSERT INTO members (room, user_id, role, joined_at) VALUES (?, ?, ?, ?)", .int(room),
            .text(member.userID.text), .text(member.role.rawValue), .int(member.joinedAt.milliseconds))
        return .stored
    }

    func removeMember(_ roomID: RoomID, _ userID: UserID) throws(SQLiteError) -> StorageResult {
        guard let room = try connection.liveRoom(roomID) else { return .unavailable }
        try connection.run(
            "DELETE FROM members WHERE room = ? AND user_id = ?", .int(room), .text(userID.text))
        return .cleared(connection.changes)
    }
}
