import ChatProtocol
import Wire

/// A page of a history on its way to its reader. The store reads its rows a part at a time, and a part leaves in
/// pieces before the next is read, so a page of any size takes the memory of one part.
struct HistoryPage {
    /// Bytes of a piece, as they are sent.
    static let pieceBytes = 64 * 1024

    private let limit: Int
    private let offset: Int
    private let total: Int
    private let timestamp: Timestamp
    private var rows = 0
    private var json = JSONPieces()
    /// Where the rest begins; `nil` once all rows are here.
    private var next: Int64?

    /// A page of which no row is here yet.
    ///
    /// - Parameter limit: after clamping: only then does `total / page_size` count pages that can be fetched.
    init(limit: Int, offset: Int, total: Int, at now: Timestamp) {
        (self.limit, self.offset, self.total, timestamp) = (limit, offset, total, now)
        json.writer.beginObject()
        json.writer.field("success", true)
        json.writer.field("message", "History retrieved successfully")
        json.writer.key("data")
        json.writer.beginObject()
        json.writer.key("history")
        json.writer.beginArray()
    }

    /// Adds a part's rows; `next` is where the part after it begins.
    mutating func add(_ exchanges: [ExchangeRecord], next: Int64?) {
        for exchange in exchanges { json.historyRow(exchange) }
        rows += exchanges.count
        self.next = next
        guard next == nil else { return }
        json.writer.endArray()
        json.writer.field("total", total)
        json.writer.field("page", offset / limit + 1)
        json.writer.field("page_size", limit)
        json.writer.endObject()
        json.writer.field("timestamp", timestamp.rfc3339)
        json.writer.endObject()
    }

    /// What it takes of memory.
    var heldBytes: Int { json.heldBytes }

    /// The next piece; an empty one when all that is here has left.
    mutating func takePiece(_ bytes: Int = pieceBytes) -> [UInt8] { json.take(bytes) }

    /// All of it has left.
    var isOver: Bool { next == nil && json.heldBytes == 0 }

    /// Which rows are still to be read, and how many at most; `nil` if there are none.
    func rest(of filter: HistoryFilter) -> (filter: HistoryFilter, limit: Int)? {
        guard let next else { return nil }
        var filter = filter
        filter.beforeRow = next
        return (filter, limit - rows)
    }
}

extension JSONPieces {
    /// Writes an exchange as a row of a history: the first family's names, with our `exchange_id` and `status` beside.
    fileprivate mutating func historyRow(_ exchange: ExchangeRecord) {
        writer.beginObject()
        writer.field("exchange_id", exchange.exchangeID.text)
        writer.field("user_id", exchange.userID.text)
        writer.field("session_id", exchange.sessionID.text)
        writer.field("room_id", exchange.roomID.text)
        writer.field("agent_type", exchange.agentType)
        writer.field("regenerate_of", exchange.regenerateOf?.text)
        writer.field("status", exchange.status.rawValue)
        writer.key("user_input")
        string(exchange.messages.map(\.text).joined(separator: "\n"))
        writer.key("agent_response")
        string(exchange.text)
        writer.field("timestamp", (exchange.messages.last?.timestamp ?? exchange.startedAt).rfc3339)
        writer.key("metadata")
        writer.beginObject()
        writer.field("tokens_used", exchange.usage.flatMap(Self.tokensUsed).map { .int(Int64($0)) } ?? .null)
        let responseTime = exchange.endedAt.map { $0.milliseconds - exchange.startedAt.milliseconds }
        writer.field("response_time_ms", responseTime.map { .int($0) } ?? .null)
        writer.field("model", exchange.usage?.model.map { .string($0) } ?? .null)
        writer.endObject()
        writer.endObject()
    }

    private static func tokensUsed(_ usage: Usage) -> Int? {
        if let total = usage.totalTokens { return total }
        let parts = [usage.promptTokens, usage.completionTokens].compactMap { $0 }
        return parts.isEmpty ? nil : parts.reduce(0, +)
    }
}
