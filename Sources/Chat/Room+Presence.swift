import ChatProtocol
import Wire

// Presence, typing and read marks: full states outside the log, sent at most so often and to everyone alike.
extension Room {
    func socketJoined(_ ref: ConnectionRef, _ user: UserID) {
        guard live.watchers.updateValue(user, forKey: ref) == nil else { return }
        live.want(.presence)
    }

    func socketLeft(_ ref: ConnectionRef) {
        if case .loading(var parked) = phase {
            // Its join is still parked: nobody would take it out again.
            parked.removeAll { $0.isJoin && $0.origin.connection == ref }
            phase = .loading(parked: parked)
        }
        guard let user = live.watchers.removeValue(forKey: ref) else { return }
        live.want(.presence)
        if !live.watchers.values.contains(user), live.typers.removeValue(forKey: user) != nil { live.want(.typing) }
    }

    func setTyping(_ isActive: Bool, _ command: Command) {
        guard live.watchers[command.origin.connection] != nil else {
            return refuse(command, HubError(.validationError, "join the room first"))
        }
        let wasActive = live.typers[command.user] != nil
        live.typers[command.user] = isActive ? now.instant + LiveState.typingNanoseconds : nil
        if wasActive != isActive { live.want(.typing) }
    }

    func markRead(_ exchangeID: ExchangeID, _ command: Command) {
        ask(.markRead(id, command.user, exchangeID, at: now.timestamp), .read(exchangeID, command))
    }

    func readMarked(_ exchangeID: ExchangeID, _ command: Command, _ result: StorageResult) {
        guard case .stored = result else { return answer(command, .failure(.storageUnavailable)) }
        // What is being read anew may not have this mark.
        if isReloading { return reloadHistory() }
        let running = turns.filter { !$0.record.messages.isEmpty }.map(\.exchangeID)
        let known = history.exchanges.map(\.exchangeID) + running
        guard let place = known.lastIndex(of: exchangeID) else { return reloadHistory() }
        let unread = known.count - 1 - place
        let mark = ReadMark(userID: command.user, exchangeID: exchangeID, timestamp: now.timestamp, unread: unread)
        if let index = live.reads.firstIndex(where: { $0.userID == command.user }) {
            guard unread < live.reads[index].unread else { return }
            live.reads[index] = mark
        } else {
            live.reads.append(mark)
            forgetOldestStranger()
            live.reads.sort { $0.userID.text < $1.userID.text }
        }
        live.want(.read)
        wantSummary()
    }

    /// Members' marks are as many as members; of others, whom open mode lets read, only the newest are kept.
    private func forgetOldestStranger() {
        let strangers = live.reads.indices.filter { index in
            let user = live.reads[index].userID
            return user != record.userID && members[user] == nil
        }
        guard strangers.count > Limits.strangerMarksPerRoom,
            let oldest = strangers.min(by: { live.reads[$0].timestamp < live.reads[$1].timestamp })
        else { return }
        live.reads.remove(at: oldest)
    }

    /// Another exchange has begun, which nobody has read.
    func countUnread() {
        for index in live.reads.indices { live.reads[index].unread += 1 }
    }

    func unread(of user: UserID) -> Int {
        live.reads.first { $0.userID == user }?.unread ?? record.messageCount
    }

    /// Who is here, with what the streams' own states say of their agents: a dead one cannot look alive.
    var presence: Presence {
        Presence(
            users: live.users,
            agents: turns.filter { $0.phase == .streaming }.map { turn in
                Presence.Agent(agentType: turn.record.agentType, streamID: turn.streamID, state: turn.agentState)
            })
    }

    func sendStateIfDue() {
        if live.typers.contains(where: { now.instant >= $0.value }) {
            live.typers = live.typers.filter { now.instant < $0.value }
            live.want(.typing)
        }
        guard hasHead else { return }
        for kind in StateKind.allCases where live.isDue(kind, at: now.instant) {
            let frame = SharedBytes.textFrame(payload(kind))
            live.sent(kind, frame, at: now.instant)
            hub.apply(.state(kind, frame), to: replica)
            for link in links { hub.send(.flow(id, [.state(kind, frame)]), to: link.loop) }
        }
    }

    private func payload(_ kind: StateKind) -> [UInt8] {
        switch kind {
        case .presence: ServerFrame.presence(roomID: id, presence)
        case .typing: ServerFrame.typing(roomID: id, users: live.typers.keys.sorted { $0.text < $1.text })
        case .read: ServerFrame.read(roomID: id, live.reads)
        }
    }
}

extension Turn {
    /// What the stream shows of its agent.
    fileprivate var agentState: Presence.AgentState {
        let last = record.events.last?.object?["type"]?.string
        if last == AgentEventKind.toolCall.rawValue, lastEventWasTool { return .usingTool }
        return text.isEmpty ? .thinking : .answering
    }
}
