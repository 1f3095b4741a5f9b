import ChatProtocol
import Wire

/// A send on its way to disk, with those that repeat it meanwhile.
final class PendingSend {
    let command: Command
    let turn: Turn
    let message: MessageRecord
    let isQueued: Bool
    /// What it cancels once it is stored: a message that is there already, or fails, interrupts nothing.
    let interrupts: [Turn]
    /// What is made with it.
    let opening: MessageInsertion.Opening?
    var repeats: [Command] = []

    init(
        command: Command, turn: Turn, message: MessageRecord, isQueued: Bool, interrupts: [Turn],
        opening: MessageInsertion.Opening?
    ) {
        self.opening = opening
        self.command = command
        self.turn = turn
        self.message = message
        self.isQueued = isQueued
        self.interrupts = interrupts
    }
}

// A send finds its turn, goes to disk, is acknowledged and enters the log; then its turn may start.
extension Room {
    func send(_ request: SendRequest, _ command: Command) {
        if request.opensSession, request.sessionID == nil {
            let (request, command) = inNewSession(request, command)
            return send(request, command)
        }
        guard let command = knowingRegenerated(request, command) else { return }
        let wanted = sessionID(for: request, command)
        guard sessions.index(of: wanted) != nil else {
            hub.wait(command, at: .room(id))
            return ask(.findSession(wanted), .sessionOfSend(wanted, command), for: command.user)
        }
        if let key = request.messageID, let pending = uncommitted.first(where: { $0.isKey(key, of: command.user) }) {
            forgetSession(opened: request)
            guard pending.message.text.utf8.elementsEqual(request.text.utf8) else {
                return refuse(command, .idempotencyConflict)
            }
            returnPermit(of: command)
            return pending.repeats.append(command)
        }
        if request.joinsSameText, joinSameText(request, wanted, command) { return }
        if !request.wantsResponse { return sendToPeople(request, command) }
        let before = sessions.index(of: wanted).map { sessions[$0].turns } ?? []
        switch place(request, command) {
        case .success(let turn):
            commit(request, command, turn, interrupts: request.busyPolicy == .interrupt ? before : [])
        case .failure(let error): refuseAfterLookup(request, command, error)
        }
    }

    /// Gives a send the answer of the one that says the same in the session already; `false` if there is none.
    private func joinSameText(_ request: SendRequest, _ session: SessionID, _ command: Command) -> Bool {
        let alike = { (turn: Turn) in
            turn.record.sessionID == session && turn.record.regenerateOf == request.regenerateOf && !turn.isForPeople
        }
        if let pending = uncommitted.last(where: {
            alike($0.turn) && $0.message.text.utf8.elementsEqual(request.text.utf8)
        }) {
            pending.repeats.append(command)
        } else if let turn = turns.last(where: { turn in
            alike(turn) && turn.record.messages.contains { $0.text.utf8.elementsEqual(request.text.utf8) }
        }) {
            let receipt = SendReceipt(
                exchangeID: turn.exchangeID, streamID: turn.streamID,
                duplicateStatus: turn.phase == .waiting ? .waiting : .streaming)
            answer(command, .success(.sent(receipt)))
        } else {
            return false
        }
        returnPermit(of: command)
        return true
    }

    func sessionFound(_ sessionID: SessionID, _ result: StorageResult, for command: Command) {
        guard case .send(let request) = command.request else { return }
        switch result {
        case .session(let session?) where session.roomID == id:
            meet(session)
            handle(command)
        case .session(.some):
            refuse(command, HubError(.validationError, "`session_id` names a session of another room"))
        case .unavailable: refuse(command, .storageUnavailable)
        default: refuseAfterLookup(request, command, .noSession)
        }
    }

    /// A message that no agent answers: an exchange without a stream, which waits for nothing.
    private func sendToPeople(_ request: SendRequest, _ command: Command) {
        if let error = refusalNow { return refuseAfterLookup(request, command, error) }
        guard let session = liveSession(request.sessionID ?? record.defaultSessionID) else {
            return refuseAfterLookup(request, command, .noSession)
        }
        if let error = refusal(of: command, on: sessions[session]) {
            return refuseAfterLookup(request, command, error)
        }
        returnPermit(of: command)
        var command = command
        command.hasPermit = false
        var exchange = ExchangeRecord(
            exchangeID: ExchangeID(hub.makeID("exchange_", in: id)), streamID: StreamID(""), roomID: id,
            sessionID: sessions[session].id, userID: command.user, agentType: "", startedAt: now.timestamp)
        exchange.status = .completed
        exchange.endedAt = now.timestamp
        commit(request, command, Turn(record: exchange))
    }

    /// Why no message at all is taken just now.
    private var refusalNow: HubError? {
        if hub.isDraining { return HubError(.draining, "the hub is stopping; reconnect", retryAfterMilliseconds: 1000) }
        guard uncommitted.count < limits.uncommittedSendsPerRoom else {
            return HubError(.busy, "too many messages are being stored", retryAfterMilliseconds: 200)
        }
        return nil
    }

    // MARK: - What is made with a message

    /// The same in a session of its own, which is in memory from here on, and on disk with the message or not at all.
    private func inNewSession(_ request: SendRequest, _ command: Command) -> (SendRequest, Command) {
        var (request, command) = (request, command)
        let session = newSession(of: command.user)
        meet(session)
        request.sessionID = session.sessionID
        command.request = .send(request)
        return (request, command)
    }

    /// The message came to nothing, and so does the session that it was to open.
    private func forgetSession(opened request: SendRequest) {
        if request.opensSession, let sessionID = request.sessionID { forget(sessionID) }
    }

    private func opening(_ request: SendRequest, _ turn: Turn) -> MessageInsertion.Opening? {
        guard request.opensSession, turn.accepted == 0, let index = sessions.index(of: turn.record.sessionID)
        else { return nil }
        let session = sessions[index].record
        if hasHead { return .session(session, sessionsMax: limits.sessionsPerRoom) }
        return .room(record, session, roomsMax: limits.roomsPerUser)
    }

    /// A room that is made with its first message: what would be refused anywhere leaves no room behind.
    func begin(_ record: RoomRecord, with request: SendRequest, _ command: Command) {
        self.record = record
        meetDefaultSession()
        guard request.regenerateOf == nil else {
            refuse(command, HubError(.notFound, "`regenerate_of` names no exchange of this room"))
            return vanish(.noRoom)
        }
        let (request, command) = inNewSession(request, command)
        switch place(request, command) {
        case .success(let turn): commit(request, command, turn)
        case .failure(let error):
            refuse(command, error)
            vanish(.noRoom)
        }
    }

    private func opened(_ record: RoomRecord) {
        becomeLive(RoomHead(room: record, members: [], history: [], nextBefore: nil))
        notify(.membership, ServerFrame.roomAdded(record))
    }

    // MARK: - Placing

    /// The turn that takes the message: the last waiting one, or a new one.
    private func place(_ request: SendRequest, _ command: Command) -> Result<Turn, HubError> {
        if let error = refusalNow { return .failure(error) }
        guard let session = liveSession(sessionID(for: request, command)) else { return .failure(.noSession) }
        if let error = refusal(of: command, on: sessions[session]) { return .failure(error) }
        if let error = refusalToRegenerate(in: session, command) { return .failure(error) }
        guard let agentType = agentType(for: request, command) else {
            let known = hub.configuration.agentTypes.joined(separator: ", ")
            return .failure(HubError(.validationError, "`agent_type` must be one of: \(known)"))
        }
        guard let running = sessions[session].turns.first else { return open(session, agentType, command) }
        switch request.busyPolicy {
        case .queue: break
        case .reject:
            return .failure(HubError(.streamActive, "stream \(running.streamID) is active in this session"))
        case .interrupt: return open(session, agentType, command)
        }
        guard sessions[session].waitingMessages < limits.waitingMessagesPerSession else {
            return .failure(
                HubError(
                    .queueFull, "\(limits.waitingMessagesPerSession) messages wait already",
                    retryAfterMilliseconds: 1000))
        }
        if let last = sessions[session].turns.last, !last.isClosed, last.record.userID == command.user,
            last.record.agentType == agentType, command.regenerated == nil
        {
            returnPermit(of: command)
            return .success(last)
        }
        return open(session, agentType, command)
    }

    /// The send's own wish, else who answered what it regenerates, else the room's `initial_agent`, else the rules'
    /// choice, else the default.
    private func agentType(for request: SendRequest, _ command: Command) -> String? {
        let known = hub.configuration.agentTypes
        let isKnown = { (name: String) in known.contains { $0.hasSameBytes(as: name) } }
        if let wanted = request.agentType { return isKnown(wanted) ? wanted : nil }
        if let answered = command.regenerated?.agentType, isKnown(answered) { return answered }
        if let initial = record.metadata["initial_agent"]?.string, isKnown(initial) { return initial }
        return hub.configuration.router.agentType(for: request.text) ?? hub.configuration.defaultAgent
    }

    private func open(_ session: Int, _ agentType: String, _ command: Command) -> Result<Turn, HubError> {
        guard command.hasPermit else {
            return .failure(
                HubError(
                    .streamLimitExceeded, "you have \(limits.streamsPerUser) streams already",
                    retryAfterMilliseconds: 1000))
        }
        guard hub.gauges.takeStream(max: limits.streamsPerNode) else {
            return .failure(
                HubError(.capacityExceeded, "this server is at its limit of streams", retryAfterMilliseconds: 2000))
        }
        let turn = Turn(
            record: ExchangeRecord(
                exchangeID: ExchangeID(hub.makeID("exchange_", in: id)),
                streamID: StreamID(hub.makeID("stream_", in: id)), roomID: id, sessionID: sessions[session].id,
                userID: command.user, agentType: agentType, regenerateOf: command.regenerated?.exchangeID,
                startedAt: now.timestamp))
        turn.isClosed = sessions[session].turns.isEmpty || command.regenerated != nil
        sessions.open(turn, in: session)
        hub.streams[turn.streamID] = (self, turn)
        return .success(turn)
    }

    private func commit(_ request: SendRequest, _ command: Command, _ turn: Turn, interrupts: [Turn] = []) {
        let message = MessageRecord(
            messageID: request.messageID, userID: command.user, role: .user, text: request.text,
            timestamp: now.timestamp, metadata: request.metadata)
        var isQueued = false
        let opening = opening(request, turn)
        if let session = sessions.index(of: turn.record.sessionID) {
            if opening == nil { slide(session) }
            isQueued = sessions[session].turns.dropFirst().contains { $0 === turn }
        }
        let pending = PendingSend(
            command: command, turn: turn, message: message, isQueued: isQueued, interrupts: interrupts,
            opening: opening)
        turn.accepted += 1
        turn.uncommitted += 1
        uncommitted.append(pending)
        ask(
            .insertMessage(
                MessageInsertion(
                    exchange: turn.record, opensExchange: turn.accepted == 1, message: message, opening: opening)),
            .insertion(pending))
    }

    // MARK: - Committed

    func inserted(_ pending: PendingSend, _ result: StorageResult) {
        uncommitted.removeAll { $0 === pending }
        let turn = pending.turn
        turn.uncommitted -= 1
        switch result {
        case .stored:
            if case .room(let record, _, _) = pending.opening { opened(record) }
            acknowledge(pending)
        case .duplicate(let stored):
            turn.accepted -= 1
            for command in [pending.command] + pending.repeats { answerDuplicate(command, stored) }
        default:
            turn.accepted -= 1
            let error = error(of: result)
            for command in [pending.command] + pending.repeats { answer(command, .failure(error)) }
        }
        if turn.isForPeople {
            if !turn.record.messages.isEmpty { remember(turn) }
            commitDeletionIfReady()
        } else {
            advance(turn)
        }
        if pending.opening != nil, turn.record.messages.isEmpty { forget(turn.record.sessionID) }
        if case .room = pending.opening { vanish(.noRoom) }
    }

    private func error(of result: StorageResult) -> HubError {
        switch result {
        case .roomLimitReached: tooManyRooms
        case .sessionLimitReached: tooManySessions
        default: .storageUnavailable
        }
    }

    private func acknowledge(_ pending: PendingSend) {
        let turn = pending.turn
        if turn.record.messages.isEmpty {
            record.messageCount += 1
            countUnread()
            commitCount += 1
            turn.commit = commitCount
        }
        turn.record.messages.append(pending.message)
        turn.messageBytes += pending.message.approximateBytes
        note(turn)
        record.lastActivity = pending.message.timestamp
        snapshot = nil
        var receipt = SendReceipt(
            exchangeID: turn.exchangeID, streamID: turn.isForPeople ? nil : turn.streamID, isQueued: pending.isQueued)
        answerSent(receipt, pending.command, in: turn.record.sessionID)
        receipt.duplicateStatus = turn.phase == .waiting ? .waiting : .streaming
        for command in pending.repeats { answerSent(receipt, command, in: turn.record.sessionID) }
        append(.other) {
            .textFrame(
                ServerFrame.message(
                    roomID: id, seq: $0, exchangeID: turn.exchangeID, regenerateOf: turn.record.regenerateOf,
                    pending.message))
        }
        // One whose messages were not stored is gone by now, and has given back what it held.
        let interrupted = pending.interrupts.filter { hub.streams[$0.streamID]?.turn === $0 }
        cancel(interrupted)
        markCancelled(interrupted, .touched)
        wantSummary()
    }

    // MARK: - Refused

    /// A message that was stored before is not refused: its stored answer is given again.
    func refuseAfterLookup(_ request: SendRequest, _ command: Command, _ error: HubError) {
        forgetSession(opened: request)
        guard let key = request.messageID else { return refuse(command, error) }
        ask(
            .findMessage(id, command.user, messageID: key, text: request.text), .refusal(command, error),
            for: command.user)
    }

    func refuseUnlessStored(_ command: Command, _ error: HubError, _ result: StorageResult) {
        returnPermit(of: command)
        switch result {
        case .duplicate(let stored): answerDuplicate(command, stored)
        default: answer(command, .failure(error))
        }
    }

    private func answerDuplicate(_ command: Command, _ stored: StoredMessage) {
        guard stored.isSameText else { return answer(command, .failure(.idempotencyConflict)) }
        let receipt = SendReceipt(
            exchangeID: stored.exchangeID, streamID: stored.streamID.text.isEmpty ? nil : stored.streamID,
            duplicateStatus: stored.status)
        answerSent(receipt, command, in: record.defaultSessionID)
    }

    /// A client that let a session be opened is told which one it is in.
    private func answerSent(_ receipt: SendReceipt, _ command: Command, in sessionID: SessionID) {
        guard case .send(let request) = command.request, request.opensSession,
            let index = sessions.index(of: sessionID)
        else { return answer(command, .success(.sent(receipt))) }
        answer(command, .success(.begun(sessions[index].record, receipt)))
    }
}

extension PendingSend {
    func isKey(_ key: String, of user: UserID) -> Bool { message.isKey(key, of: user) }
}

extension MessageRecord {
    func isKey(_ key: String, of user: UserID) -> Bool { messageID?.exact == key.exact && userID == user }
}

extension HubError {
    fileprivate static let idempotencyConflict = HubError(
        .idempotencyConflict, "this `message_id` was used for another text")
}
