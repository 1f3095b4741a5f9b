import ChatProtocol

// Answering anew: a new exchange that names an old one, and whose agent is told what the old one's was told.
//
// A session's exchanges form a tree: one that regenerates stands beside the one it names, and what was said after that
// one belongs to its branch. The newest exchange decides which branch goes on. Both stay in the history.
extension Room {
    /// The command with what its `regenerate_of` names; `nil` while storage looks for it, or if it was refused.
    func knowingRegenerated(_ request: SendRequest, _ command: Command) -> Command? {
        guard let wanted = request.regenerateOf, command.regenerated == nil else { return command }
        let running = turns.first { $0.exchangeID == wanted && !$0.record.messages.isEmpty }?.record
        guard let known = running ?? history.exchanges.last(where: { $0.exchangeID == wanted }) else {
            hub.wait(command, at: .room(id))
            ask(.findExchange(id, wanted), .regenerated(command), for: command.user)
            return nil
        }
        var command = command
        command.regenerated = RegeneratedExchange(
            exchangeID: wanted, sessionID: known.sessionID, agentType: known.agentType)
        return command
    }

    func regeneratedFound(_ result: StorageResult, for command: Command) {
        guard case .send(let request) = command.request else { return }
        switch result {
        case .exchange(let found?):
            var command = command
            command.regenerated = found
            handle(command)
        case .unavailable: refuse(command, .storageUnavailable)
        default:
            refuseAfterLookup(
                request, command, HubError(.notFound, "`regenerate_of` names no exchange of this room"))
        }
    }

    /// The session that a send names, else that of what it regenerates, else the room's own.
    func sessionID(for request: SendRequest, _ command: Command) -> SessionID {
        request.sessionID ?? command.regenerated?.sessionID ?? record.defaultSessionID
    }

    func refusalToRegenerate(in session: Int, _ command: Command) -> HubError? {
        guard let regenerated = command.regenerated else { return nil }
        guard regenerated.sessionID == sessions[session].id else {
            return HubError(
                .validationError, "`regenerate_of` is of session \(regenerated.sessionID); leave `session_id` out")
        }
        guard !regenerated.agentType.isEmpty else {
            return HubError(.validationError, "`regenerate_of` names a message for people, which has no answer")
        }
        return nil
    }
}
