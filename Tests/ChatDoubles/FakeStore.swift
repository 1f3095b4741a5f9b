// A message store in memory that answers as `Ports` says and as the store on SQLite does. What a request has changed
// counts as durable when `execute` returns.

import Chat
import ChatProtocol
import Wire

/// A message store in memory. Confined to its test.
final class FakeStore {
    private(set) var rooms: [RoomID: RoomRecord] = [:]
    private(set) var deleted: Set<RoomID> = []
    /// By first commit.
    private(set) var exchanges: [ExchangeRecord] = []
    /// Responses that have not ended, as far as they are stored.
    private(set) var partials: [ExchangeID: Partial] = [:]
    /// Those that were not closed.
    var sessions: [SessionID: SessionRecord] = [:]
    /// The rooms of all that ever were, beside the default ones.
    var everySession: [SessionID: RoomID] = [:]
    var forgotten: Set<ExchangeID> = []
    /// The order of first commits, and up to where of it an exchange's context reaches.
    private(set) var numbers: [ExchangeID: Int] = [:]
    private(set) var toldBefore: [ExchangeID: Int] = [:]
    var reads: [RoomID: [UserID: (exchange: ExchangeID, at: Timestamp)]] = [:]
    private(set) var members: [RoomID: [UserID: MemberRecord]] = [:]
    /// Those whose cancel was accepted before their outcome was stored.
    private(set) var cancelled: Set<ExchangeID> = []
    private(set) var violations: [String] = []
    private var keys: [String: (exchange: ExchangeID, text: String)] = [:]
    /// Requests that fail while they match.
    var fails: (StorageRequest) -> Bool = { _ in false }

    struct Partial: Equatable {
        var text: [UInt8] = []
        var reasoning: [UInt8] = []
        var events: [JSONValue] = []
    }

    /// The stored texts of responses that have not ended.
    var segments: [ExchangeID: [UInt8]] { partials.mapValues(\.text) }

    func exchange(of stream: String) -> ExchangeRecord? { exchanges.first { $0.streamID.text == stream } }

    func exchanges(of room: RoomID) -> [ExchangeRecord] { exchanges.filter { $0.roomID == room } }

    func isLive(_ room: RoomID) -> Bool { rooms[room] != nil && !deleted.contains(room) }

    /// Puts a room there as if it had been made before.
    func put(_ room: RoomRecord, exchanges: [ExchangeRecord] = []) {
        insert(room)
        for exchange in exchanges {
            self.exchanges.append(exchange)
            number(exchange)
        }
    }

    func execute(_ request: StorageRequest) -> StorageResult {
        if fails(request) { return .unavailable }
        switch request {
        case .createRoom(let room, let max): return create(room, max)
        case .loadRoom(let id, let exchangesMax): return .room(head(of: id, exchangesMax))
        case .updateRoom(let room): return update(room)
        case .deleteRoom(let id, _, let outcomes): return delete(id, outcomes)
        case .setMember(let id, let member, let max): return set(member, of: id, max)
        case .removeMember(let id, let user):
            return isLive(id) ? .cleared(members[id]?.removeValue(forKey: user) == nil ? 0 : 1) : .unavailable
        case .insertMessage(let insertion): return insert(insertion)
        case .findMessage(let room, let user, let key, let text): return find(room, user, key, text)
        case .startExchange(let id, _): return change(id) { if $0.status == .waiting { $0.status = .streaming } }
        case .appendSegment(let segment): return append(segment)
        case .finishExchange(let outcome): return finish(outcome)
        case .findStream(let id):
            return .stream(
                exchanges.first { $0.streamID == id && isLive($0.roomID) }
                    .map { StoredStream(roomID: $0.roomID, status: $0.status) })
        case .findExchange(let room, let id):
            return .exchange(
                exchanges.first { $0.roomID == room && $0.exchangeID == id && isLive(room) }.map {
                    RegeneratedExchange(exchangeID: id, sessionID: $0.sessionID, agentType: $0.agentType)
                })
        case .markRead(let room, let user, let exchange, let now):
            markRead(room, user, exchange, at: now)
            return .stored
        case .historyBefore(let room, let before, let limit): return history(of: room, before: before, limit)
        case .readExchange(let room, let name):
            return .wholeExchange(exchanges(of: room).first { isLive(room) && $0.isNamed(name) }.map(shown))
        case .historyPage(let filter, let limit, let offset): return page(filter, limit: limit, offset: offset)
        case .markCancelled(let ids, _):
            cancelled.formUnion(ids)
            return .stored
        case .createSession, .findSession, .findRoom, .touchSession, .closeSession, .resetSession, .clearHistory,
            .context:
            return executeOnSession(request)
        case .listRooms(let user, let page): return list(user, page)
        }
    }

    /// Ends what a process that is gone left running, with the text it had.
    func settleRunning(at now: Timestamp) {
        for exchange in exchanges where !exchange.status.isTerminal {
            let partial = partials[exchange.exchangeID] ?? Partial()
            _ = finish(
                ExchangeOutcome(
                    exchangeID: exchange.exchangeID,
                    outcome: StreamOutcome(
                        status: cancelled.contains(exchange.exchangeID) ? .cancelled : .interrupted, endedAt: now),
                    text: partial.text, reasoning: partial.reasoning, events: partial.events))
        }
    }

    /// Removes exchanges for good; their keys are free again.
    func remove(_ removed: Set<ExchangeID>, from room: RoomID) {
        exchanges.removeAll { removed.contains($0.exchangeID) }
        keys = keys.filter { !removed.contains($0.value.exchange) }
        forgotten.subtract(removed)
        for id in removed { toldBefore[id] = nil }
        rooms[room]?.messageCount = exchanges(of: room).count
    }
}

// Rooms.
extension FakeStore {
    private func create(_ room: RoomRecord, _ max: Int) -> StorageResult {
        let count = rooms.values.count { $0.userID == room.userID && !deleted.contains($0.roomID) }
        guard max == 0 || count < max else { return .roomLimitReached }
        insert(room)
        return .stored
    }

    private func insert(_ room: RoomRecord) {
        rooms[room.roomID] = room
        sessions[room.defaultSessionID] = SessionRecord(
            sessionID: room.defaultSessionID, userID: nil, roomID: room.roomID, createdAt: room.createdAt,
            expiresAt: nil)
    }

    private func update(_ room: RoomRecord) -> StorageResult {
        guard isLive(room.roomID) else { return .unavailable }
        rooms[room.roomID]?.name = room.name
        rooms[room.roomID]?.metadata = room.metadata
        return .stored
    }

    private func delete(_ id: RoomID, _ outcomes: [ExchangeOutcome]) -> StorageResult {
        guard isLive(id) else { return .stored }
        for outcome in outcomes { _ = finish(outcome) }
        deleted.insert(id)
        return .stored
    }

    private func head(of id: RoomID, _ exchangesMax: Int) -> RoomHead? {
        guard let room = rooms[id], !deleted.contains(id) else { return nil }
        let all = exchanges(of: id)
        let newest = all.suffix(exchangesMax).map(shown)
        return RoomHead(
            room: room, members: (members[id] ?? [:]).values.sorted { $0.userID.text < $1.userID.text },
            history: newest,
            nextBefore: newest.count < all.count ? newest.first?.exchangeID : nil, reads: marks(of: id))
    }

    private func set(_ member: MemberRecord, of room: RoomID, _ max: Int) -> StorageResult {
        guard isLive(room) else { return .unavailable }
        let old = members[room]?[member.userID]
        guard old != nil || members[room]?.count ?? 0 < max else { return .memberLimitReached }
        members[room, default: [:]][member.userID] = MemberRecord(
            userID: member.userID, role: member.role, joinedAt: old?.joinedAt ?? member.joinedAt)
        return .stored
    }

    private func list(_ user: UserID, _ page: RoomPage) -> StorageResult {
        let mine = rooms.values.filter {
            ($0.userID == user || members[$0.roomID]?[user] != nil) && !deleted.contains($0.roomID)
        }
        let sorted = mine.sorted { first, second in
            switch page.order {
            case .lastActivity where first.lastActivity != second.lastActivity:
                first.lastActivity.milliseconds > second.lastActivity.milliseconds
            case .createdAt where first.createdAt != second.createdAt:
                first.createdAt.milliseconds > second.createdAt.milliseconds
            case .roomName where first.name != second.name: first.name < second.name
            case .lastActivity, .createdAt, .roomName: first.roomID.text < second.roomID.text
            }
        }
        let listings = sorted.dropFirst(page.offset).prefix(page.limit).map {
            RoomListing(
                room: $0, lastExchange: exchanges(of: $0.roomID).last.map(shown),
                unread: unread(in: $0.roomID, by: user))
        }
        return .rooms(Array(listings), total: mine.count)
    }
}

// Messages and exchanges.
extension FakeStore {
    private func matches(_ filter: HistoryFilter, _ exchange: ExchangeRecord) -> Bool {
        !deleted.contains(exchange.roomID)
            && filter.roomID.map { $0 == exchange.roomID } ?? true
            && filter.sessionID.map { $0 == exchange.sessionID } ?? true
            && filter.userID.map { $0 == exchange.userID } ?? true
            && filter.agentType.map { $0 == exchange.agentType } ?? true
    }

    private func history(of room: RoomID, before: ExchangeID?, _ limit: Int) -> StorageResult {
        guard isLive(room) else { return .history([], nextBefore: nil) }
        var all = exchanges(of: room)
        if let before {
            guard let place = all.firstIndex(where: { $0.exchangeID == before }) else {
                return .history([], nextBefore: nil)
            }
            all.removeSubrange(place...)
        }
        let page = all.suffix(max(limit, 1)).map(shown)
        return .history(page, nextBefore: page.count < all.count ? page.first?.exchangeID : nil)
    }

    private func page(_ filter: HistoryFilter, limit: Int, offset: Int) -> StorageResult {
        let found = exchanges.reversed().filter { matches(filter, $0) }
        let before = filter.beforeRow ?? .max
        let wanted = found.filter { Int64(numbers[$0.exchangeID] ?? 0) < before }.dropFirst(offset).prefix(limit)
        var page: [ExchangeRecord] = []
        var bytes = 0
        while page.count < wanted.count, bytes < Limits.pagePartBytesMax {
            let exchange = shown(wanted[wanted.startIndex + page.count])
            bytes += exchange.text.utf8.count + exchange.messages.reduce(0) { $0 + $1.text.utf8.count }
            page.append(exchange)
        }
        let next = page.count < wanted.count ? page.last.flatMap { numbers[$0.exchangeID] } : nil
        return .historyPage(
            page, total: filter.beforeRow == nil ? found.count : nil, next: next.map { Int64($0) })
    }

    /// An exchange with its response so far.
    private func shown(_ exchange: ExchangeRecord) -> ExchangeRecord {
        guard let partial = partials[exchange.exchangeID] else { return exchange }
        var exchange = exchange
        exchange.text = String(decoding: partial.text, as: UTF8.self)
        exchange.reasoning = partial.reasoning.isEmpty ? nil : String(decoding: partial.reasoning, as: UTF8.self)
        exchange.events = partial.events
        return exchange
    }

    private func key(_ room: RoomID, _ user: UserID, _ key: String) -> String { "\(room)|\(user)|\(key)" }

    private func open(_ opening: MessageInsertion.Opening?) -> StorageResult {
        switch opening {
        case nil: return .stored
        case .session(let session, let max): return executeOnSession(.createSession(session, sessionsMax: max))
        case .room(let room, let session, let max):
            let created = create(room, max)
            guard case .stored = created else { return created }
            return executeOnSession(.createSession(session, sessionsMax: 1))
        }
    }

    private func insert(_ insertion: MessageInsertion) -> StorageResult {
        let exchange = insertion.exchange
        let message = insertion.message
        if let id = message.messageID, case .session = insertion.opening,
            case .duplicate(let stored) = find(exchange.roomID, message.userID, id, message.text)
        {
            return .duplicate(stored)
        }
        let opened = open(insertion.opening)
        guard case .stored = opened else { return opened }
        guard isLive(exchange.roomID) else { return .unavailable }
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
            if exchange.agentType.isEmpty {
                if !exchange.status.isTerminal { violations.append("nobody ends \(exchange.exchangeID)") }
                row.endedAt = message.timestamp
            }
            exchanges.append(row)
            number(row)
            rooms[exchange.roomID]?.messageCount += 1
        }
        rooms[exchange.roomID]?.lastActivity = message.timestamp
        return change(exchange.exchangeID) { $0.messages.append(message) }
    }

    private func number(_ exchange: ExchangeRecord) {
        numbers[exchange.exchangeID] = numbers.count + 1
        toldBefore[exchange.exchangeID] = exchange.regenerateOf.map { toldBefore[$0] ?? 0 } ?? numbers.count
    }

    private func find(_ room: RoomID, _ user: UserID, _ id: String, _ text: String) -> StorageResult {
        guard isLive(room), let found = keys[key(room, user, id)],
            let exchange = exchanges.first(where: { $0.exchangeID == found.exchange })
        else { return .noMessage }
        return .duplicate(
            StoredMessage(
                exchangeID: exchange.exchangeID, streamID: exchange.streamID, status: exchange.status,
                isSameText: found.text == text))
    }

    private func append(_ segment: ResponseSegment) -> StorageResult {
        guard let exchange = exchanges.first(where: { $0.exchangeID == segment.exchangeID }) else {
            return .unavailable
        }
        guard !exchange.status.isTerminal else { return .stored }
        var partial = partials[segment.exchangeID] ?? Partial()
        guard segment.textOffset <= partial.text.count, segment.reasoningOffset <= partial.reasoning.count else {
            violations.append("a hole before \(segment.textOffset) or \(segment.reasoningOffset)")
            return .unavailable
        }
        partial.text += segment.text.dropFirst(partial.text.count - segment.textOffset)
        partial.reasoning += segment.reasoning.dropFirst(partial.reasoning.count - segment.reasoningOffset)
        partial.events += segment.events
        partials[segment.exchangeID] = partial
        return .stored
    }

    private func finish(_ outcome: ExchangeOutcome) -> StorageResult {
        partials[outcome.exchangeID] = nil
        return change(outcome.exchangeID) { row in
            guard !row.status.isTerminal else { return violations.append("\(outcome.exchangeID) ended twice") }
            row.status = outcome.outcome.status
            row.text = String(decoding: outcome.text, as: UTF8.self)
            row.reasoning = outcome.reasoning.isEmpty ? nil : String(decoding: outcome.reasoning, as: UTF8.self)
            row.events = outcome.events
            row.usage = outcome.outcome.usage
            row.finishReason = outcome.outcome.finishReason
            row.error = outcome.outcome.error
            row.endedAt = outcome.outcome.endedAt
        }
    }

    private func change(_ id: ExchangeID, _ body: (inout ExchangeRecord) -> Void) -> StorageResult {
        guard let index = exchanges.firstIndex(where: { $0.exchangeID == id }) else {
            violations.append("\(id) is not there")
            return .unavailable
        }
        body(&exchanges[index])
        return .stored
    }
}

extension ExchangeRecord {
    fileprivate func isNamed(_ name: ExchangeName) -> Bool {
        switch name {
        case .id(let id): exchangeID == id
        case .stream(let id): streamID == id
        }
    }
}
