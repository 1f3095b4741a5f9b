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
            guard row.int(5) != 0 else { return true }
            let messages = try messages(of: row.int(0))
            guard !messages.isEmpty else { return true }
            newestFirst.append(
                InterruptedAnswer(
                    exchangeID: ExchangeID(row.text(1)), roomID: RoomID(row.text(4)), userID: UserID(row.text(2)),
                    text: messages.joinedText, metadata: messages.mergedMetadata))
            return true
        }
        return newestFirst.reversed()
    }

    /// An exchange's messages; none if the hub itself has sent one.
    private func messages(of exchange: Int64) throws(SQLiteError) -> [MessageRecord] {
        var messages: [MessageRecord] = []
        try eachMessage(of: exchange) { message, _ in messages.append(message) }
        let isRepetition = messages.contains { message in
            message.messageID?.utf8.starts(with: InterruptedAnswer.keyPrefix.utf8) ?? false
        }
        return isRepetition ? [] : messages
    }
}
