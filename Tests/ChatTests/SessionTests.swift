import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Sessions open, are used, expire and close.
@Suite struct SessionTests {
    private static let halfHour: UInt64 = 30 * 60 * 1_000

    private func start(_ loops: Int, limits: Limits = Limits()) -> (HubWorld, String, TestClient) {
        let world = HubWorld(loops: loops, limits: limits)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.forgetFrames()
        return (world, room, client)
    }

    private func isFound(_ session: String, _ world: HubWorld, loop: Int = 0) -> Bool {
        guard case .success(.session(let found)) = world.request(.getSession(SessionID(session)), loop: loop) else {
            return false
        }
        return found.sessionID.text == session
    }

    private func turn(_ world: HubWorld, _ client: TestClient, _ room: String, _ session: String, key: String) {
        client.send(room, key, key: key, ["session_id": .string(session)])
        world.say(world.lastStream, "to \(key)")
        world.finish(world.lastStream)
    }

    @Test(arguments: [1, 2, 3]) func aSessionIsFoundByItsSlotFromAnyLoop(_ loops: Int) {
        let (world, room, client) = start(loops)
        let opened = client.ask("open-session", ["room_id": .string(room)])["session"]?.object ?? [:]
        let session = opened.text("session_id")
        #expect(session.hasPrefix("session_\(Slot(of: room).hex)"))
        #expect(opened.text("user_id") == "ann" && opened.text("room_id") == room)
        #expect(opened["expires_at"]?.string != nil)
        for loop in 0..<loops { #expect(isFound(session, world, loop: loop)) }
        let closed = world.connect("ann").ask("close-session", ["session_id": .string(session)])
        #expect(closed["session"]?.object?.text("session_id") == session)
        #expect(!isFound(session, world))
        let sent = client.send(room, "hello", key: "m1", ["session_id": .string(session)])
        #expect(sent.text("code") == "NOT_FOUND")
        world.expectConsistent()
        world.expectNoPermitTaken()
        #expect(world.gauges.sessionCount == 0)
    }

    @Test(arguments: [1, 3]) func whatIsNoSessionIsNotFound(_ loops: Int) {
        let (world, room, client) = start(loops)
        for name in ["session_\(Slot(of: room).hex)1234", "session_00ffabc", "nonsense", "session_", "session_zzzz1"] {
            for type in ["close-session", "reset", "clear-history", "cancel"] {
                #expect(client.ask(type, ["session_id": .string(name)]).text("code") == "NOT_FOUND", "\(type) \(name)")
            }
            #expect(!isFound(name, world))
        }
        world.expectConsistent()
    }

    @Test func onlyItsUserSendsInASession() {
        let (world, room, client) = start(2)
        let session = client.openSession(room)
        let bob = world.connect("bob")
        #expect(bob.send(room, "hi", key: "b1", ["session_id": .string(session)]).text("code") == "ACCESS_DENIED")
        let other = world.room("room_b")
        let elsewhere = client.send(other, "hi", key: "m1", ["session_id": .string(session)])
        #expect(elsewhere.text("code") == "VALIDATION_ERROR")
        let row = world.store.rooms[RoomID(room)]?.defaultSessionID.text ?? ""
        #expect(bob.send(room, "hi", key: "b2", ["session_id": .string(row)])["stream_id"] != nil)
        #expect(client.ask("close-session", ["session_id": .string(row)]).text("code") == "VALIDATION_ERROR")
        #expect(isFound(row, world))
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func itsEndSlides() {
        let (world, room, client) = start(2)
        let session = client.openSession(room)
        world.advance(milliseconds: Self.halfHour - 1_000)
        client.send(room, "first", key: "m1", ["session_id": .string(session)])
        for _ in 0..<80 {
            world.advance(milliseconds: 30_000)
            world.say(world.lastStream, "word ")
        }
        #expect(isFound(session, world), "a live stream keeps it")
        world.finish(world.lastStream)
        world.advance(milliseconds: Self.halfHour - 1)
        #expect(isFound(session, world))
        world.advance(milliseconds: 1)
        #expect(!isFound(session, world))
        #expect(client.send(room, "late", key: "m2", ["session_id": .string(session)]).text("code") == "NOT_FOUND")
        #expect(client.ask("cancel", ["session_id": .string(session)]).text("code") == "NOT_FOUND")
        #expect(world.gauges.sessionCount == 0)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2]) func aSessionOutlivesTheMemoryOfItsRoom(_ loops: Int) {
        let (world, room, client) = start(loops)
        let session = client.openSession(room)
        world.disconnect(client)
        world.advance(milliseconds: 6 * 60 * 1_000)
        #expect(world.hubs.allSatisfy { $0.rooms.isEmpty && $0.sessionRooms.isEmpty })
        #expect(world.gauges.sessionCount == 0)
        #expect(isFound(session, world, loop: loops - 1))
        let after = HubWorld(loops: 3, seed: 2, before: world)
        let back = after.connect(loop: 2)
        #expect(back.send(room, "hello", key: "m1", ["session_id": .string(session)])["stream_id"] != nil)
        after.finish(after.lastStream)
        after.advance(milliseconds: Self.halfHour)
        #expect(!isFound(session, HubWorld(loops: 1, before: after)))
        after.expectConsistent()
    }

    @Test func withoutARoomOneIsMadeAndCounts() {
        var limits = Limits()
        limits.roomsPerUser = 2
        let world = HubWorld(loops: 2, limits: limits)
        for _ in 0..<2 {
            guard case .success(.session(let session)) = world.request(.openSession(nil)) else {
                Issue.record("no session")
                return
            }
            #expect(world.store.rooms[session.roomID]?.userID == UserID("ann"))
            #expect(session.expiresAt != nil && session.userID == UserID("ann"))
            #expect(isFound(session.sessionID.text, world, loop: 1))
        }
        let sessions = world.store.sessions.count
        guard case .failure(let error) = world.request(.openSession(nil)) else {
            Issue.record("one too many")
            return
        }
        #expect(error.code == .roomLimitExceeded)
        #expect(world.store.sessions.count == sessions)
        #expect(world.gauges.sessionCount == 2)
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func sessionsStreamBesideEachOther(_ loops: Int) {
        let (world, room, client) = start(loops)
        let sessions = (0..<2).map { _ in client.openSession(room) }
        for (index, session) in sessions.enumerated() {
            client.send(room, "one", key: "a\(index)", ["session_id": .string(session)])
            let queued = client.send(room, "two", key: "b\(index)", ["session_id": .string(session)])
            #expect(queued["queued"] == true)
        }
        #expect(world.runningAgents.count == 2)
        #expect(world.gauges.streamCount == 4)
        for stream in world.runningAgents { world.say(stream, "text of \(stream)") }
        for stream in world.runningAgents { world.finish(stream) }
        #expect(world.runningAgents.count == 2, "the waiting ones")
        for stream in world.runningAgents { world.finish(stream) }
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func closingCancelsAndAClosedSessionStaysClosed() {
        let (world, room, client) = start(2)
        world.agentsConfirm = false
        let session = client.openSession(room)
        client.send(room, "one", key: "m1", ["session_id": .string(session)])
        client.send(room, "two", key: "m2", ["session_id": .string(session)])
        let stream = world.lastStream
        #expect(client.ask("close-session", ["session_id": .string(session)])["session"] != nil)
        let late = client.send(room, "late", key: "m3", ["session_id": .string(session)])
        #expect(late.text("code") == "NOT_FOUND")
        world.agent(stream, .ended(.cancelled))
        #expect(client.all("stream-ended").map { $0.text("status") } == ["cancelled", "cancelled"])
        #expect(!isFound(session, world), "the end of its stream does not bring it back")
        #expect(world.store.exchanges.count == 2, "its exchanges stay")
        #expect(world.gauges.sessionCount == 0)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aCloseThatIsNotStoredClosesNothing() {
        let (world, room, client) = start(2)
        let session = client.openSession(room)
        world.store.fails = { if case .closeSession = $0 { true } else { false } }
        #expect(client.ask("close-session", ["session_id": .string(session)]).text("code") == "STORAGE_UNAVAILABLE")
        world.store.fails = { _ in false }
        #expect(isFound(session, world))
        world.expectConsistent()
    }

    // MARK: - Interrupt and stop

    @Test(arguments: [1, 2, 3]) func interruptEndsWhatRunsAndWaits(_ loops: Int) {
        let (world, room, client) = start(loops)
        client.send(room, "one", key: "m1")
        client.send(room, "two", key: "m2")
        world.say(world.lastStream, "part")
        let sent = client.send(room, "three", key: "m3", ["if_busy": "interrupt"])
        #expect(client.all("stream-ended").map { $0.text("status") } == ["cancelled", "cancelled"])
        #expect(world.lastStream == sent.text("stream_id"))
        #expect(world.agents.last?.input == "three")
        world.say(world.lastStream, "answer")
        world.finish(world.lastStream)
        #expect(client.last("stream-ended").text("status") == "completed")
        #expect(client.text(sent.text("stream_id")) == "answer")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func withoutAPermitNothingIsInterrupted() {
        var limits = Limits()
        limits.streamsPerUser = 1
        let (world, room, client) = start(2, limits: limits)
        client.send(room, "one", key: "m1")
        let sent = client.send(room, "two", key: "m2", ["if_busy": "interrupt"])
        #expect(sent.text("code") == "STREAM_LIMIT_EXCEEDED")
        #expect(world.cancelled.isEmpty && client.all("stream-ended").isEmpty)
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [true, false]) func aMessageThatIsThereAlreadyInterruptsNothing(_ isStored: Bool) {
        let (world, room, client) = start(2)
        let interrupt: JSONObject = ["if_busy": "interrupt"]
        client.send(room, "one", key: "m1", interrupt)
        let first = world.lastStream
        if isStored {
            #expect(client.send(room, "one", key: "m1", interrupt)["duplicate"] == true, "its own answer goes on")
            world.say(first, "answer")
            world.finish(first)
            client.send(room, "two", key: "m2")
            #expect(client.send(room, "one", key: "m1", interrupt).text("status") == "completed")
        } else {
            world.store.fails = { if case .insertMessage = $0 { true } else { false } }
            #expect(client.send(room, "two", key: "m2", interrupt).text("code") == "STORAGE_UNAVAILABLE")
            world.store.fails = { _ in false }
        }
        #expect(world.cancelled.isEmpty)
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [true, false]) func stopTellsThePartialText(_ confirms: Bool) {
        let (world, room, client) = start(2)
        world.agentsConfirm = confirms
        let session = client.openSession(room)
        let id = SessionID(session)
        func partial() -> String?? {
            guard case .success(.stopped(_, let partial)) = world.request(.stopSession(id)) else { return nil }
            return partial
        }
        #expect(partial() == .some(nil), "nothing runs")
        client.send(room, "one", key: "m1", ["session_id": .string(session)])
        let stream = world.lastStream
        world.say(stream, "half an ")
        #expect(partial() == "half an ")
        if !confirms {
            #expect(partial() == .some(nil), "it was stopped before")
            client.send(room, "two", key: "m2", ["session_id": .string(session)])
            #expect(partial() == "", "what waits behind it is stopped too")
            world.agent(stream, .ended(.cancelled))
        }
        #expect(world.agents.count == 1)
        #expect(client.all("stream-ended").allSatisfy { $0.text("status") == "cancelled" })
        #expect(client.text(stream) == "half an ")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }
}
