import Chat
import ChatProtocol
import Wire

/// Executes read requests inside the transaction that its caller opened. Confined to its thread.
struct RoomReader {
    let connection: DatabaseConnection

    func loadRoom(_ roomID: RoomID, exchangesMax: Int) throws(SQLiteError) -> StorageResult {
        let found = try connection.first(
            "SELECT \(roomColumns) FROM rooms WHERE room_id = ? AND deleted_at IS NULL", .text(roomID.text)
        ) { (rowID: $0.int(0), room: RoomRecord(row: $0)) }
        guard let (rowID, room) = found else { return .room(nil) }
        let page = try exchanges(of: roomID, rowID, before: .max, limit: exchangesMax)
        return .room(
            RoomHead(
                room: room, members: try members(of: rowID), history: page.exchanges, nextBefore: page.nextBefore,
                reads: try reads(of: rowID)))
    }

    func findMessage(
        _ roomID: RoomID, _ userID: UserID, messageID: String, text: String
    ) throws(SQLiteError) -> StorageResult {
        let found = try connection.storedMessage(roomID, userID, messageID: messageID, text: text)
        return found.map { .duplicate($0) } ?? .noMessage
    }

    func findStream(_ streamID: StreamID) throws(SQLiteError) -> StorageResult {
        .stream(
            try connection.first(
                """
                SELECT rooms.room_id, exchanges.status FROM exchanges JOIN rooms ON rooms.id = exchanges.room
                WHERE exchanges.stream_id = ? AND rooms.deleted_at IS NULL
                """, .text(streamID.text)
            ) { row in
                StoredStream(
                    roomID: RoomID(row.text(0)), status: ExchangeStatus(rawValue: row.text(1)) ?? .interrupted)
            })
    }

    func findExchange(_ roomID: RoomID, _ exchangeID: ExchangeID) throws(SQLiteError) -> StorageResult {
        .exchange(
            try connection.first(
                """
                SELECT exchanges.session_id, exchanges.agent_type FROM exchanges
                JOIN rooms ON rooms.id = exchanges.room
                WHERE exchanges.exchange_id = ? AND rooms.room_id = ? AND rooms.deleted_at IS NULL
                """, .text(exchangeID.text), .text(roomID.text)
            ) { row in
                RegeneratedExchange(
                    exchangeID: exchangeID, sessionID: SessionID(row.text(0)), agentType: row.text(1))
            })
    }

    /// The `+` keeps SQLite from looking through the room instead.
    func readExchange(_ roomID: RoomID, _ name: ExchangeName) throws(SQLiteError) -> StorageResult {
        guard let room = try connection.liveRoom(roomID) else { return .wholeExchange(nil) }
        let (column, id) =
            switch name {
            case .id(let id): ("exchange_id", id.text)
            case .stream(let id): ("stream_id", id.text)
            }
        let exchange = try connection.first(
            "SELECT \(exchangeColumns) FROM exchanges WHERE \(column) = ? AND +room = ?", .text(id), .int(room)
        ) { (row) throws(SQLiteError) in
            try complete(StoredExchange(row: row, roomID: roomID)).record
        }
        return .wholeExchange(exchange)
    }

    func historyBefore(_ roomID: RoomID, _ before: ExchangeID?, limit: Int) throws(SQLiteError) -> StorageResult {
        guard let room = try connection.liveRoom(roomID) else { return .history([], nextBefore: nil) }
        var bound = Int64.max
        if let before {
            guard let found = try connection.exchange(before, in: room) else {
                return .history([], nextBefore: nil)
            }
            bound = found
        }
        let page = try exchanges(of: roomID, room, before: bound, limit: limit)
        return .history(page.exchanges, nextBefore: page.nextBefore)
    }

    func historyPage(_ filter: HistoryFilter, limit: Int, offset: Int) throws(SQLiteError) -> StorageResult {
        let clause = HistoryClause(filter)
        var total = filter.beforeRow == nil ? 0 : nil
        if total != nil {
            try connection.each(clause.total, values: clause.values) { (row) throws(SQLiteError) in
                total = Int(row.int(0))
                return false
            }
        }
        var page: [ExchangeRecord] = []
        var bytes = 0
        var next: Int64?
        try connection.each(
            "SELECT rooms.room_id, \(exchangeColumns) \(clause.rows) ORDER BY exchanges.id DESC LIMIT ? OFFSET ?",
            values: clause.values + [.int(max(limit, 0)), .int(offset)]
        ) { (row) throws(SQLiteError) in
            let exchange = try complete(StoredExchange(row: row, roomID: RoomID(row.text(0)), first: 1))
            page.append(exchange.record)
            bytes += exchange.bytes
            if bytes >= Limits.pagePartBytesMax, page.count < limit { next = exchange.rowID }
            return next == nil
        }
        return .historyPage(page, total: total, next: next)
    }

    private func reads(of room: Int64) throws(SQLiteError) -> [ReadMark] {
        var reads: [ReadMark] = []
        try connection.each(
            """
            SELECT reads.user_id, exchanges.exchange_id, reads.read_at, (
                SELECT count(*) FROM exchanges AS later WHERE later.room = reads.room AND later.id > reads.exchange)
            FROM reads CROSS JOIN exchanges ON exchanges.id = reads.exchange
            WHERE reads.room = ? AND reads.id NOT IN (\(strangersBeyond)) ORDER BY reads.user_id
            """, .int(room), .int(room), .int(Limits.strangerMarksPerRoom)
        ) { (row) throws(SQLiteError) in
            reads.append(
                ReadMark(
                    userID: UserID(row.text(0)), exchangeID: ExchangeID(row.text(1)),
                    timestamp: Timestamp(milliseconds: row.int(2)), unread: Int(row.int(3))))
            return true
        }
        return reads
    }

    /// The newest exchanges before a row, oldest first; at least one, then as many as count and bytes allow.
    private func exchanges(
        of roomID: RoomID, _ room: Int64, before: Int64, limit: Int
    ) throws(SQLiteError) -> (exchanges: [ExchangeRecord], nextBefore: ExchangeID?) {
        var newestFirst: [ExchangeRecord] = []
        var bytes = 0
        var hasMore = false
        try connection.each(
            "SELECT \(exchangeColumns) FROM exchanges WHERE room = ? AND id < ? ORDER BY id DESC", .int(room),
            .int(before)
        ) { (row) throws(SQLiteError) in
            hasMore = !newestFirst.isEmpty && newestFirst.count >= limit
            if hasMore { return false }
            let exchange = try complete(StoredExchange(row: row, roomID: roomID))
            bytes += exchange.bytes
            hasMore = !newestFirst.isEmpty && bytes > Limits.snapshotBytesMax
            if hasMore { return false }
            newestFirst.append(exchange.record)
            return true
        }
        return (newestFirst.reversed(), hasMore ? newestFirst.last?.exchangeID : nil)
    }

    /// Adds the messages and, while the exchange runs, the response so far.
    private func complete(_ stored: StoredExchange) throws(SQLiteError) -> StoredExchange {
        var exchange = stored
        if !exchange.record.status.isTerminal {
            let response = try connection.response(of: exchange.rowID)
            exchange.record.text = String(decoding: response.text, as: UTF8.self)
            if !response.reasoning.isEmpty {
                exchange.record.reasoning = String(decoding: response.reasoning, as: UTF8.self)
            }
            exchange.record.events = response.events
            exchange.bytes += response.text.count + response.reasoning.count
        }
        try connection.eachMessage(of: exchange.rowID) { message, bytes in
            exchange.record.messages.append(message)
            exchange.bytes += bytes
        }
        return exchange
    }

    /// Adds the starts of the messages and, while the exchange runs, of the response so far.
    func preview(_ stored: StoredExchange) throws(SQLiteError) -> ExchangeRecord {
        var exchange = stored.record
        if !exchange.status.isTerminal {
            var text: [UInt8] = []
            try connection.each(
                "SELECT substr(text, 1, \(previewBytes)) FROM segments WHERE exchange = ? ORDER BY id",
                .int(stored.rowID)
            ) { (row) throws(SQLiteError) in
                text.append(contentsOf: row.bytes(0).prefix(previewBytes - text.count))
                return text.count < previewBytes
            }
            exchange.text = String(decoding: text, as: UTF8.self)
        }
        try connection.each(
            """
            SELECT NULL, user_id, role, substr(CAST(text AS BLOB), 1, \(previewBytes)), timestamp, NULL FROM messages
            WHERE exchange = ? ORDER BY id
            """, .int(stored.rowID)
        ) { (row) throws(SQLiteError) in
            exchange.messages.append(MessageRecord(row: row))
            return true
        }
        return exchange
    }
}
