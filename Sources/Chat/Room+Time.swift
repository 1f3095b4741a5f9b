import ChatProtocol
import Wire

// What happens to a turn by the clock: checkpoints fall due, silent agents are stopped.
extension Room {
    static let checkpointNanoseconds: UInt64 = 250_000_000
    static let checkpointBytes = 4096
    static let settleRetryNanoseconds: UInt64 = 500_000_000
    static let settleNanosecondsMax: UInt64 = 10_000_000_000
    /// How long a stopped agent may take to close its connection before the home goes on without it.
    static let stopNanosecondsMax: UInt64 = 5_000_000_000

    /// Does what is due, and returns the turns that were looked at.
    func tick() -> [Turn] {
        expireSessions()
        storeLate()
        stopIfAbandoned()
        reloadIfDue()
        dropSnapshotIfOver()
        let looked = takeNoted()
        for turn in looked {
            if !turn.isHeldBack { flushPending(turn) }
            checkpointIfDue(turn)
            switch turn.phase {
            case .streaming where now.instant >= silenceEnd(turn):
                let error = StreamError(code: .agentTimeout, message: "the agent was silent for too long")
                stop(turn, StreamOutcome(status: .failed, error: error, endedAt: now.timestamp))
            case .stopping where now.instant >= turn.stoppingSince + Self.stopNanosecondsMax:
                turn.agentRuns = false
                settle(turn)
            case .settling:
                if let retryAt = turn.settleRetryAt, now.instant >= retryAt { settle(turn) }
            case .waiting, .streaming, .stopping: break
            }
            count(turn)
        }
        return looked
    }

    private func count(_ turn: Turn) {
        turnBytes += turn.heldBytes - turn.countedBytes
        turn.countedBytes = turn.heldBytes
    }

    func nextDeadline(_ turn: Turn) -> UInt64? {
        let checkpoint = mayCheckpoint(turn) ? turn.checkpoint.dueAt : nil
        let phase: UInt64? =
            switch turn.phase {
            case .waiting: nil
            case .streaming: silenceEnd(turn)
            case .stopping: turn.stoppingSince + Self.stopNanosecondsMax
            case .settling: turn.settleRetryAt
            }
        return earliest(checkpoint, phase)
    }

    private func silenceEnd(_ turn: Turn) -> UInt64 {
        turn.lastEventAt + UInt64(limits.agentSilentSeconds) * 1_000_000_000
    }

    // MARK: - Checkpoints

    private func mayCheckpoint(_ turn: Turn) -> Bool {
        (turn.phase == .streaming || turn.phase == .stopping) && turn.checkpoint.inFlight == nil
    }

    private func checkpointIfDue(_ turn: Turn) {
        guard mayCheckpoint(turn), let dueAt = turn.checkpoint.dueAt else { return }
        let stored = turn.checkpoint
        let unstored = turn.text.count - stored.textStored + turn.reasoning.count - stored.reasoningStored
        guard now.instant >= dueAt || (unstored >= Self.checkpointBytes && !stored.hasFailed) else { return }
        turn.checkpoint.dueAt = nil
        let events = turn.record.events
        guard unstored > 0 || events.count > stored.eventsStored else { return }
        turn.checkpoint.inFlight = (turn.text.count, turn.reasoning.count, events.count)
        let segment = ResponseSegment(
            exchangeID: turn.exchangeID,
            textOffset: stored.textStored, text: Array(turn.text[stored.textStored...]),
            reasoningOffset: stored.reasoningStored, reasoning: Array(turn.reasoning[stored.reasoningStored...]),
            events: Array(events[stored.eventsStored...]))
        ask(.appendSegment(segment), .checkpoint(turn))
    }

    /// What was just appended is on disk a little later: at the next of the moments at which all streams of all loops
    /// are, so that one commit holds them all.
    func checkpointSoon(_ turn: Turn) {
        note(turn)
        guard turn.checkpoint.dueAt == nil else { return }
        turn.checkpoint.dueAt = (now.instant / Self.checkpointNanoseconds + 1) * Self.checkpointNanoseconds
    }

    func checkpointed(_ turn: Turn, _ result: StorageResult) {
        guard let reached = turn.checkpoint.inFlight else { return }
        turn.checkpoint.inFlight = nil
        note(turn)
        if case .stored = result {
            turn.checkpoint.textStored = reached.text
            turn.checkpoint.reasoningStored = reached.reasoning
            turn.checkpoint.eventsStored = reached.events
            turn.checkpoint.hasFailed = false
        } else {
            turn.checkpoint.hasFailed = true
            checkpointSoon(turn)
        }
    }
}
