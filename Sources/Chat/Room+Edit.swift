import ChatProtocol
import Wire

// Changing and deleting a room.
extension Room {
    func update(_ change: RoomChange, _ command: Command) {
        var changed = edits.last ?? record
        if let name = change.name { changed.name = name }
        if let metadata = change.metadata { changed.metadata.merge(metadata) }
        guard JSONValue.object(changed.metadata).compact.count <= Limits.metadataBytesMax else {
            let error = HubError(
                .validationError, "`metadata` may have \(Limits.metadataBytesMax) bytes once it is merged")
            return refuse(command, error)
        }
        // The next update starts from this one.
        edits.append(changed)
        ask(.updateRoom(changed), .update(command.origin, command.user))
    }

    func updated(_ origin: Origin, _ user: UserID, _ result: StorageResult) {
        let changed = edits.removeFirst()
        guard case .stored = result else {
            return hub.answer(origin, .failure(.storageUnavailable), roomID: id)
        }
        record.name = changed.name
        record.metadata = changed.metadata
        snapshot = nil
        hub.answer(origin, .success(.room(record)), roomID: id)
        append(.other) { .textFrame(ServerFrame.roomUpdated(record, seq: $0, by: user)) }
        wantSummary()
    }

    func delete(_ command: Command) {
        phase = .deleting(Deletion(by: command.user, origin: command.origin, at: now.timestamp))
        cancel(turns)
        commitDeletionIfReady()
    }

    /// Commits the deletion once every agent has stopped and no other commit of this room is under way.
    func commitDeletionIfReady() {
        guard case .deleting(var deletion) = phase, !deletion.isCommitting, uncommitted.isEmpty else { return }
        let turns = turns
        guard turns.allSatisfy({ $0.verdict != nil && !$0.agentRuns && $0.settlingSince == 0 }) else { return }
        deletion.isCommitting = true
        phase = .deleting(deletion)
        let outcomes = (unstored + turns.filter { !$0.record.messages.isEmpty }).map(\.exchangeOutcome)
        ask(.deleteRoom(id, at: deletion.at, outcomes: outcomes), .deletion(turns))
    }

    func deletionStored(_ turns: [Turn], _ result: StorageResult) {
        guard case .deleting(let deletion) = phase else { return }
        guard case .stored = result else {
            phase = .live
            hub.answer(deletion.origin, .failure(.storageUnavailable), roomID: id)
            turns.forEach(settle)
            return
        }
        for turn in turns { end(turn) }
        unstored = []
        append(.other) { .textFrame(ServerFrame.roomDeleted(roomID: id, seq: $0, by: deletion.by)) }
        flushFlow()
        hub.answer(deletion.origin, .success(.roomDeleted(id)), roomID: id)
        for link in links { hub.send(.flow(id, [.deleted, .close]), to: link.loop) }
        hub.apply(.deleted, to: replica)
        links = []
        phase = .gone
        notify(.membership, ServerFrame.roomRemoved(roomID: id))
        hub.forget(self)
    }
}
