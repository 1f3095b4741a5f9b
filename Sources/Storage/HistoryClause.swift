import ChatProtocol

/// The exchanges that a filter lets through, in SQL; those of deleted rooms never.
struct HistoryClause {
    /// `FROM … WHERE …`.
    let rows: String
    /// Selects how many there are.
    let total: String
    /// For the placeholders of either.
    let values: [SQLValue]

    /// One condition leads with its index. The `+` keeps SQLite from taking another's, which it would choose blindly.
    init(_ filter: HistoryFilter) {
        let columns: [(condition: String, value: String?)] = [
            ("exchanges.session_id = ?", filter.sessionID?.text),
            ("exchanges.room = (SELECT id FROM rooms WHERE room_id = ?)", filter.roomID?.text),
            ("exchanges.user_id = ?", filter.userID?.text), ("exchanges.agent_type = ?", filter.agentType),
        ]
        let given = columns.filter { $0.value != nil }
        let count = given.count - (filter.agentType == nil ? 0 : 1)
        precondition(count > 0, "a page of history is of a session, a room or a user")
        // An index holds its rows in the order of their ids, so the rest of a page is a range of the same index.
        let range = filter.beforeRow == nil ? "" : " AND exchanges.id < ?"
        rows =
            "FROM exchanges CROSS JOIN rooms ON rooms.id = exchanges.room WHERE "
            + given.map { $0.condition }.joined(separator: " AND +") + range + " AND rooms.deleted_at IS NULL"
        let isOfWholeRoom = filter.roomID != nil && given.count == 1 && filter.beforeRow == nil
        // A room keeps count of its exchanges, so the most frequent total needs no counting.
        total =
            isOfWholeRoom
            ? "SELECT exchange_count FROM rooms WHERE room_id = ? AND deleted_at IS NULL" : "SELECT count(*) \(rows)"
        values = given.map { .text($0.value) } + (filter.beforeRow.map { [.int($0)] } ?? [])
    }
}
