import ChatProtocol
import Wire

@testable import Chat

/// A message store in memory that answers as `Ports` says. Confined to its test.
final class FakeStore {
    private(set) var rooms: [RoomID: RoomRecord] = [:]
    private(set) var deleted: Set<RoomID> = []
    /// By first commit.
    private(set) var exchanges: [ExchangeRecord] = []
    private(set) var segments: [ExchangeID: [UInt8]] = [:]
    private(set) var violations: [String] = []
    private var keys: [String: (exchange: ExchangeID, text: String)] = [:]
    /// Requests that fail while they match.
    var fails: (StorageRequest) -> Bool = { _ in false }

    func exchange(of stream: String) -> ExchangeRecord? { exchanges.first { $0.streamID.text == stream } }

    /// Puts a room there as if it had been made before.
    func put(_ room: RoomRecord, exchanges: [ExchangeRecord] = []) {
        rooms[room.roomID] = room
        self.exchanges += exchanges
    }

    func execute(_ request: StorageRequest) -> StorageResult {
        if fails(request) { return .unavailable }
        switch request {
        case .createRoom(let room, let max): return create(room, max)
        case .loadRoom(let id): return .room(head(of: id))
        case .updateRoom(let room):
            rooms[room.roomID]?.name = room.name
            rooms[room.roomID]?.metadata = room.metadata
            return .stored
        case .deleteRoom(let id, _, let outcomes):
            for outcome in outcomes { _ = finish(outcome) }
            deleted.insert(id)
            return .stored
        case .insertMessage(let insertion): return insert(insertion)
        case .findMessage(let room, let user, let key, let text): return find(room, user, key, text)
        case .startExchange(let id, _):
            change(id) { if $0.status == .waiting { $0.status = .streaming } }
            return .stored
        case .appendSegment(let segment): return append(segment)
        case .finishExchange(let outcome): return finish(outcome)
        case .findStream(let id):
            return .stream(
                exchanges.first { $0.streamID == id }.map { StoredStream(roomID: $0.roomID, status: $0.status) })
        case .historyBefore(let room, _, let limit):
            return .history(Array(exchanges(of: room).suffix(limit)), nextBefore: nil)
        case .historyPage(let room, let limit, _):
            return .historyPage(Array(exchanges(of: room).reversed().prefix(limit)), total: exchanges(of: room).count)
        case .listRooms(let user, _):
            let mine = rooms.values.filter { $0.userID == user && !deleted.contains($0.roomID) }
            let listings = mine.sorted { $0.roomID.text < $1.roomID.text }.map {
                RoomListing(room: $0, lastExchange: nil)
            }
            return .rooms(listings, total: listings.count)
        }
    }

    private func exchanges(of room: RoomID) -> [ExchangeRecord] { exchanges.filter { $0.roomID == room } }

    private func create(_ room: RoomRecord, _ max: Int) -> StorageResult {
        let count = rooms.values.count { $0.userID == room.userID && !deleted.contains($0.roomID) }
        guard max == 0 || count < max else { return .roomLimitReached }
        rooms[room.roomID] = room
        return .stored
    }

    private func head(of id: RoomID) -> RoomHead? {
        guard let room = rooms[id], !deleted.contains(id) else { return nil }
        let all = exchanges(of: id)
        let newest = Array(all.suffix(Limits.snapshotExchangesMax))
        return RoomHead(
            room: room, members: [], history: newest,
            nextBefore: newest.count < all.count ? newest.first?.exchangeID : nil)
    }

    private func key(_ room: RoomID, _ user: UserID, _ key: String) -> String { "\(room)|\(user)|\(key)" }

    private func insert(_ insertion: MessageInsertion) -> StorageResult {
        let exchange = insertion.exchange
        let message = insertion.message
        if let id = message.messageID {
            if case .duplicate(let stored) = find(exchange.roomID, message.userID, id, message.text) {
                return .duplicate(stored)
            }
            keys[key(exchange.roomID, message.userID, id)] = (exchange.exchangeID, message.text)
        }
        let isThere = exchanges.contains { $0.exchangeID == exchange.exchangeID }
        if insertion.opensExchange, isThere { violations.append("\(exchange.exchangeID) was opened twice") }
        if !isThere {
            var row = exchange
            row.messages = []
            exchanges.append(row)
            rooms[exchange.roomID]?.messageCount += 1
        }
        change(exchange.exchangeID) { $0.messages.append(message) }
        rooms[exchange.roomID]?.lastActivity = message.timestamp
        return .stored
    }

    private func find(_ room: RoomID, _ user: UserID, _ id: String, _ text: String) -> StorageResult {
        guard let found = keys[key(room, user, id)],
            let exchange = exchanges.first(where: { $0.exchangeID == found.exchange })
        else { return .noMessage }
        return .duplicate(
            StoredMessage(
                exchangeID: exchange.exchangeID, streamID: exchange.streamID, status: exchange.status,
                isSameText: found.text == text))
    }

    private func append(_ segment: ResponseSegment) -> StorageResult {
        let text = segments[segment.exchangeID] ?? []
        if segment.textOffset > text.count { violations.append("a hole before \(segment.textOffset)") }
        segments[segment.exchangeID] = text.prefix(segment.textOffset) + segment.text
        return .stored
    }

    private func finish(_ outcome: ExchangeOutcome) -> StorageResult {
        change(outcome.exchangeID) { row in
            if row.status.isTerminal { violations.append("\(outcome.exchangeID) ended twice") }
            row.status = outcome.outcome.status
            row.text = String(decoding: outcome.text, as: UTF8.self)
            row.events = outcome.events
            row.usage = outcome.outcome.usage
            row.finishReason = outcome.outcome.finishReason
            row.error = outcome.outcome.error
        }
        return .stored
    }

    private func change(_ id: ExchangeID, _ body: (inout ExchangeRecord) -> Void) {
        guard let index = exchanges.firstIndex(where: { $0.exchangeID == id }) else {
            return violations.append("\(id) is not there")
        }
        body(&exchanges[index])
    }
}
