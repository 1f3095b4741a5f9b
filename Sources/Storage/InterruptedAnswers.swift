import Chat
import ChatProtocol
import Wire

extension DatabaseConnection {
    /// The interrupted exchanges of an agent that were asked for at an instant or later, oldest first: without those
    /// that were answered anew since, by whomever, and without the hub's own repetitions.
    func interruptedAnswers(since: Timestamp) throws(SQLiteError) -> [InterruptedAnswer] {
        var newestFirst: [InterruptedAnswer] = []
        // From the newest on, because only the order of the rows has an index, and a long history is never read.
        try each(
            """
            SELECT exchanges.id, exchanges.exchange_id, exchanges.user_id, exchanges.started_at, rooms.room_id,
                exchanges.status = 'interrupted' AND exchanges.agent_type IS NOT NULL AND rooms.deleted_at IS NULL
                AND NOT EXISTS (
                    SELECT 1 FROM exchanges AS later WHERE later.room = exchanges.room AND later.id > exchanges.id
                        AND later.regenerate_of = exchanges.exchange_id)
            FROM exchanges CROSS JOIN rooms ON rooms.id = exchanges.room ORDER BY exchanges.id DESC
            """
        ) { (row) throws(SQLiteError) in
            guard row.int(3) >= since.milliseconds else { return false }
            guard row.int(5) != 0, let message = try message(of: row.int(0)) else { return true }
            newestFirst.append(
                InterruptedAnswer(
                    exchangeID: ExchangeID(row.text(1)), roomID: RoomID(row.text(4)), userID: UserID(row.text(2)),
                    text: message.text, metadata: message.metadata))
            return true
        }
        return newestFirst.reversed()
    }

    /// An exchange's messages as one; `nil` if the hub itself has sent it.
    private func message(of exchange: Int64) throws(SQLiteError) -> (text: String, metadata: JSONObject)? {
        var texts: [String] = []
        var metadata = JSONObject()
        var isRepetition = false
        try each(
            "SELECT message_id, user_id, role, text, timestamp, metadata FROM messages WHERE exchange = ? ORDER BY id",
            .int(exchange)
        ) { (row) throws(SQLiteError) in
            let message = MessageRecord(row: row)
            texts.append(message.text)
            for (key, value) in message.metadata?.members ?? [] { metadata[key] = value }
            isRepetition = isRepetition || message.messageID?.hasPrefix(InterruptedAnswer.keyPrefix) == true
            return true
        }
        return texts.isEmpty || isRepetition ? nil : (texts.joined(separator: "\n"), metadata)
    }
}
