import ChatProtocol
import Wire

// Joining travels the flow, so a snapshot and the entries after it meet without a gap.
extension Room {
    func join(_ request: JoinRequest, _ command: Command) {
        guard hub.gauges.heldBytes <= limits.unreadBytesMax else { return refuse(command, .repliesUnread) }
        let ref = command.origin.connection
        socketJoined(ref, command.user)
        let cause = JoinCause.requested(id: command.origin.frameID)
        guard let after = request.after, let position = Snapshot.position(after, in: log), position.seq <= log.seq,
            let missed = missedEntries(after: position.seq, on: ref.loop)
        else { return sendSnapshot(to: ref, cause) }
        let body = SharedBytes(ServerFrame.joinedBody(recovering: id, from: after))
        sendAnswer(
            JoinAnswer(
                number: hub.nextAnswer(), connection: ref, cause: cause, body: body, position: position,
                missed: missed))
    }

    /// A reader whose cursor or answer fell behind gets a snapshot, unless it left or was removed meanwhile.
    func snapshotWanted(by ref: ConnectionRef, _ cause: JoinCause, after seq: UInt64) {
        switch cause {
        case .requested(let id) where live.watchers[ref] == nil:
            let error = HubError(.accessDenied, "you left the room, or were removed, before it could be shown")
            hub.answer(
                Origin(connection: ref, face: .frame(id: id, type: .join)), .failure(error), roomID: self.id)
        case .fellBehind where live.watchers[ref] == nil: break
        case .requested, .fellBehind, .watching: sendSnapshot(to: ref, cause, after: seq)
        }
    }

    /// - Parameter seq: a kept snapshot that is not later than this was of no use to the reader.
    func sendSnapshot(to ref: ConnectionRef, _ cause: JoinCause, after seq: UInt64? = nil) {
        if case .watching(let stream) = cause {
            return sendEvents(StreamEvent.lost(at: position), of: stream, to: ref, isLast: true)
        }
        let (snapshot, missed) = keptSnapshot(for: ref.loop, after: seq) ?? (makeSnapshot(), [])
        sendAnswer(
            JoinAnswer(
                number: hub.nextAnswer(), connection: ref, cause: cause, body: snapshot.body,
                position: snapshot.position, missed: missed, catchUp: snapshot.catchUp, held: snapshot.held))
    }

    /// Whether a reader that asked for a snapshot is still to have one.
    func awaits(_ ref: ConnectionRef, _ cause: JoinCause) -> Bool {
        switch cause {
        case .requested, .fellBehind: live.watchers[ref] != nil
        case .watching: true
        }
    }

    func leave(_ command: Command) {
        let ref = command.origin.connection
        socketLeft(ref)
        guard ref.loop == hub.index || links.contains(where: { $0.loop == ref.loop }) else {
            return answer(command, .success(.left(id)))
        }
        flushFlow()
        send(.left(ref, command.origin), toReplicaOn: ref.loop)
    }

    /// A replica has neither subscribers nor answers on their way: it goes.
    func replicaIdle(loop: Int, lastAnswer: UInt64) {
        guard let index = links.firstIndex(where: { $0.loop == loop }), links[index].lastAnswer == lastAnswer
        else { return }
        flushFlow()
        links.remove(at: index)
        hub.send(.flow(id, [.close]), to: loop)
    }

    // MARK: - Inside

    private func keptSnapshot(for loop: Int, after seq: UInt64?) -> (Snapshot, [LogEntry])? {
        guard let kept = snapshot, seq.map({ kept.position.seq > $0 }) ?? true,
            now.instant < kept.endsAt,
            let missed = missedEntries(after: kept.position.seq, on: loop)
        else { return nil }
        return (kept, missed)
    }

    private func makeSnapshot() -> Snapshot {
        turns.forEach(flushPending)
        let position = position
        let contents = RoomSnapshot(
            room: record, position: position, history: history.exchanges, nextBefore: history.nextBefore,
            presence: presence, streams: turns.filter { !$0.record.messages.isEmpty }.map(\.snapshot),
            lastExchange: lastExchange)
        let made = Snapshot(
            of: contents, bytesMax: limits.joinedBytesMax, at: now.instant, gauges: hub.gauges)
        snapshot = made
        return made
    }

    /// What is kept for a second goes after it.
    func dropSnapshotIfOver() {
        if let snapshot, now.instant >= snapshot.endsAt { self.snapshot = nil }
    }

    /// What a loop's replica lacks between a position and its opening; `nil` if the tail no longer reaches back.
    private func missedEntries(after position: UInt64, on loop: Int) -> [LogEntry]? {
        guard loop != hub.index else { return log.index(after: position).map { _ in [] } }
        let openedAt = links.first { $0.loop == loop }?.openedAt ?? log.seq
        if position >= openedAt { return [] }
        return log.entries(after: position, through: openedAt)
    }

    func sendAnswer(_ answer: JoinAnswer) {
        flushFlow()
        let loop = answer.connection.loop
        guard loop != hub.index else { return hub.apply(.joined(answer), to: replica) }
        if let index = links.firstIndex(where: { $0.loop == loop }) {
            links[index].lastAnswer = answer.number
        } else {
            links.append(ReplicaLink(loop: loop, openedAt: log.seq, lastAnswer: answer.number))
            let texts = log.liveTexts(turns.map(\.streamID))
            let states = StateKind.allCases.compactMap { kind in live.frame(of: kind).map { FlowItem.state(kind, $0) } }
            hub.send(.flow(id, [.open(position, texts: texts)] + states), to: loop)
        }
        hub.send(.flow(id, [.joined(answer)]), to: loop)
    }
}

extension HubError {
    static let repliesUnread = HubError(
        .capacityExceeded, "too many sockets have not read what they asked for", retryAfterMilliseconds: 2000)
}
