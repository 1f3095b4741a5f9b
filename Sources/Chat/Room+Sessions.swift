import ChatProtocol
import Wire

// Sessions of a room: they open, are used, forget, expire and close. Only those in use are in memory.
extension Room {
    /// Takes a session that storage knows into memory.
    func meet(_ session: SessionRecord) {
        // A room may have been deleted while storage looked.
        if case .gone = phase { return }
        guard sessions.index(of: session.sessionID) == nil else { return }
        sessions.append(Session(record: session))
        hub.sessionRooms[session.sessionID] = self
        if session.userID != nil { hub.gauges.sessionMet() }
    }

    /// A session is no longer in memory.
    func left(_ session: Session) {
        hub.sessionRooms[session.id] = nil
        if session.record.userID != nil { hub.gauges.sessionLeft() }
    }

    /// The session's place, if it is in memory, was not closed and its time is not over.
    func liveSession(_ id: SessionID) -> Int? {
        guard let index = sessions.index(of: id), !sessions[index].isClosed,
            !sessions[index].isExpired(at: now.timestamp)
        else { return nil }
        return index
    }

    // MARK: - Opening and closing

    func openSession(_ command: Command) {
        let session = newSession(of: command.user)
        ask(.createSession(session, sessionsMax: limits.sessionsPerRoom), .opening(session, command))
    }

    func newSession(of user: UserID) -> SessionRecord {
        SessionRecord(
            sessionID: SessionID(hub.makeID("session_", in: id)), userID: user, roomID: id, createdAt: now.timestamp,
            expiresAt: nextExpiry)
    }

    /// A session that was to be opened with a message was not.
    func forget(_ sessionID: SessionID) {
        guard let index = sessions.index(of: sessionID), sessions[index].turns.isEmpty else { return }
        left(sessions.remove(at: index))
    }

    var tooManySessions: HubError {
        HubError(.validationError, "a room may have \(limits.sessionsPerRoom) open sessions; close one first")
    }

    func sessionOpened(_ session: SessionRecord, _ command: Command, _ result: StorageResult) {
        switch result {
        case .stored: break
        case .sessionLimitReached: return answer(command, .failure(tooManySessions))
        default: return answer(command, .failure(.storageUnavailable))
        }
        meet(session)
        answer(command, .success(.session(session)))
    }

    func sessionClosed(_ session: SessionRecord, _ command: Command, _ result: StorageResult) {
        let index = sessions.index(of: session.sessionID)
        guard case .stored = result else {
            if let index { sessions[index].isClosed = false }
            return answer(command, .failure(.storageUnavailable))
        }
        // Only now: a look-up that was on its way before must not bring it back.
        if let index { sessions[index].record.expiresAt = now.timestamp }
        answer(command, .success(.session(session)))
    }

    /// A session whose time is over leaves memory, and a context that nobody used for a while.
    func expireSessions() {
        for id in sessions.takeDue(at: now.instant) {
            guard let index = sessions.index(of: id), sessions[index].turns.isEmpty else { continue }
            if sessions[index].isExpired(at: now.timestamp) {
                left(sessions.remove(at: index))
                continue
            }
            if !sessions[index].contexts.isEmpty, now.instant >= contextEnd(sessions[index]) {
                sessions[index].contexts = [:]
            }
            if let deadline = nextDeadline(sessions[index]) { sessions.look(at: index, when: deadline) }
        }
    }

    /// The wall clock may be set back by any time meanwhile, so nobody waits for more than a day at once.
    private func nextDeadline(_ session: Session) -> UInt64? {
        let expiry = session.record.expiresAt.map { expiresAt in
            let left = expiresAt.milliseconds.subtractingReportingOverflow(now.timestamp.milliseconds)
            let milliseconds =
                left.overflow ? Self.waitMillisecondsMax : min(left.partialValue, Self.waitMillisecondsMax)
            return now.instant + UInt64(max(0, milliseconds)) * 1_000_000
        }
        let context = session.contexts.isEmpty ? nil : contextEnd(session)
        return earliest(expiry, context)
    }

    private static let waitMillisecondsMax: Int64 = 24 * 60 * 60 * 1000

    private func contextEnd(_ session: Session) -> UInt64 {
        session.contextUsedAt + UInt64(Limits.idleContextMinutes) * 60 * 1_000_000_000
    }

    private var nextExpiry: Timestamp {
        Timestamp(milliseconds: now.timestamp.milliseconds + Int64(limits.sessionMinutes) * 60_000)
    }

    /// A use of the session moves its end.
    func slide(_ index: Int) {
        guard sessions[index].record.expiresAt != nil, !sessions[index].isClosed else { return }
        sessions[index].record.expiresAt = nextExpiry
        ask(.touchSession(sessions[index].id, expiresAt: nextExpiry), .touched)
    }

    // MARK: - Commands on a session

    func performOnSession(_ sessionID: SessionID, _ command: Command) {
        guard let index = liveSession(sessionID) else { return answer(command, .failure(.noSession)) }
        let session = sessions[index]
        if let error = refusal(of: command, on: session) { return refuse(command, error) }
        switch command.request {
        case .getSession: answer(command, .success(.session(session.record)))
        case .stopSession: stop(session, command)
        case .watch(let watch): self.watch(watch, session, command)
        case .closeSession: close(index, command)
        case .reset(_, let agentType):
            let turns = session.turns.filter { agentType == nil || $0.record.agentType == agentType }
            ask(.resetSession(sessionID, agentType: agentType, at: now.timestamp), .reset(command, turns))
        case .clearHistory(let roomID, _):
            guard roomID == nil || roomID == id else {
                return answer(command, .failure(HubError(.validationError, "`room_id` must be the session's room")))
            }
            clearHistory(of: sessionID, command)
        default: preconditionFailure("no command on a session")
        }
    }

    private func stop(_ session: Session, _ command: Command) {
        guard let running = session.turns.first(where: { $0.verdict == nil }) else {
            return answer(command, .success(.stopped(session.record, partial: nil)))
        }
        flushPending(running)
        cancel(session.turns)
        let partial = String(decoding: running.text, as: UTF8.self)
        answerStopped(session.turns, .stopped(session.record, partial: partial), command)
    }

    private func close(_ index: Int, _ command: Command) {
        let session = sessions[index]
        guard session.record.userID != nil else {
            return answer(
                command, .failure(HubError(.validationError, "the room's default session lives as long as the room")))
        }
        cancel(session.turns)
        markCancelled(session.turns, .touched)
        sessions[index].isClosed = true
        ask(.closeSession(session.id, at: now.timestamp), .closing(session.record, command))
    }

    // MARK: - Forgetting

    /// - Parameter turns: those that had begun when the reset came; a later one is remembered.
    func sessionReset(_ command: Command, _ turns: [Turn], _ result: StorageResult) {
        guard case .cleared(let count) = result, case .reset(let sessionID, let agentType) = command.request else {
            return answer(command, .failure(.storageUnavailable))
        }
        for turn in turns { turn.isForgotten = true }
        if let index = sessions.index(of: sessionID) { sessions[index].forget(agentType) }
        answer(command, .success(.reset(sessionID, agentType: agentType, count: count)))
        append(.other) {
            .textFrame(
                ServerFrame.reset(roomID: id, seq: $0, sessionID: sessionID, agentType: agentType, by: command.user))
        }
    }

    /// What has ended for everyone but on disk could not be removed there, and would come back.
    func clearHistory(of sessionID: SessionID?, _ command: Command) {
        guard !unstored.contains(where: { (sessionID ?? $0.record.sessionID) == $0.record.sessionID }) else {
            return answer(command, .failure(.storageUnavailable))
        }
        clearings += 1
        ask(.clearHistory(id, sessionID), .clearing(command))
    }

    func historyCleared(_ command: Command, _ result: StorageResult) {
        clearings -= 1
        guard case .cleared(let count) = result, case .clearHistory(_, let sessionID) = command.request else {
            return answer(command, .failure(.storageUnavailable))
        }
        record.messageCount -= count
        history.removeAll { sessionID == nil || $0.sessionID == sessionID }
        for index in sessions.indices where sessionID == nil || sessions[index].id == sessionID {
            sessions[index].forget(nil)
        }
        snapshot = nil
        answer(command, .success(.historyCleared(count: count)))
        append(.historyCleared) {
            .textFrame(ServerFrame.historyCleared(roomID: id, seq: $0, sessionID: sessionID, by: command.user))
        }
        wantSummary()
        // Older exchanges of other sessions may have room in the snapshot now.
        reloadHistory()
    }

    func reloadHistory() {
        reloads += 1
        reloadAt = nil
        isReloading = true
        ask(.loadRoom(id, exchangesMax: limits.snapshotExchangesMax), .reload(reloads))
    }

    func reloadIfDue() {
        if let reloadAt, now.instant >= reloadAt { reloadHistory() }
    }

    /// - Parameter number: only what was asked for last counts. An answer to an earlier question may come behind it and
    ///   show what was removed meanwhile.
    func historyReloaded(_ result: StorageResult, _ number: Int) {
        guard number == reloads else { return }
        isReloading = false
        guard case .room(let head?) = result else {
            reloadAt = now.instant + Self.settleRetryNanoseconds
            return
        }
        let running = Set(turns.map(\.exchangeID))
        let ended = Dictionary(history.exchanges.map { ($0.exchangeID, $0) }, uniquingKeysWith: { $1 })
        let newest = head.history.map { commit(of: $0.exchangeID) }.max() ?? 0
        // What ended while the read was under way is known better here, and what was begun then stands behind it.
        let read = head.history.filter { !running.contains($0.exchangeID) }.map { ended[$0.exchangeID] ?? $0 }
        let ahead = history.exchanges.filter { commit(of: $0.exchangeID) > newest }
        let oldest = head.nextBefore == nil ? 0 : head.history.first.map { commit(of: $0.exchangeID) } ?? 0
        history.replace(with: read + ahead, nextBefore: head.nextBefore, leftOut: max(0, oldest - 1))
        let later = ahead.count + turns.count { ($0.commit ?? 0) > newest }
        live.reads = head.reads
        for index in live.reads.indices { live.reads[index].unread += later }
        live.want(.read)
        snapshot = nil
    }

    /// An exchange's place in the order of first commits; 0 for those from before the room was loaded.
    private func commit(of id: ExchangeID) -> Int {
        history.commit(of: id) ?? turns.first { $0.exchangeID == id }?.commit ?? 0
    }
}

extension HubError {
    static let noSession = HubError(.notFound, "Session not found or expired")
}
