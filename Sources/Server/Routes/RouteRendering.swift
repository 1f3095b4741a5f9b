import ChatProtocol
import Wire

/// How the hub's answer to a routed command becomes a response; a value, so that it can wait beside the command.
enum RouteRendering: Sendable, Equatable {
    case roomCreated
    case roomFetched
    case roomUpdated
    case roomDeleted
    case rooms(limit: Int, offset: Int)
    case history(limit: Int, offset: Int)

    /// The response in the first family's envelope.
    ///
    /// - Parameter path: the request's path, for errors.
    func response(for result: Result<Ack, HubError>, at now: Timestamp, path: String) -> HTTPResponse {
        switch result {
        case .success(let ack): success(ack, at: now)
        case .failure(let error): Envelope.refusal(.hub(error), at: now, path: path)
        }
    }

    private func success(_ ack: Ack, at now: Timestamp) -> HTTPResponse {
        switch (self, ack) {
        case (.roomCreated, .room(let room)):
            var response = Envelope.success(status: 201, message: "Room created successfully", at: now) {
                $0.room(room)
            }
            response.head.headers.add("Location", "/api/rooms/\(room.roomID.text)")
            return response
        case (.roomFetched, .room(let room)):
            return Envelope.success(message: "Room retrieved successfully", at: now) { $0.room(room) }
        case (.roomUpdated, .room(let room)):
            return Envelope.success(message: "Room updated successfully", at: now) { $0.room(room) }
        case (.roomDeleted, .roomDeleted(let roomID)):
            return Envelope.success(message: "Room deleted successfully", at: now) { writer in
                writer.beginObject()
                writer.field("room_id", roomID.text)
                writer.endObject()
            }
        case (.rooms(let limit, let offset), .rooms(let rooms, let total)):
            return Envelope.success(message: "Rooms retrieved successfully", at: now) { writer in
                writer.page("rooms", rooms, total: total, limit: limit, offset: offset) { $0.roomListing($1) }
            }
        case (.history(let limit, let offset), .historyPage(let exchanges, let total)):
            return Envelope.success(message: "History retrieved successfully", at: now) { writer in
                writer.page("history", exchanges, total: total, limit: limit, offset: offset) { $0.historyRow($1) }
            }
        default:
            preconditionFailure("the hub answered \(self) with an acknowledgement of another request")
        }
    }
}

extension JSONWriter {
    /// Writes a page of a list: its rows, `total`, `page` (from 1) and `page_size`.
    ///
    /// `page_size` is the limit after clamping: only then does `total / page_size` count pages that can be fetched.
    fileprivate mutating func page<Row>(
        _ name: StaticString, _ rows: [Row], total: Int, limit: Int, offset: Int,
        writeRow: (inout JSONWriter, Row) -> Void
    ) {
        beginObject()
        key(name)
        beginArray()
        for row in rows { writeRow(&self, row) }
        endArray()
        field("total", total)
        field("page", offset / limit + 1)
        field("page_size", limit)
        endObject()
    }

    /// Writes an exchange as a row of a history: the first family's names, with our `exchange_id` and `status` beside.
    mutating func historyRow(_ exchange: ExchangeRecord) {
        beginObject()
        field("exchange_id", exchange.exchangeID.text)
        field("user_id", exchange.userID.text)
        field("session_id", exchange.sessionID.text)
        field("room_id", exchange.roomID.text)
        field("agent_type", exchange.agentType)
        field("status", exchange.status.rawValue)
        field("user_input", exchange.messages.map(\.text).joined(separator: "\n"))
        field("agent_response", exchange.text)
        field("timestamp", (exchange.messages.last?.timestamp ?? exchange.startedAt).rfc3339)
        key("metadata")
        beginObject()
        field("tokens_used", exchange.usage.flatMap(Self.tokensUsed).map { .int(Int64($0)) } ?? .null)
        let responseTime = exchange.endedAt.map { $0.milliseconds - exchange.startedAt.milliseconds }
        field("response_time_ms", responseTime.map { .int($0) } ?? .null)
        field("model", exchange.usage?.model.map { .string($0) } ?? .null)
        endObject()
        endObject()
    }

    private static func tokensUsed(_ usage: Usage) -> Int? {
        if let total = usage.totalTokens { return total }
        let parts = [usage.promptTokens, usage.completionTokens].compactMap { $0 }
        return parts.isEmpty ? nil : parts.reduce(0, +)
    }
}
