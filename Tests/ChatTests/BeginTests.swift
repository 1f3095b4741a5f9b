import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// A room or a session that is made for a message is made with it, or not at all.
@Suite struct BeginTests {
    private func send(_ text: String = "hello", key: String? = nil, agent: String? = nil, in room: String = "")
        -> SendRequest
    {
        var send = SendRequest(roomID: RoomID(room), text: text, messageID: key)
        send.agentType = agent
        send.opensSession = true
        return send
    }

    private func code(_ result: Result<Ack, HubError>?) -> String {
        if case .failure(let error)? = result { error.code.rawValue } else { "" }
    }

    @Test(arguments: [1, 3]) func aRoomIsMadeWithItsFirstMessage(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let watcher = world.connect("ann", loop: loops - 1)
        guard case .success(.begun(let session, let receipt))? = world.request(.begin(send())) else {
            Issue.record("it did not begin")
            return
        }
        #expect(session.userID == UserID("ann"))
        #expect(world.store.exchanges.map(\.exchangeID) == [receipt.exchangeID])
        #expect(world.store.exchanges.map(\.roomID) == [session.roomID])
        #expect(world.store.sessions[session.sessionID] == session)
        #expect(watcher.last("room-added")["room"]?.object?.text("room_id") == session.roomID.text)
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func whatIsRefusedLeavesNoRoomAndNoSession() {
        var limits = Limits()
        limits.streamsPerUser = 1
        limits.roomsPerUser = 2
        let world = HubWorld(loops: 2, limits: limits)
        let room = world.room("room_b", owner: "ben")
        for _ in 0..<5 {
            #expect(code(world.request(.begin(send(agent: "nobody")))) == "VALIDATION_ERROR")
            #expect(code(world.request(.send(send(agent: "nobody", in: room)))) == "VALIDATION_ERROR")
        }
        #expect(world.store.rooms.count == 1 && world.store.sessions.count == 1)
        #expect(world.hubs.allSatisfy { $0.rooms.keys.allSatisfy { $0.text == room } })
        #expect(code(world.request(.begin(send()))) == "")
        #expect(code(world.request(.begin(send()))) == "STREAM_LIMIT_EXCEEDED")
        world.finish(world.lastStream)
        #expect(code(world.request(.begin(send()))) == "")
        world.finish(world.lastStream)
        #expect(code(world.request(.begin(send()))) == "ROOM_LIMIT_EXCEEDED")
        #expect(world.gauges.sessionCount == 2)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func whatIsNotStoredLeavesNothing() {
        let world = HubWorld(loops: 1)
        let room = world.room("room_b")
        world.store.fails = { if case .insertMessage = $0 { true } else { false } }
        #expect(code(world.request(.begin(send()))) == "STORAGE_UNAVAILABLE")
        #expect(code(world.request(.send(send(in: room)))) == "STORAGE_UNAVAILABLE")
        #expect(world.store.rooms.count == 1 && world.gauges.sessionCount == 0)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aRepetitionOpensNoSession() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        world.storeAnswers = false
        for _ in 0..<2 { world.request(.send(send(key: "m1", in: room))) }
        world.releaseStore()
        world.finish(world.lastStream)
        world.request(.send(send(key: "m1", in: room)))
        let answers = world.httpAnswers.suffix(3).map { answer -> (String, ExchangeID?, ExchangeStatus?) in
            guard case .success(.begun(let session, let receipt)) = answer else { return ("", nil, nil) }
            return (session.sessionID.text, receipt.exchangeID, receipt.duplicateStatus)
        }
        #expect(Set(answers.map(\.1)).count == 1 && answers[0].1 != nil)
        #expect(answers[0].0 == answers[1].0 && answers[2].0 == "session_\(Slot(of: room).hex)default")
        #expect(answers.map(\.2) == [nil, .waiting, .completed])
        #expect(world.store.sessions.count == 2 && world.gauges.sessionCount == 1)
        world.expectConsistent()
    }

    @Test func aRoomHasSoManySessionsAndNoMore() {
        var limits = Limits()
        limits.sessionsPerRoom = 2
        let world = HubWorld(loops: 1, limits: limits)
        let room = world.room()
        let client = world.connect()
        let first = client.openSession(room)
        #expect(!client.openSession(room).isEmpty)
        #expect(client.ask("open-session", ["room_id": .string(room)]).text("code") == "VALIDATION_ERROR")
        #expect(code(world.request(.send(send(in: room)))) == "VALIDATION_ERROR")
        client.ask("close-session", ["session_id": .string(first)])
        #expect(!client.openSession(room).isEmpty)
        world.advance(milliseconds: 31 * 60 * 1000)
        #expect(!client.openSession(room).isEmpty, "those have expired")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func theSameTextIsTheSameBytes() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let session = world.connect().openSession(room)
        for text in ["caf\u{e9}", "cafe\u{301}"] {
            var request = SendRequest(roomID: RoomID(room), text: text)
            request.sessionID = SessionID(session)
            request.joinsSameText = true
            world.request(.send(request))
        }
        #expect(world.store.exchanges.flatMap(\.messages).count == 2)
    }
}
