import ChatProtocol

// The order of a user's commands in a room.
//
// Nearly every command is performed as it arrives. Some wait: for a room's head, for a session that is not in memory,
// for an exchange that is to be answered anew. What the same user asks of the same room meanwhile must not overtake, or
// a cancel would not find its send. So it queues behind the command that waits, whatever that one waits for, and is
// performed after it. A session's command names no room; its session's slot is the room's, so a queue is found by user
// and slot.
//
// Only commands that change something keep their place. Joins and leaves are ordered by the flow, reading needs no
// order.
//
// Invariant: there is a queue for a user and a slot exactly while one of that user's commands there waits.
extension Hub {
    /// A user's commands in the rooms of one slot.
    struct Place: Hashable {
        let user: UserID
        let slot: Slot
    }

    /// A command on its way to its room, with what it has to find there.
    enum Addressed {
        case room(RoomID)
        case session(SessionID)
        case stream(StreamID)

        /// The room's slot, which hub-made identifiers carry.
        var slot: Slot? {
            switch self {
            case .room(let id): Slot(of: id.text)
            case .session(let id): Slot(in: id.text, prefix: "session_")
            case .stream(let id): Slot(in: id.text, prefix: "stream_")
            }
        }
    }

    /// Performs a command, or queues it behind one of the same user that waits.
    func admit(_ command: Command, to address: Addressed) {
        guard !queued.isEmpty, command.keepsItsPlace, let slot = address.slot else {
            return perform(command, at: address)
        }
        let place = Place(user: command.user, slot: slot)
        guard let queue = queued[place] else { return perform(command, at: address) }
        guard queue.count < configuration.limits.queuedCommandsPerUser else {
            return refuse(
                command, HubError(.busy, "an earlier command is still waiting", retryAfterMilliseconds: 200))
        }
        queued[place]?.append((command, address))
    }

    /// A command begins to wait: `resume` follows.
    func wait(_ command: Command, at address: Addressed) {
        guard command.keepsItsPlace, let slot = address.slot else { return }
        queued[Place(user: command.user, slot: slot)] = queued[Place(user: command.user, slot: slot)] ?? []
    }

    /// A command has waited: it is performed, then what queued behind it, up to a command that waits itself.
    func resume(_ command: Command, at address: Addressed, _ perform: () -> Void) {
        guard command.keepsItsPlace, let slot = address.slot else { return perform() }
        let place = Place(user: command.user, slot: slot)
        let queue = queued.removeValue(forKey: place) ?? []
        perform()
        var rest = queue[...]
        while queued[place] == nil, let next = rest.popFirst() { self.perform(next.command, at: next.address) }
        if !rest.isEmpty { queued[place]? += rest }
    }

    /// Answers with an error; a stream permit that came along goes back.
    private func refuse(_ command: Command, _ error: HubError) {
        if command.hasPermit { send(.permitReturned(command.user), toHomeOf: command.user) }
        answer(command.origin, .failure(error), roomID: nil)
    }
}

extension Command {
    /// Whether no later command of its user may overtake it, nor it an earlier one.
    fileprivate var keepsItsPlace: Bool {
        switch request {
        case .send, .begin, .cancel, .stopSession, .openSession, .closeSession, .reset, .clearHistory, .updateRoom,
            .deleteRoom, .setMember, .removeMember:
            true
        case .auth, .createRoom, .getRoom, .listRooms, .join, .leave, .getSession, .watch, .history, .historyPage,
            .exchange, .typing, .read, .ping, .release:
            false
        }
    }
}
