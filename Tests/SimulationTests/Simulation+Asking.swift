import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

// What clients ask for.
extension Simulation {
    func ask(_ step: Step) {
        if step.kind == .http { return askOverHTTP(step) }
        guard let device = dice.pick(devices) else { return }
        guard device.link != nil else { return connect(device) }
        switch step.kind {
        case .join: device.join(anyRoom(), resuming: dice.chance(1, in: 2))
        case .leave: leave(device)
        case .send: send(device, step.number)
        case .resend: resend(device, step.number)
        case .cancel: cancel(device)
        case .session: askOfSession(device)
        case .room: askOfRoom(device, step.number)
        case .state: tellState(device)
        default: flood(device)
        }
        hurry(device)
    }

    /// Mostly one that is there, and the same few all the time.
    func anyRoom() -> String {
        let live = oracle.rooms.filter { disk.store.isLive(RoomID($0)) }
        if dice.chance(1, in: 40) { return "room_of_nobody" }
        if dice.chance(1, in: 30), let room = dice.pick(oracle.rooms) { return room }
        return dice.pick(live) ?? "room_of_nobody"
    }

    private func anyRoom(of device: Device) -> String {
        dice.chance(3, in: 4) ? dice.pick(device.wanted) ?? anyRoom() : anyRoom()
    }

    func anySession(of room: String? = nil) -> String {
        let known = room.map { room in oracle.sessions.filter { $0.room == room } } ?? oracle.sessions
        return dice.pick(known)?.id ?? "session_0000nobody"
    }

    private func leave(_ device: Device) {
        let room = anyRoom(of: device)
        device.wanted.removeAll { $0 == room }
        device.ask(.leave, ["room_id": .string(room)], .leave(room))
    }

    // MARK: - Sending

    func text(_ number: Int, _ word: String) -> String {
        let filler = dice.chance(1, in: 8) ? String(repeating: "·", count: dice.below(600)) : ""
        return "\(word) \(number)\(filler)"
    }

    private func send(_ device: Device, _ number: Int) {
        let room = anyRoom(of: device)
        let key = dice.chance(9, in: 10) ? "k\(number)" : nil
        let send = Send(number: number, room: room, text: text(number, "say"), key: key, user: device.user)
        if dice.chance(2, in: 5) { send.session = dice.chance(9, in: 10) ? anySession(of: room) : anySession() }
        switch dice.below(10) {
        case 0: send.fields["if_busy"] = "reject"
        case 1, 2: send.fields["if_busy"] = "interrupt"
        case 3: send.fields["respond"] = false
        default: break
        }
        if dice.chance(1, in: 10) {
            let shown = (device.views[room]?.exchanges ?? []).map(\.id)
            let known = dice.chance(1, in: 2) ? shown : disk.store.exchanges(of: RoomID(room)).map(\.exchangeID.text)
            if let exchange = dice.pick(known) { send.fields["regenerate_of"] = .string(exchange) }
        }
        if dice.chance(1, in: 4) { send.fields["agent_type"] = dice.chance(4, in: 5) ? "other" : "nobody" }
        sends.append(send)
        device.sends.append(send)
        device.transmit(send)
        if key != nil, dice.chance(1, in: 6) { cancel(send, device) }
    }

    /// The same message again, perhaps by another device of its user, or another under the same key.
    private func resend(_ device: Device, _ number: Int) {
        guard let send = dice.pick(sends.suffix(20).filter { $0.user == device.user && $0.key != nil }) else { return }
        guard dice.chance(1, in: 6) else { return device.transmit(send) }
        let other = Send(number: number, room: send.room, text: text(number, "differ"), key: send.key, user: send.user)
        other.session = send.session
        sends.append(other)
        device.transmit(other)
    }

    /// Whether a message is on disk now.
    func isStored(_ send: Send) -> Bool {
        guard let row = oracle.rows[send.text], disk.store.isLive(RoomID(send.room)) else { return false }
        return row.exchangeIDs.contains { !oracle.removed.contains($0) }
    }

    func answered(_ transmission: Transmission, _ frame: Frame) {
        let send = transmission.send
        guard frame.type == "ack" else {
            // It is sent again: nobody looked whether it is stored.
            if Self.wasNotLookedAt(frame), send.key != nil { return }
            return refused(transmission, frame.text("code"))
        }
        let exchange = frame.text("exchange_id")
        if frame.object["duplicate"] == true {
            check(send.transmissions > 1, "'\(send.text)' was sent once and is a duplicate")
        } else {
            send.acks += 1
            check(send.acks <= 1 + oracle.clearings, "'\(send.text)' is acknowledged twice as new")
        }
        send.exchange = exchange
        send.refusal = nil
        send.stream = frame.object["stream_id"]?.string
    }

    /// Too much waited already for the room's head, or for the message's session.
    private static func wasNotLookedAt(_ refusal: Frame) -> Bool {
        refusal.text("code") == ErrorCode.busy.rawValue
            && ["the room is loading", "an earlier command is"].contains { refusal.text("message").hasPrefix($0) }
    }

    private func refused(_ transmission: Transmission, _ code: String) {
        let send = transmission.send
        if send.exchange == nil { send.refusal = code }
        if code == ErrorCode.idempotencyConflict.rawValue {
            let others = sends.filter { $0 !== send && $0.key == send.key && $0.user == send.user }
            check(others.contains { $0.room == send.room }, "'\(send.text)' conflicts with nothing")
            return
        }
        guard transmission.wasStored, isStored(send) else { return }
        let isExcused =
            disk.failures > transmission.failures || oracle.clearings > transmission.clearings
            || deletionsAsked.contains(send.room)
            || (rolesAsked.contains(send.room) && code == ErrorCode.accessDenied.rawValue)
        check(isExcused, "'\(send.text)' is stored and refused with \(code)")
    }

    // MARK: - Cancelling

    private func cancel(_ device: Device) {
        let room = anyRoom(of: device)
        let seen = runningStreams(device.views[room])
        switch dice.below(8) {
        case 0, 1, 2, 3:
            guard let agent = dice.pick(agents.suffix(8)) else { return }
            let stream = agent.stream
            device.ask(.cancel, ["stream_id": .string(stream)], .cancel(Cancel(stream: stream, seen: [stream])))
        case 4, 5:
            guard let send = dice.pick(device.sends.suffix(6).filter { $0.key != nil }) else { return }
            cancel(send, device)
        case 6:
            let session = anySession(of: room)
            let ofSession = (device.views[room]?.exchanges ?? []).filter { $0.sessionID == session }.map(\.streamID)
            device.ask(
                .cancel, ["session_id": .string(session)], .cancel(Cancel(seen: seen.filter(ofSession.contains))))
        default: device.ask(.cancel, ["room_id": .string(room)], .cancel(Cancel(seen: seen)))
        }
    }

    private func cancel(_ send: Send, _ device: Device) {
        let isOnThisLink = device.link.map {
            ordered["\($0.ref.text) \(send.place)"]?.contains { $0 === send } ?? false
        }
        device.ask(
            .cancel, ["room_id": .string(send.room), "message_id": .string(send.key ?? "")],
            .cancel(
                Cancel(
                    send: send, followsSend: isOnThisLink == true && send.transmissions == 1,
                    seen: send.stream.map { [$0] } ?? [])))
    }

    private func runningStreams(_ view: RoomView?) -> [String] {
        guard let view, view.isJoined else { return [] }
        return view.exchanges.filter { $0.state == .streaming }.map(\.streamID)
    }

    /// A cancel is accepted: its stream's agent has been told by now.
    func checkStopped(_ cancel: Cancel) {
        guard let stream = streamMeant(by: cancel), let agent = agents.first(where: { $0.stream == stream })
        else { return }
        check(agent.isTold || agent.hasEnded, "the cancel of \(stream) is accepted and its agent was not told")
    }

    /// The one stream that a cancel can only mean. A repeated message may be cancelled before the hub knows that it is
    /// one; what is stopped then is the turn that it would have been.
    private func streamMeant(by cancel: Cancel) -> String? {
        guard let send = cancel.send else { return cancel.stream }
        let isOnly = sends.count { $0.key == send.key && $0.user == send.user } == 1
        return isOnly && send.transmissions == 1 ? send.stream : nil
    }

    func answered(_ cancel: Cancel, _ frame: Frame, on link: Link) {
        if cancel.followsSend, frame.text("code") == ErrorCode.notFound.rawValue { cancel.send?.wasMissed = true }
        guard frame.type == "ack" else { return }
        guard frame.text("state") == "accepted" else { return }
        let isJoined = cancel.seen.filter { stream in
            link.device.views.values.contains { $0.isJoined && $0.exchange(ofStream: stream) != nil }
        }
        link.stopped.formUnion(isJoined)
        guard let stream = streamMeant(by: cancel) else { return }
        oracle.stopped.insert(stream)
        guard let exchange = oracle.exchange(ofStream: stream), let outcome = oracle.outcomes[exchange] else { return }
        check(
            [.cancelled, .interrupted].contains(outcome.status) || outcome.isLate,
            "\(stream) was cancelled and ended as \(outcome.status)")
    }
}
