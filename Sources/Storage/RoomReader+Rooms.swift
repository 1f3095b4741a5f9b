import Chat
import ChatProtocol
import Wire

// Lists of rooms, and who belongs to a room.
extension RoomReader {
    /// The page's rooms are found first, so that no more than those are read.
    func listRooms(_ userID: UserID, _ page: RoomPage) throws(SQLiteError) -> StorageResult {
        var found: [Int64] = []
        try connection.each(
            Self.page(page.order), .text(userID.text), .text(userID.text), .int(max(page.limit, 0)), .int(page.offset)
        ) { (row) throws(SQLiteError) in
            found.append(row.int(0))
            return true
        }
        var rooms: [RoomListing] = []
        for room in found {
            if let listing = try listing(of: room, for: userID) { rooms.append(listing) }
        }
        let owned = try connection.first(
            "SELECT count(*) FROM rooms WHERE user_id = ? AND deleted_at IS NULL", .text(userID.text)
        ) { Int($0.int(0)) }
        let shared = try connection.first(
            """
            SELECT count(*) FROM members CROSS JOIN rooms ON rooms.id = members.room
            WHERE members.user_id = ? AND rooms.deleted_at IS NULL
            """, .text(userID.text)
        ) { Int($0.int(0)) }
        return .rooms(rooms, total: (owned ?? 0) + (shared ?? 0))
    }

    /// Merges the rooms that a user owns, in the order of their index, with those it is a member of, which are sorted.
    private static func page(_ order: RoomOrder) -> String {
        let (column, direction) =
            switch order {
            case .lastActivity: ("last_activity", "DESC")
            case .createdAt: ("created_at", "DESC")
            case .roomName: ("room_name", "ASC")
            }
        return """
            SELECT id, \(column), room_id FROM rooms WHERE user_id = ? AND deleted_at IS NULL
            UNION ALL
            SELECT rooms.id, rooms.\(column), rooms.room_id FROM members CROSS JOIN rooms ON rooms.id = members.room
            WHERE members.user_id = ? AND rooms.deleted_at IS NULL
            ORDER BY \(column) \(direction), room_id LIMIT ? OFFSET ?
            """
    }

    private func listing(of room: Int64, for userID: UserID) throws(SQLiteError) -> RoomListing? {
        try connection.first(
            """
            SELECT \(roomColumns), CASE WHEN reads.exchange IS NULL THEN rooms.exchange_count ELSE (
                    SELECT count(*) FROM exchanges AS later
                    WHERE later.room = rooms.id AND later.id > reads.exchange) END, \(previewColumns)
            FROM rooms LEFT JOIN reads ON reads.room = rooms.id AND reads.user_id = ? LEFT JOIN exchanges
                ON exchanges.id = (SELECT max(newest.id) FROM exchanges AS newest WHERE newest.room = rooms.id)
            WHERE rooms.id = ?
            """, .text(userID.text), .int(room)
        ) { (row) throws(SQLiteError) in
            let room = RoomRecord(row: row)
            var newest: ExchangeRecord?
            let first = roomColumnCount + 1
            if !row.isNull(first) {
                newest = try preview(StoredExchange(row: row, roomID: room.roomID, first: first))
            }
            return RoomListing(room: room, lastExchange: newest, unread: Int(row.int(roomColumnCount)))
        }
    }

    /// A role that is none of ours is no more than a viewer's.
    func members(of room: Int64) throws(SQLiteError) -> [MemberRecord] {
        var members: [MemberRecord] = []
        try connection.each(
            "SELECT user_id, role, joined_at FROM members WHERE room = ? ORDER BY user_id", .int(room)
        ) { (row) throws(SQLiteError) in
            members.append(
                MemberRecord(
                    userID: UserID(row.text(0)), role: MemberRole(rawValue: row.text(1)) ?? .viewer,
                    joinedAt: Timestamp(milliseconds: row.int(2))))
            return true
        }
        return members
    }
}
