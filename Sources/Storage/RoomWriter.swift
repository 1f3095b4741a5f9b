import Chat
import ChatProtocol
import Wire

/// Executes write requests inside the transaction that its caller opened. Confined to the writer's thread.
///
/// A request that throws, or whose result is none of `.stored`, `.cleared` and `.duplicate`, is rolled back by the
/// caller, so it may end at any point.
struct RoomWriter {
    /// Says that a room counts to the limit of rooms per user.
    private static let countedOrigin = "rooms"

    let connection: DatabaseConnection

    func createRoom(_ room: RoomRecord, roomsMax: Int) throws(SQLiteError) -> StorageResult {
        if roomsMax > 0 {
            let count = try connection.first(
                "SELECT count(*) FROM rooms WHERE user_id = ? AND origin = ? AND deleted_at IS NULL",
                .text(room.userID.text), .text(Self.countedOrigin)
            ) { Int($0.int(0)) }
            if count ?? 0 >= roomsMax { return .roomLimitReached }
        }
        try connection.run(
            """
            INSERT INTO rooms (room_id, user_id, origin, room_name, created_at, last_activity, exchange_count, metadata,
                default_session_id)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            .text(room.roomID.text), .text(room.userID.text), .text(Self.countedOrigin), .text(room.name),
            .int(room.createdAt.milliseconds), .int(room.lastActivity.milliseconds), .int(room.messageCount),
            room.metadata.stored, .text(room.defaultSessionID.text))
        try connection.run(
            "INSERT INTO sessions (session_id, room, is_default, created_at) VALUES (?, ?, 1, ?)",
            .text(room.defaultSessionID.text), .int(connection.lastInsertedRow), .int(room.createdAt.milliseconds))
        return .stored
    }

    func updateRoom(_ room: RoomRecord) throws(SQLiteError) -> StorageResult {
        try connection.run(
            "UPDATE rooms SET room_name = ?, metadata = ? WHERE room_id = ? AND deleted_at IS NULL",
            .text(room.name), room.metadata.stored, .text(room.roomID.text))
        return connection.changes == 1 ? .stored : .unavailable
    }

    /// Deleting what is deleted, or never was, changes nothing: a retry must not fail.
    func deleteRoom(
        _ roomID: RoomID, at now: Timestamp, outcomes: [ExchangeOutcome]
    ) throws(SQLiteError) -> StorageResult {
        guard let room = try connection.liveRoom(roomID) else { return .stored }
        for outcome in outcomes { _ = try finishExchange(outcome) }
        try connection.run("UPDATE rooms SET deleted_at = ? WHERE id = ?", .int(now.milliseconds), .int(room))
        try connection.run(
            "UPDATE sessions SET closed_at = ? WHERE room = ? AND closed_at IS NULL", .int(now.milliseconds),
            .int(room))
        return .stored
    }

    func insertMessage(_ insertion: MessageInsertion) throws(SQLiteError) -> StorageResult {
        let message = insertion.message
        if let opening = insertion.opening {
            let opened = try open(opening)
            guard case .stored = opened else { return opened }
        }
        guard let room = try connection.liveRoom(insertion.exchange.roomID) else { return .unavailable }
        var opened: Int64?
        do {
            let exchange = try exchangeRow(for: insertion, in: room)
            if exchange.isNew { opened = exchange.id }
            try connection.run(
                """
                INSERT INTO messages (exchange, room, message_id, user_id, role, text, timestamp, metadata)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                .int(exchange.id), .int(room), .text(message.messageID), .text(message.userID.text),
                .text(message.role.rawValue), .text(message.text), .int(message.timestamp.milliseconds),
                message.metadata?.stored ?? .null)
            try connection.run(
                """
                UPDATE rooms SET last_activity = max(last_activity, ?), exchange_count = exchange_count + ?
                WHERE id = ?
                """,
                .int(message.timestamp.milliseconds), .int(exchange.isNew ? 1 : 0), .int(room))
        } catch {
            guard error.isUniqueConflict, let messageID = message.messageID else { throw error }
            let found = try connection.storedMessage(
                insertion.exchange.roomID, message.userID, messageID: messageID, text: message.text)
            guard let found else { throw error }
            if let opened { try connection.run("DELETE FROM exchanges WHERE id = ?", .int(opened)) }
            if case .session(let session, _) = insertion.opening {
                try connection.run("DELETE FROM sessions WHERE session_id = ?", .text(session.sessionID.text))
            }
            return .duplicate(found)
        }
        return .stored
    }

    /// Makes what a message brings about; at a limit nothing.
    private func open(_ opening: MessageInsertion.Opening) throws(SQLiteError) -> StorageResult {
        switch opening {
        case .session(let session, let max): return try createSession(session, sessionsMax: max)
        case .room(let room, let session, let max):
            let created = try createRoom(room, roomsMax: max)
            if case .stored = created { return try createSession(session, sessionsMax: 1) }
            return created
        }
    }

    /// The row of the insertion's exchange. A message that should have opened it may have been refused as a duplicate,
    /// so the next message of the same turn opens it then. An exchange that is for people only has ended with its
    /// message; any other begins waiting.
    private func exchangeRow(
        for insertion: MessageInsertion, in room: Int64
    ) throws(SQLiteError) -> (id: Int64, isNew: Bool) {
        let exchange = insertion.exchange
        if !insertion.opensExchange, let found = try connection.exchange(exchange.exchangeID) {
            return (found.id, false)
        }
        let isForPeople = exchange.agentType.isEmpty
        assert(!isForPeople || exchange.status.isTerminal && exchange.streamID.text.isEmpty)
        try connection.run(
            """
            INSERT INTO exchanges (exchange_id, stream_id, room, session_id, user_id, agent_type, regenerate_of,
                told_before, status, started_at, ended_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            .text(exchange.exchangeID.text), isForPeople ? .null : .text(exchange.streamID.text), .int(room),
            .text(exchange.sessionID.text), .text(exchange.userID.text),
            isForPeople ? .null : .text(exchange.agentType), .text(exchange.regenerateOf?.text),
            try exchange.regenerateOf.map(connection.toldBefore).map { .int($0) } ?? .null,
            .text((isForPeople ? exchange.status : .waiting).rawValue), .int(exchange.startedAt.milliseconds),
            isForPeople ? .int(insertion.message.timestamp.milliseconds) : .null)
        return (connection.lastInsertedRow, true)
    }
}

// The life of a response.
extension RoomWriter {
    func startExchange(_ exchangeID: ExchangeID, at now: Timestamp) throws(SQLiteError) -> StorageResult {
        guard let exchange = try connection.exchange(exchangeID) else { return .unavailable }
        try connection.run(
            "UPDATE exchanges SET status = ?, streaming_at = ? WHERE id = ? AND status = ?",
            .text(ExchangeStatus.streaming.rawValue), .int(now.milliseconds), .int(exchange.id),
            .text(ExchangeStatus.waiting.rawValue))
        return .stored
    }

    /// Stores what of the segment is not stored yet; one that would leave a hole is refused.
    func appendSegment(_ segment: ResponseSegment) throws(SQLiteError) -> StorageResult {
        guard let exchange = try connection.exchange(segment.exchangeID) else { return .unavailable }
        guard exchange.isRunning else { return .stored }
        let last = try connection.first(
            """
            SELECT text_offset + length(text), reasoning_offset + length(reasoning),
                CASE WHEN length(text) + length(reasoning) = 0 THEN events END
            FROM segments WHERE exchange = ? ORDER BY id DESC LIMIT 1
            """, .int(exchange.id)
        ) { (textEnd: Int($0.int(0)), reasoningEnd: Int($0.int(1)), bareEvents: [JSONValue](stored: $0.bytes(2))) }
        let textEnd = last?.textEnd ?? 0
        let reasoningEnd = last?.reasoningEnd ?? 0
        guard segment.textOffset <= textEnd, segment.reasoningOffset <= reasoningEnd else { return .unavailable }
        let text = Array(segment.text.dropFirst(textEnd - segment.textOffset))
        let reasoning = Array(segment.reasoning.dropFirst(reasoningEnd - segment.reasoningOffset))
        if text.isEmpty, reasoning.isEmpty {
            let hasOnlyEvents = segment.text.isEmpty && segment.reasoning.isEmpty
            // Events carry no position of their own in the response: the same ones twice in a row are a retry.
            guard hasOnlyEvents, !segment.events.isEmpty, segment.events != last?.bareEvents else { return .stored }
        }
        try connection.run(
            """
            INSERT INTO segments (exchange, text_offset, text, reasoning_offset, reasoning, events)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            .int(exchange.id), .int(textEnd), .blob(text), .int(reasoningEnd), .blob(reasoning), segment.events.stored)
        return .stored
    }

    /// What has ended is left as it is.
    func markCancelled(_ exchangeIDs: [ExchangeID], at now: Timestamp) throws(SQLiteError) -> StorageResult {
        for exchangeID in exchangeIDs {
            try connection.run(
                """
                UPDATE exchanges SET cancelled_at = coalesce(cancelled_at, ?)
                WHERE exchange_id = ? AND ended_at IS NULL
                """, .int(now.milliseconds), .text(exchangeID.text))
        }
        return .stored
    }

    /// The first outcome stays: a retry, or a second cause, changes nothing.
    func finishExchange(_ outcome: ExchangeOutcome) throws(SQLiteError) -> StorageResult {
        guard let exchange = try connection.exchange(outcome.exchangeID) else { return .unavailable }
        if exchange.isRunning { try finish(exchange.id, outcome) }
        return .stored
    }

    /// Ends what a process that is gone left running, with the text it had: as `cancelled` where a cancel was
    /// accepted, else as `interrupted`.
    func settleRunning(at now: Timestamp) throws(SQLiteError) -> Int {
        var running: [(Int64, ExchangeID, ExchangeStatus)] = []
        try connection.each("SELECT id, exchange_id, cancelled_at FROM exchanges WHERE ended_at IS NULL") {
            (row) throws(SQLiteError) in
            running.append((row.int(0), ExchangeID(row.text(1)), row.isNull(2) ? .interrupted : .cancelled))
            return true
        }
        for (row, exchangeID, status) in running {
            let response = try connection.response(of: row)
            let bytes = response.text.count + response.reasoning.count
            let usage = bytes == 0 ? nil : Usage.estimated(bytes: bytes)
            try finish(
                row,
                ExchangeOutcome(
                    exchangeID: exchangeID,
                    outcome: StreamOutcome(status: status, usage: usage, endedAt: now),
                    text: response.text, reasoning: response.reasoning, events: response.events))
        }
        return running.count
    }

    private func finish(_ row: Int64, _ outcome: ExchangeOutcome) throws(SQLiteError) {
        let end = outcome.outcome
        precondition(end.status.isTerminal)
        try connection.run(
            """
            UPDATE exchanges SET status = ?, text = ?, reasoning = ?, events = ?, usage = ?, finish_reason = ?,
                error_code = ?, error_message = ?, ended_at = ?
            WHERE id = ?
            """,
            .text(end.status.rawValue), .utf8(outcome.text),
            outcome.reasoning.isEmpty ? .null : .utf8(outcome.reasoning), outcome.events.stored,
            end.usage?.stored ?? .null, .text(end.finishReason), .text(end.error?.code.rawValue),
            .text(end.error?.message), .int(end.endedAt.milliseconds), .int(row))
        try connection.run("DELETE FROM segments WHERE exchange = ?", .int(row))
    }
}
