import ChatProtocol
import Wire

// A turn's life: it starts, its tokens become chunks, something ends it, its outcome is stored and then announced.
extension Room {
    /// Goes on with a turn after one of its commits returned, or when the session became free for it.
    func advance(_ turn: Turn) {
        guard turn.uncommitted == 0 else { return }
        if turn.record.messages.isEmpty {
            if turn.accepted == 0 { release(turn) }
        } else if turn.phase == .waiting, turn.verdict != nil {
            settle(turn)
        } else if turn.phase == .waiting, isFirst(turn) {
            start(turn)
        }
        commitDeletionIfReady()
    }

    /// Whether its session is free for it.
    private func isFirst(_ turn: Turn) -> Bool {
        sessions.index(of: turn.record.sessionID).map { sessions[$0].turns.first === turn } ?? false
    }

    private func start(_ turn: Turn) {
        note(turn)
        turn.phase = .streaming
        turn.hasStarted = true
        live.want(.presence)
        turn.lastEventAt = now.instant
        ask(.startExchange(turn.exchangeID, at: now.timestamp), .start)
        append(.streamStarted(turn.streamID, StreamNames(turn.record))) {
            .textFrame(
                ServerFrame.streamStarted(
                    roomID: id, seq: $0, streamID: turn.streamID, exchangeID: turn.exchangeID,
                    sessionID: turn.record.sessionID, agentType: turn.record.agentType,
                    regenerateOf: turn.record.regenerateOf, startedAt: now.timestamp))
        }
        snapshot = nil
        guard let session = sessions.index(of: turn.record.sessionID) else { return }
        let agentType = turn.record.agentType
        let regenerates = turn.record.regenerateOf != nil
        if !regenerates, let context = sessions[session].contexts[agentType] { return launch(turn, context) }
        ask(
            .context(
                turn.record.sessionID, agentType: agentType, of: regenerates ? turn.exchangeID : nil,
                limit: Limits.contextMessagesMax),
            .context(turn), for: turn.record.userID)
    }

    func contextRead(_ turn: Turn, _ result: StorageResult) {
        guard turn.verdict == nil, turn.phase == .streaming,
            let session = sessions.index(of: turn.record.sessionID)
        else { return }
        guard case .context(let context) = result else {
            let error = StreamError(code: .storageUnavailable, message: "the conversation could not be read")
            return stop(turn, StreamOutcome(status: .failed, error: error, endedAt: now.timestamp))
        }
        // A reset or a clearing may have come while the answer was on its way.
        let remembered = turn.startsAfresh ? [] : context
        if !turn.contextIsBehind { sessions[session].contexts[turn.record.agentType] = remembered }
        launch(turn, remembered)
    }

    private func launch(_ turn: Turn, _ context: [ContextMessage]) {
        turn.agentRuns = true
        note(turn)
        turn.lastEventAt = now.instant
        hub.effects.append(
            .startAgent(
                AgentTurn(
                    streamID: turn.streamID, roomID: id, sessionID: turn.record.sessionID, userID: turn.record.userID,
                    agentType: turn.record.agentType, input: turn.record.messages.joinedText,
                    context: context, roomName: record.name, roomMetadata: record.metadata,
                    messageMetadata: turn.record.messages.mergedMetadata, startedAt: now.timestamp)))
        if turn.tokensReleased > 0 { hub.effects.append(.releaseTokens(turn.streamID, turn.tokensReleased)) }
    }

    /// A client lets the synthetic agent go on. Closed loops do so for each token, so nothing else is looked at.
    func release(_ count: Int, of turn: Turn) {
        if turn.agentRuns { return hub.effects.append(.releaseTokens(turn.streamID, count)) }
        turn.tokensReleased = min(turn.tokensReleased + count, SyntheticScript.tokensMax)
    }

    // MARK: - The agent speaks

    /// Takes one more token of a kind that already flows, if it is to wait for the end of the window: nothing else of
    /// the room is looked at for it.
    ///
    /// HOT
    func holdBack(_ event: AgentEvent, _ turn: Turn) -> Bool {
        let (bytes, kind): ([UInt8], DeltaKind)
        switch event {
        case .text(let text): (bytes, kind) = (text, .text)
        case .reasoning(let text): (bytes, kind) = (text, .reasoning)
        case .event, .usage, .ended: return false
        }
        guard turn.agentRuns, turn.verdict == nil, !turn.lastEventWasTool, turn.hasSpoken, turn.pendingKind == kind,
            turn.isHeldBack || turn.pending.isEmpty, turn.responseBytes + bytes.count <= limits.responseBytesMax,
            hub.holdBack(turn, of: self)
        else { return false }
        turn.lastEventAt = now.instant
        turn.pending += bytes
        turn.pendingCount += 1
        return true
    }

    func agent(_ turn: Turn, _ event: AgentEvent) {
        guard turn.agentRuns else { return }
        turn.lastEventAt = now.instant
        switch event {
        case .text(let bytes): take(bytes, .text, turn)
        case .reasoning(let bytes): take(bytes, .reasoning, turn)
        case .event(let kind, let fields): take(kind, fields, turn)
        case .usage(let usage):
            turn.usage = usage
            turn.bytesReported = turn.text.count + turn.reasoning.count + turn.pending.count
        case .ended(let end):
            turn.agentRuns = false
            turn.verdict = turn.verdict ?? outcome(of: end)
            settle(turn)
        }
    }

    private func outcome(of end: AgentEnd) -> StreamOutcome {
        switch end {
        case .finished(let reason): StreamOutcome(status: .completed, finishReason: reason, endedAt: now.timestamp)
        case .cancelled: StreamOutcome(status: .cancelled, endedAt: now.timestamp)
        case .failed(let code, let message):
            StreamOutcome(
                status: .failed, error: StreamError(code: code, message: message), endedAt: now.timestamp)
        }
    }

    private func take(_ bytes: [UInt8], _ kind: DeltaKind, _ turn: Turn) {
        guard turn.verdict == nil, !bytes.isEmpty else { return }
        if turn.lastEventWasTool || (turn.text.isEmpty && turn.pending.isEmpty && kind == .text) {
            live.want(.presence)
        }
        turn.lastEventWasTool = false
        if turn.pendingKind != kind { flushPending(turn) }
        turn.pendingKind = kind
        turn.pendingCount += 1
        let room = limits.responseBytesMax - turn.responseBytes
        let taken = bytes[...].wholeScalars(atMost: room)
        turn.pending += taken
        note(turn)
        if turn.hasSpoken { _ = hub.holdBack(turn, of: self) }
        if taken.count < bytes.count { stop(turn, .tooLong(at: now.timestamp)) }
    }

    private func take(_ kind: AgentEventKind, _ fields: JSONObject, _ turn: Turn) {
        guard turn.verdict == nil else { return }
        let size = JSONValue.object(fields).compact.count
        guard size <= Limits.toolPayloadBytesMax else {
            let error = StreamError(code: .agentFailed, message: "the agent's \(kind.rawValue) is too large")
            return stop(turn, StreamOutcome(status: .failed, error: error, endedAt: now.timestamp))
        }
        guard turn.responseBytes + size <= limits.responseBytesMax else {
            return stop(turn, .tooLong(at: now.timestamp))
        }
        flushPending(turn)
        turn.lastEventWasTool = kind == .toolCall
        live.want(.presence)
        turn.eventBytes += size
        let offset = turn.text.count
        var event: JSONObject = ["type": .string(kind.rawValue), "offset": .int(Int64(offset))]
        for (name, value) in fields.members where event[name] == nil { event[name] = value }
        turn.record.events.append(.object(event))
        checkpointSoon(turn)
        append(.other) {
            .textFrame(
                ServerFrame.event(
                    kind: kind.rawValue, roomID: id, seq: $0, streamID: turn.streamID, offset: offset, fields: fields))
        }
    }

    /// Tokens that wait become chunks of at most 16 KiB.
    func flushPending(_ turn: Turn) {
        guard !turn.pending.isEmpty else { return }
        var rest = turn.pending[...]
        while !rest.isEmpty {
            let delta = rest.wholeScalars(atMost: Limits.chunkBytesMax)
            rest = rest.dropFirst(delta.count)
            appendChunk(Array(delta), turn, weight: rest.isEmpty ? max(1, turn.pendingCount) : 0)
        }
        turn.pending.removeAll(keepingCapacity: true)
        turn.pendingCount = 0
        turn.hasSpoken = true
    }

    private func appendChunk(_ delta: [UInt8], _ turn: Turn, weight: Int) {
        let kind = turn.pendingKind
        let offset = kind == .text ? turn.text.count : turn.reasoning.count
        let record = ChunkRecord(streamID: turn.streamID, kind: kind, offset: offset, length: delta.count)
        append(.chunk(record), delta: delta, weight: weight) { seq in
            delta.withUnsafeBytes { .delta(record, roomID: id, firstSeq: seq, seq: seq, delta: $0) }
        }
        switch kind {
        case .text: turn.text += delta
        case .reasoning: turn.reasoning += delta
        }
        checkpointSoon(turn)
    }

    // MARK: - Stopping

    /// Decides a turn's outcome, unless another cause came first, and stops its agent.
    func stop(_ turn: Turn, _ outcome: StreamOutcome) {
        guard turn.verdict == nil else { return }
        turn.verdict = outcome
        turn.isClosed = true
        note(turn)
        live.want(.presence)
        // A reader that joins from here on must not see the chunks that a kept snapshot still lacks.
        snapshot = nil
        switch turn.phase {
        case .waiting: advance(turn)
        case .streaming:
            flushPending(turn)
            turn.phase = .stopping
            turn.stoppingSince = now.instant
            if turn.agentRuns { hub.effects.append(.cancelAgent(turn.streamID)) } else { settle(turn) }
        case .stopping, .settling: break
        }
    }

    func cancel(_ turns: [Turn]) {
        for turn in turns { stop(turn, StreamOutcome(status: .cancelled, endedAt: now.timestamp)) }
    }

    /// Says that turns were stopped. Where a restart asks again for what it finds unended, that is said once it is on
    /// disk, or the end of the process could undo it.
    func answerStopped(_ turns: [Turn], _ ack: Ack, _ command: Command) {
        if !markCancelled(turns, .cancelMarked(ack, command)) { answer(command, .success(ack), barrier: barrier) }
    }

    /// Stores that turns are to be stopped, where a restart has to know; `false` where it has not.
    @discardableResult
    func markCancelled(_ turns: [Turn], _ awaited: Awaited) -> Bool {
        let cancelled = turns.filter { $0.verdict?.status == .cancelled }
        guard limits.restartInterruptedSeconds > 0, !cancelled.isEmpty else { return false }
        ask(.markCancelled(cancelled.map(\.exchangeID), at: now.timestamp), awaited)
        return true
    }

    func cancelMarked(_ ack: Ack, _ command: Command, _ result: StorageResult) {
        guard case .stored = result else { return answer(command, .failure(.storageUnavailable)) }
        answer(command, .success(ack), barrier: barrier)
    }

    /// Chunks that are on their way to a socket must not arrive behind the answer that says that no more will come.
    private var barrier: Barrier { Barrier(roomID: id, seq: log.seq) }

    func interruptAll() {
        for turn in turns { stop(turn, StreamOutcome(status: .interrupted, endedAt: now.timestamp)) }
    }

    func cancel(_ target: CancelTarget, _ command: Command) {
        if case .session(let sessionID) = target, liveSession(sessionID) == nil {
            return answer(command, .failure(.noSession))
        }
        let aimed = turns.filter { turn in
            switch target {
            case .stream(let streamID): turn.streamID == streamID
            case .session(let sessionID): turn.record.sessionID == sessionID
            case .room(_, nil): true
            case .room(_, let key?): turn.holds(key, of: command.user, uncommitted)
            }
        }
        if aimed.isEmpty, case .room(_, let key?) = target {
            return ask(
                .findMessage(id, command.user, messageID: key, text: ""), .cancelledMessage(command.origin),
                for: command.user)
        }
        cancel(aimed)
        guard aimed.contains(where: { $0.verdict?.status == .cancelled }) else {
            return answer(command, .success(.cancel(.ended(aimed.last?.verdict?.status))))
        }
        answerStopped(aimed, .cancel(.accepted), command)
    }

    func answerCancel(_ origin: Origin, _ result: StorageResult) {
        switch result {
        case .duplicate(let stored): hub.answer(origin, .success(.cancel(.ended(stored.status))), roomID: id)
        case .unavailable: hub.answer(origin, .failure(.storageUnavailable), roomID: id)
        default: hub.answer(origin, .failure(HubError(.notFound, "you sent no such message here")), roomID: id)
        }
    }

    // MARK: - Settling

    /// Stores the outcome; `stream-ended` follows the commit.
    func settle(_ turn: Turn) {
        live.want(.presence)
        flushPending(turn)
        turn.phase = .settling
        note(turn)
        turn.countUsage()
        turn.verdict?.usage = turn.usage
        turn.verdict?.endedAt = now.timestamp
        if case .deleting = phase, turn.settlingSince == 0 { return commitDeletionIfReady() }
        turn.settleRetryAt = nil
        if turn.settlingSince == 0 { turn.settlingSince = max(1, now.instant) }
        ask(.finishExchange(turn.exchangeOutcome), .outcome(turn))
    }

    func settled(_ turn: Turn, _ result: StorageResult) {
        if case .stored = result { return end(turn) }
        note(turn)
        guard now.instant < turn.settlingSince + Self.settleNanosecondsMax || clearings > 0 else {
            turn.verdict = StreamOutcome(
                status: .failed, usage: turn.usage,
                error: StreamError(code: .storageUnavailable, message: "the answer could not be stored"),
                endedAt: now.timestamp)
            unstored.append(turn)
            turn.settleRetryAt = now.instant + Self.settleRetryNanoseconds
            return end(turn, storedLength: turn.checkpoint.textStored)
        }
        turn.settleRetryAt = now.instant + Self.settleRetryNanoseconds
    }

    /// Nobody waits for these any more, but no exchange may stay `streaming` on disk.
    func storeLate() {
        for turn in unstored {
            guard let retryAt = turn.settleRetryAt, now.instant >= retryAt else { continue }
            turn.settleRetryAt = nil
            ask(.finishExchange(turn.exchangeOutcome), .lateOutcome(turn))
        }
    }

    func storedLate(_ turn: Turn, _ result: StorageResult) {
        if case .stored = result { return unstored.removeAll { $0 === turn } }
        turn.settleRetryAt = now.instant + Self.settleRetryNanoseconds
    }

    /// The last entry of a stream; the session's next turn may start.
    func end(_ turn: Turn, storedLength: Int? = nil) {
        guard let verdict = turn.verdict else { return }
        append(.streamEnded(turn.streamID, verdict)) {
            .textFrame(
                ServerFrame.streamEnded(
                    roomID: id, seq: $0, streamID: turn.streamID, exchangeID: turn.exchangeID, outcome: verdict,
                    length: turn.text.count, storedLength: storedLength))
        }
        remember(turn)
        if let session = sessions.index(of: turn.record.sessionID) {
            if !turn.isForgotten { sessions[session].remember(turn.ended) }
            sessions[session].contextUsedAt = now.instant
            slide(session)
        }
        snapshot = nil
        wantSummary()
        release(turn)
    }

    func remember(_ turn: Turn) {
        guard let commit = turn.commit else { return }
        history.insert(turn.ended, commit: commit)
        snapshot = nil
    }

    /// Takes a turn out of its session and gives back what it held.
    private func release(_ turn: Turn) {
        guard let session = sessions.index(of: turn.record.sessionID) else { return }
        sessions.end(turn, in: session)
        turnBytes -= turn.countedBytes
        turn.countedBytes = 0
        hub.streams[turn.streamID] = nil
        hub.gauges.releaseStream()
        hub.send(.permitReturned(turn.record.userID), toHomeOf: turn.record.userID)
        if let next = sessions[session].turns.first, next.phase == .waiting {
            next.isClosed = true
            advance(next)
        }
        commitDeletionIfReady()
    }
}
