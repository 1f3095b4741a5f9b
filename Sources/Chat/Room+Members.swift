import ChatProtocol
import Wire

// Who belongs to a room, and what they may do in it.
extension Room {
    /// In the order of their ids.
    var memberList: [MemberRecord] { members.values.sorted { $0.userID.text < $1.userID.text } }

    /// The one place where rights are checked. In open mode a room's id is enough for what an editor may do, but a
    /// member is what it was made: a viewer reads.
    func refusal(of command: Command) -> HubError? {
        let isOwner = command.user == record.userID
        switch command.request {
        case .updateRoom, .deleteRoom, .setMember: return isOwner ? nil : .notOwner
        case .removeMember(_, let user): return isOwner || user == command.user ? nil : .notOwner
        case .getRoom, .join, .leave, .history, .historyPage, .exchange, .getSession, .watch, .read: return nil
        case .clearHistory(_, nil): return isOwner ? nil : .notOwner
        case .send, .cancel, .stopSession, .openSession, .closeSession, .reset, .clearHistory, .typing:
            return members[command.user]?.role == .viewer ? .onlyViewer : nil
        case .auth, .createRoom, .begin, .listRooms, .ping, .release: preconditionFailure("never routed to a room")
        }
    }

    /// What may be done with somebody's session: its user and the room's owner may do everything, an editor may stop
    /// its answer. In open mode an HTTP request that names no user may use a session by its id, as seed 000 has it.
    func refusal(of command: Command, on session: Session) -> HubError? {
        guard let owner = session.record.userID, owner != command.user, !command.namesNobody else { return nil }
        switch command.request {
        case .stopSession:
            let isEditor = command.user == record.userID || members[command.user]?.role == .editor
            return isEditor ? nil : .notYourSession
        case .closeSession, .reset, .clearHistory: return command.user == record.userID ? nil : .notYourSession
        case .send: return .notYourSession
        default: return nil
        }
    }

    // MARK: - Changing

    func setMember(_ userID: UserID, _ role: MemberRole, _ command: Command) {
        guard userID != record.userID else {
            return refuse(command, HubError(.validationError, "`user_id` is the room's owner, who has every right"))
        }
        let member = MemberRecord(userID: userID, role: role, joinedAt: now.timestamp)
        ask(.setMember(id, member, membersMax: Limits.membersPerRoom), .member(member, command))
    }

    func memberSet(_ stored: MemberRecord, _ command: Command, _ result: StorageResult) {
        switch result {
        case .stored: break
        case .memberLimitReached:
            let limit = Limits.membersPerRoom
            return answer(
                command, .failure(HubError(.validationError, "a room may have \(limit) members; remove one first")))
        default: return answer(command, .failure(.storageUnavailable))
        }
        let old = members[stored.userID]
        let member = MemberRecord(
            userID: stored.userID, role: stored.role, joinedAt: old?.joinedAt ?? stored.joinedAt)
        members[member.userID] = member
        answer(command, .success(.member(id, member, isNew: old == nil)))
        guard member != old else { return }
        append(.other) { .textFrame(ServerFrame.memberJoined(roomID: id, seq: $0, member, by: command.user)) }
        guard old == nil else { return }
        notify(.membership, ServerFrame.roomAdded(record), [member.userID])
        wantSummary()
    }

    func removeMember(_ userID: UserID, _ command: Command) {
        guard userID != record.userID else {
            return refuse(command, HubError(.validationError, "the owner cannot be removed; delete the room instead"))
        }
        ask(.removeMember(id, userID), .removal(userID, command))
    }

    func memberRemoved(_ userID: UserID, _ command: Command, _ result: StorageResult) {
        guard case .cleared(let count) = result else { return answer(command, .failure(.storageUnavailable)) }
        guard count > 0 else {
            return answer(command, .failure(HubError(.notFound, "the room has no such member")))
        }
        members[userID] = nil
        answer(command, .success(.memberRemoved(id, userID)))
        cut(userID)
        append(.other) { .textFrame(ServerFrame.memberLeft(roomID: id, seq: $0, userID, by: command.user)) }
        notify(.membership, ServerFrame.roomRemoved(roomID: id), [userID])
    }

    /// Ends a user's cursors where they are: nothing more of the room's log is sent to them.
    private func cut(_ userID: UserID) {
        let sockets = live.watchers.filter { $0.value == userID }.keys
        sockets.forEach(socketLeft)
        flushFlow()
        for link in links { hub.send(.flow(id, [.removed(userID)]), to: link.loop) }
        hub.apply(.removed(userID), to: replica)
    }
}

extension HubError {
    static let notYourSession = HubError(.accessDenied, "Access denied: the session belongs to another user")
    fileprivate static let notOwner = HubError(.accessDenied, "Access denied: You don't own this room")
    fileprivate static let onlyViewer = HubError(
        .accessDenied, "Access denied: you are a viewer of this room; its owner can make you an editor")
}
