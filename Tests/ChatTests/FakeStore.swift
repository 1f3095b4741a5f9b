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
    /// Those that were not closed.
    private(set) var sessions: [SessionID: SessionRecord] = [:]
    private var forgotten: Set<ExchangeID> = []
    /// The order of first commits, and up to where of it an exchange's context reaches.
    private var numbers: [ExchangeID: Int] = [:]
    private var toldBefore: [ExchangeID: Int] = [:]
    private(set) var reads: [RoomID: [UserID: (exchange: ExchangeID, at: Timestamp)]] = [:]
    private(set) var members: [RoomID: [UserID: MemberRecord]] = [:]
    private(set) var violations: [String] = []
    private var keys: [String: (exchange: ExchangeID, text: String)] = [:]
    /// Requests that fail while they match.
    var fails: (StorageRequest) -> Bool = { _ in false }

    func exchange(of stream: String) -> ExchangeRecord? { exchanges.first { $0.streamID.text == stream } }

    /// Puts a room there as if it had been made before.
    func put(_ room: RoomRecord, exchanges: [ExchangeRecord] = []) {
        insert(room)
        for exchange in exchanges {
            self.exchanges.append(exchange)
            numbers[exchange.exchangeID] = numbers.count + 1
            toldBefore[exchange.exchangeID] = numbers.count
        }
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
        case .setMember(let id, let member, let max): return set(member, of: id, max)
        case .removeMember(let id, let user):
            return isLive(id) ? .cleared(members[id]?.removeValue(forKey: user) == nil ? 0 : 1) : .unavailable
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
        case .findExchange(let room, let id):
            return .exchange(
                exchanges.first { $0.roomID == room && $0.exchangeID == id && isLive(room) }.map {
                    RegeneratedExchange(exchangeID: id, sessionID: $0.sessionID, agentType: $0.agentType)
                })
        case .markRead(let room, let user, let exchange, let now):
            markRead(room, user, exchange, at: now)
            return .stored
        case .historyBefore(let room, _, let limit):
            return .history(Array(exchanges(of: room).suffix(limit)), nextBefore: nil)
        case .historyPage(let filter, let limit, let offset):
            let found = Array(exchanges.filter { matches(filter, $0) }.reversed())
            return .historyPage(Array(found.dropFirst(offset).prefix(limit)), total: found.count)
        case .createSession, .findSession, .touchSession, .closeSession, .resetSession, .clearHistory, .context:
            return executeOnSession(request)
        case .listRooms(let user, _):
            let mine = rooms.values.filter {
                ($0.userID == user || members[$0.roomID]?[user] != nil) && !deleted.contains($0.roomID)
            }
            let listings = mine.sorted { $0.roomID.text < $1.roomID.text }.map {
                RoomListing(room: $0, lastExchange: nil, unread: unread(in: $0.roomID, by: user))
            }
            return .rooms(listings, total: listings.count)
        }
    }

    private func exchanges(of room: RoomID) -> [ExchangeRecord] { exchanges.filter { $0.roomID == room } }

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

    private func matches(_ filter: HistoryFilter, _ exchange: ExchangeRecord) -> Bool {
        !deleted.contains(exchange.roomID)
            && filter.roomID.map { $0 == exchange.roomID } ?? true
            && filter.sessionID.map { $0 == exchange.sessionID } ?? true
            && filter.userID.map { $0 == exchange.userID } ?? true
            && filter.agentType.map { $0 == exchange.agentType } ?? true
    }

    private func head(of id: RoomID) -> RoomHead? {
        guard let room = rooms[id], !deleted.contains(id) else { return nil }
        let all = exchanges(of: id)
        let newest = Array(all.suffix(Limits.snapshotExchangesMax))
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
            if exchange.agentType.isEmpty {
                if !exchange.status.isTerminal { violations.append("nobody ends \(exchange.exchangeID)") }
                row.endedAt = message.timestamp
            }
            exchanges.append(row)
            numbers[row.exchangeID] = numbers.count + 1
            toldBefore[row.exchangeID] = row.regenerateOf.map { toldBefore[$0] ?? 0 } ?? numbers.count
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

// Sessions and what they remember.
extension FakeStore {
    private func executeOnSession(_ request: StorageRequest) -> StorageResult {
        switch request {
        case .createSession(let session):
            guard isLive(session.roomID), sessions[session.sessionID] == nil else { return .unavailable }
            sessions[session.sessionID] = session
            return .stored
        case .findSession(let id): return .session(openSession(id))
        case .touchSession(let id, let expiresAt):
            guard openSession(id) != nil else { return .unavailable }
            sessions[id]?.expiresAt = expiresAt
            return .stored
        case .closeSession(let id, _):
            sessions[id] = nil
            return .stored
        case .resetSession(let id, let agent, _): return reset(id, agent)
        case .clearHistory(let room, let session): return clear(room, session)
        case .context(let id, let agent, let exchange, let limit):
            return .context(context(in: id, agent, of: exchange).suffix(limit))
        default: preconditionFailure("not a request about sessions")
        }
    }

    private func isLive(_ room: RoomID) -> Bool { rooms[room] != nil && !deleted.contains(room) }

    private func openSession(_ id: SessionID) -> SessionRecord? {
        sessions[id].flatMap { isLive($0.roomID) ? $0 : nil }
    }

    private func reset(_ id: SessionID, _ agent: String?) -> StorageResult {
        guard openSession(id) != nil else { return .cleared(0) }
        let before = forgotten.count
        for exchange in exchanges where exchange.sessionID == id && !exchange.agentType.isEmpty {
            if (agent ?? exchange.agentType) == exchange.agentType { forgotten.insert(exchange.exchangeID) }
        }
        return .cleared(forgotten.count - before)
    }

    private func clear(_ room: RoomID, _ session: SessionID?) -> StorageResult {
        guard isLive(room) else { return .cleared(0) }
        let removed = exchanges.filter {
            $0.roomID == room && (session ?? $0.sessionID) == $0.sessionID && $0.status.isTerminal
        }.map(\.exchangeID)
        pullReadsBack(in: room, past: removed)
        exchanges.removeAll { removed.contains($0.exchangeID) }
        keys = keys.filter { !removed.contains($0.value.exchange) }
        forgotten.subtract(removed)
        for id in removed { toldBefore[id] = nil }
        rooms[room]?.messageCount = exchanges(of: room).count
        return .cleared(removed.count)
    }

    /// The branch of the newest exchange, or of one that is to be answered.
    private func context(in id: SessionID, _ agent: String, of exchange: ExchangeID?) -> [ContextMessage] {
        guard openSession(id) != nil else { return [] }
        var branch: [ExchangeRecord] = []
        var end = exchange.map { toldBefore[$0] ?? 0 } ?? .max
        for exchange in exchanges.reversed() {
            guard exchange.sessionID == id, exchange.agentType == agent, exchange.status.isTerminal,
                !forgotten.contains(exchange.exchangeID), let number = numbers[exchange.exchangeID], number < end,
                exchange.regenerateOf == nil || !exchange.text.isEmpty
            else { continue }
            branch.append(exchange)
            end = toldBefore[exchange.exchangeID] ?? 0
        }
        return branch.reversed().flatMap { exchange in
            exchange.messages.map { ContextMessage(role: $0.role, text: $0.text) }
                + (exchange.text.isEmpty ? [] : [ContextMessage(role: .assistant, text: exchange.text)])
        }
    }
}

// How far each user has read.
extension FakeStore {
    private func markRead(_ room: RoomID, _ user: UserID, _ exchange: ExchangeID, at now: Timestamp) {
        let ids = exchanges(of: room).map(\.exchangeID)
        guard isLive(room), let place = ids.firstIndex(of: exchange) else { return }
        if let old = reads[room]?[user].flatMap({ ids.firstIndex(of: $0.exchange) }), old >= place { return }
        reads[room, default: [:]][user] = (exchange, now)
    }

    private func unread(in room: RoomID, by user: UserID) -> Int {
        let ids = exchanges(of: room).map(\.exchangeID)
        let read = reads[room]?[user].flatMap { ids.firstIndex(of: $0.exchange) }
        return ids.count - (read.map { $0 + 1 } ?? 0)
    }

    private func marks(of room: RoomID) -> [ReadMark] {
        (reads[room] ?? [:]).sorted { $0.key.text < $1.key.text }.map { user, mark in
            ReadMark(
                userID: user, exchangeID: mark.exchange, timestamp: mark.at, unread: unread(in: room, by: user))
        }
    }

    private func pullReadsBack(in room: RoomID, past removed: [ExchangeID]) {
        let ids = exchanges(of: room).map(\.exchangeID)
        reads[room] = reads[room]?.compactMapValues { mark in
            let place = ids.firstIndex(of: mark.exchange) ?? 0
            return ids[...place].last { !removed.contains($0) }.map { ($0, mark.at) }
        }
    }
}
