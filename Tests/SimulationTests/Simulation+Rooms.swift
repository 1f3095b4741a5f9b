import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

// What clients ask of rooms and sessions, over WebSockets and over HTTP.
extension Simulation {
    func askOfSession(_ device: Device) {
        let room = dice.pick(device.wanted) ?? anyRoom()
        let session = anySession(of: room)
        let choice = dice.below(10)
        if choice > 4 { forgotten.formUnion(oracle.sessions.filter { $0.id == session }.map(\.room) + [room]) }
        switch choice {
        case 0, 1, 2, 3: device.ask(.openSession, ["room_id": .string(room)])
        case 4: device.ask(.closeSession, ["session_id": .string(session)])
        case 5, 6: device.ask(.reset, ["session_id": .string(session)])
        case 7: device.ask(.reset, ["session_id": .string(session), "agent_type": "guide"])
        case 8: device.ask(.clearHistory, ["session_id": .string(session)])
        default: device.ask(.clearHistory, ["room_id": .string(room)])
        }
    }

    func askOfRoom(_ device: Device, _ number: Int) {
        let room = anyRoom()
        switch dice.below(14) {
        case 12:
            rolesAsked.insert(room)
            let role = dice.chance(1, in: 2) ? "editor" : "viewer"
            device.ask(.setMember, ["room_id": .string(room), "user_id": .string(anyUser()), "role": .string(role)])
        case 13: device.ask(.removeMember, ["room_id": .string(room), "user_id": .string(anyUser())])
        case 0, 1: device.ask(.createRoom, ["room_name": .string("made \(number)")])
        case 2, 3, 4: device.ask(.updateRoom, ["room_id": .string(room), "room_name": .string("named \(number)")])
        case 5:
            deletionsAsked.insert(room)
            device.ask(.deleteRoom, ["room_id": .string(room)])
        case 6: device.ask(.getRoom, ["room_id": .string(room)])
        case 7: device.ask(.listRooms, [:])
        case 8, 9: device.ask(.history, ["room_id": .string(room), "limit": .int(Int64(1 + dice.below(5)))])
        default: device.ask(.ping, [:])
        }
    }

    private func anyUser() -> String { ["ann", "bob", "cyd"][dice.below(3)] }

    func tellState(_ device: Device) {
        let room = dice.pick(device.wanted) ?? anyRoom()
        switch dice.below(4) {
        case 0, 1: device.ask(.typing, ["room_id": .string(room), "active": .bool(dice.chance(2, in: 3))])
        case 2:
            guard let exchange = dice.pick(device.views[room]?.exchanges ?? []) else { return }
            device.ask(.read, ["room_id": .string(room), "exchange_id": .string(exchange.id)])
        default:
            // Neither a frame nor JSON: it is refused, and nothing else happens.
            device.link?.upstream.append(Array("{\"type\":\"join\",".utf8))
        }
    }

    /// More than the hub wants to hold for one socket.
    func flood(_ device: Device) {
        for _ in 0..<(150 + dice.below(200)) { device.ask(.getRoom, ["room_id": .string(anyRoom())]) }
    }

    // MARK: - Over HTTP

    func askOverHTTP(_ step: Step) {
        let room = anyRoom()
        let session = SessionID(anySession(of: room))
        switch dice.below(7) {
        case 0: request(.openSession(RoomID(room)))
        case 1: request(.openSession(nil))
        case 2: request(.getSession(session))
        case 3: request(.stopSession(session))
        case 4: request(.historyPage(HistoryFilter(roomID: RoomID(room)), limit: 5, offset: dice.below(3)))
        case 5: request(.cancel(.room(RoomID(room), messageID: nil)))
        default:
            var send = SendRequest(roomID: RoomID(room), text: text(step.number, "post"))
            send.sessionID = session
            request(.send(send))
        }
    }

    private func request(_ request: ClientRequest) {
        guard !gauges.isDraining else { return }
        let ref = nextRef(dice.below(loops))
        webRequests[ref] = "\(request)"
        note("HTTP asks \(request)")
        let user = UserID(dice.pick(devices)?.user ?? "ann")
        onLoop(ref.loop) { $0.request(request, user: user, from: ref, now: now) }
    }

    /// An HTTP request, or an event stream's, is answered.
    func answered(_ ref: ConnectionRef, _ result: Result<Ack, HubError>) {
        note("HTTP hears \("\(result)".prefix(200))")
        if let reader = readers.last(where: { $0.ref == ref }) {
            reader.answer = result
            return
        }
        check(webRequests.removeValue(forKey: ref) != nil, "an HTTP request is answered twice")
        guard case .success(.sent(let receipt)) = result else { return }
        check(
            oracle.commitOrder[receipt.exchangeID.text] != nil,
            "\(receipt.exchangeID) is acknowledged over HTTP and not stored")
    }
}
