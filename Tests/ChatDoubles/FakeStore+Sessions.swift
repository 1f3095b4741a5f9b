import Chat
import ChatProtocol
import Wire

// Sessions and what they remember.
extension FakeStore {
    func executeOnSession(_ request: StorageRequest) -> StorageResult {
        switch request {
        case .createSession(let session, let max):
            guard isLive(session.roomID), sessions[session.sessionID] == nil else { return .unavailable }
            let open = sessions.values.count {
                $0.roomID == session.roomID && $0.expiresAt.map { $0 > session.createdAt } ?? false
            }
            guard open < max else { return .sessionLimitReached }
            sessions[session.sessionID] = session
            everySession[session.sessionID] = session.roomID
            return .stored
        case .findRoom(let id):
            let room = everySession[id] ?? sessions[id]?.roomID
            return .roomOfSession(room.flatMap { isLive($0) ? $0 : nil })
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
        let removed = exchanges(of: room).filter {
            (session ?? $0.sessionID) == $0.sessionID && $0.status.isTerminal
        }.map(\.exchangeID)
        pullReadsBack(in: room, past: removed)
        remove(Set(removed), from: room)
        return .cleared(removed.count)
    }

    /// The branch of the newest exchange, or of one that is to be answered.
    func context(in id: SessionID, _ agent: String, of exchange: ExchangeID?) -> [ContextMessage] {
        guard openSession(id) != nil else { return [] }
        var branch: [ExchangeRecord] = []
        var end = exchange.map { toldBefore[$0] ?? 0 } ?? .max
        for exchange in exchanges.reversed() {
            guard exchange.sessionID == id, exchange.agentType == agent, exchange.status.isTerminal,
                !forgotten.contains(exchange.exchangeID), let number = numbers[exchange.exchangeID], number < end,
                exchange.regenerateOf == nil || !exchange.text.isEmpty
            else { continue }
            branch.append(restarted(exchange) ?? exchange)
            end = toldBefore[exchange.exchangeID] ?? 0
        }
        return branch.reversed().flatMap { exchange in
            exchange.messages.map { ContextMessage(role: $0.role, text: $0.text) }
                + (exchange.text.isEmpty ? [] : [ContextMessage(role: .assistant, text: exchange.text)])
        }
    }
}

extension FakeStore {
    /// An interrupted exchange with the text of the one by which the hub asked again for it.
    private func restarted(_ exchange: ExchangeRecord) -> ExchangeRecord? {
        guard exchange.status == .interrupted else { return nil }
        let key = InterruptedAnswer.keyPrefix + exchange.exchangeID.text
        let again = exchanges.first { again in
            again.status.isTerminal && !again.text.isEmpty
                && again.messages.contains { $0.messageID == key && $0.userID == exchange.userID }
        }
        guard let again else { return nil }
        var exchange = exchange
        exchange.text = again.text
        return exchange
    }
}

// How far each user has read.
extension FakeStore {
    func markRead(_ room: RoomID, _ user: UserID, _ exchange: ExchangeID, at now: Timestamp) {
        let ids = exchanges(of: room).map(\.exchangeID)
        guard isLive(room), let place = ids.firstIndex(of: exchange) else { return }
        if let old = reads[room]?[user].flatMap({ ids.firstIndex(of: $0.exchange) }), old >= place { return }
        reads[room, default: [:]][user] = (exchange, now)
    }

    func unread(in room: RoomID, by user: UserID) -> Int {
        let ids = exchanges(of: room).map(\.exchangeID)
        let read = reads[room]?[user].flatMap { ids.firstIndex(of: $0.exchange) }
        return ids.count - (read.map { $0 + 1 } ?? 0)
    }

    func marks(of room: RoomID) -> [ReadMark] {
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
