import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Idempotency, busy sessions and permits.
@Suite struct SendTests {
    private func start(_ loops: Int, limits: Limits = Limits()) -> (HubWorld, String, TestClient) {
        let world = HubWorld(loops: loops, limits: limits)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.forgetFrames()
        return (world, room, client)
    }

    // MARK: - Idempotency

    @Test(arguments: [1, 2, 3]) func theSameKeyGetsTheSameAnswer(_ loops: Int) {
        let (world, room, client) = start(loops)
        let other = world.connect(loop: 0)
        world.storeAnswers = false
        client.postSend(room, "hello", key: "m1")
        world.run()
        other.postSend(room, "hello", key: "m1")
        let conflict = other.ask("send", ["room_id": .string(room), "text": "else", "message_id": "m1"])
        #expect(conflict.text("code") == "IDEMPOTENCY_CONFLICT")
        world.releaseStore()
        let first = client.answer(to: "m1")
        #expect(first["duplicate"] == nil)
        #expect(other.answer(to: "m1")["duplicate"] == true)
        #expect(other.answer(to: "m1").text("stream_id") == first.text("stream_id"))
        world.finish(world.lastStream)
        let late = other.ask("send", ["room_id": .string(room), "text": "hello", "message_id": "m1"])
        #expect(late["duplicate"] == true)
        #expect(late.text("status") == "completed")
        #expect(late.text("exchange_id") == first.text("exchange_id"))
        let lateConflict = other.ask("send", ["room_id": .string(room), "text": "else", "message_id": "m1"])
        #expect(lateConflict.text("code") == "IDEMPOTENCY_CONFLICT")
        #expect(world.agents.count == 1)
        #expect(client.all("message").count == 1)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aRefusedSendDoesNotConsumeItsKey() {
        let (world, room, client) = start(2)
        client.send(room, "first", key: "m1")
        let refusal = client.ask(
            "send", ["room_id": .string(room), "text": "second", "message_id": "m2", "if_busy": "reject"])
        #expect(refusal.text("code") == "STREAM_ACTIVE")
        world.finish(world.lastStream)
        #expect(client.send(room, "another text", key: "m2")["duplicate"] == nil)
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aSendRefusedForBeingBusyGetsItsStoredAnswer() {
        let (world, room, client) = start(2)
        let first = client.send(room, "first", key: "m1")
        world.finish(world.lastStream)
        client.send(room, "second", key: "m2")
        let again = client.ask(
            "send", ["room_id": .string(room), "text": "first", "message_id": "m1", "if_busy": "reject"])
        #expect(again["duplicate"] == true)
        #expect(again.text("exchange_id") == first.text("exchange_id"))
        world.drain()
        #expect(client.send(room, "first", key: "m1")["duplicate"] == true)
        world.finish(world.lastStream)
        world.expectNoPermitTaken()
        world.expectConsistent()
    }

    @Test func aMessageThatOpensAnExchangeMayTurnOutToBeADuplicate() {
        let (world, room, client) = start(2)
        client.send(room, "first", key: "m1")
        world.finish(world.lastStream)
        client.send(room, "second", key: "m2")
        world.storeAnswers = false
        client.postSend(room, "first", key: "m1")
        client.postSend(room, "third", key: "m3")
        world.run()
        world.releaseStore()
        #expect(client.answer(to: "m1")["duplicate"] == true)
        #expect(client.answer(to: "m3")["queued"] == true)
        world.finish(world.lastStream)
        #expect(world.agents.last?.input == "third")
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    // MARK: - Queue

    @Test(arguments: [1, 2, 3]) func fiveRapidSendsBecomeTwoTurns(_ loops: Int) {
        let (world, room, client) = start(loops)
        for index in 1...5 { client.postSend(room, "text \(index)", key: "m\(index)") }
        world.run()
        let answers = (1...5).map { client.answer(to: "m\($0)") }
        #expect(answers[0]["queued"] == nil)
        #expect(answers[1...].allSatisfy { $0["queued"] == true })
        #expect(Set(answers.map { $0.text("exchange_id") }).count == 2)
        #expect(client.all("message").map { $0.text("text") } == (1...5).map { "text \($0)" })
        #expect(world.agents.map(\.input) == ["text 1"])
        world.finish(world.lastStream)
        #expect(world.agents.map(\.input) == ["text 1", "text 2\ntext 3\ntext 4\ntext 5"])
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func sixteenMessagesWaitAndTheSeventeenthIsRefused() {
        let (world, room, client) = start(2)
        client.send(room, "first", key: "m0")
        for index in 1...16 { #expect(client.send(room, "w", key: "m\(index)")["queued"] == true) }
        #expect(client.send(room, "w", key: "m17").text("code") == "QUEUE_FULL")
        #expect(client.send(room, "w", key: "m3")["duplicate"] == true, "a stored key gets its stored answer")
        world.finish(world.lastStream)
        #expect(world.agents.last?.input.utf8.count == 31)
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func anotherUserOrAgentOpensAnotherTurn() {
        let (world, room, client) = start(2)
        let bob = world.connect("bob", loop: 1)
        client.send(room, "1", key: "m1")
        client.send(room, "2", key: "m2")
        bob.send(room, "3", key: "m3")
        bob.ask("send", ["room_id": .string(room), "text": "4", "agent_type": "other"])
        bob.ask("send", ["room_id": .string(room), "text": "5", "agent_type": "other"])
        for _ in 0..<4 { world.finish(world.lastStream) }
        #expect(world.agents.map(\.input) == ["1", "2", "3", "4\n5"])
        #expect(world.agents.map(\.userID.text) == ["ann", "ann", "bob", "bob"])
        #expect(world.agents.map(\.agentType) == ["guide", "guide", "guide", "other"])
        let unknown = bob.ask("send", ["room_id": .string(room), "text": "6", "agent_type": "nobody"])
        #expect(unknown.text("code") == "VALIDATION_ERROR")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aTurnStartsWhenItsLastCommitHasReturned() {
        let (world, room, client) = start(1)
        client.send(room, "1", key: "m1")
        world.storeAnswers = false
        client.postSend(room, "2", key: "m2")
        client.postSend(room, "3", key: "m3")
        world.finish(world.lastStream)
        while client.all("stream-ended").isEmpty { world.answerOne() }
        #expect(world.agents.count == 1 || world.agents.last?.input == "2\n3")
        world.releaseStore()
        #expect(world.agents.map(\.input) == ["1", "2\n3"])
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    // MARK: - Permits

    @Test(arguments: [1, 2, 3]) func theSixthStreamOfAUserIsRefused(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let client = world.connect()
        let rooms = (0..<6).map { world.room("room_\($0)") }
        for room in rooms.prefix(5) { #expect(client.send(room, "hello", key: room)["stream_id"] != nil) }
        #expect(client.send(rooms[5], "hello", key: rooms[5]).text("code") == "STREAM_LIMIT_EXCEEDED")
        #expect(world.connect("bob").send(rooms[5], "hello", key: "b")["stream_id"] != nil)
        world.finish(world.agents[0].streamID.text)
        #expect(client.send(rooms[0], "more", key: "m6")["stream_id"] != nil)
        for stream in world.runningAgents { world.finish(stream) }
        world.expectNoPermitTaken()
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func noPermitIsEverLost(_ loops: Int) {
        let (world, room, client) = start(loops)
        for round in 0..<12 {
            let key = "m\(round)"
            client.send(room, "hello", key: key)
            switch round % 6 {
            case 0: world.finish(world.lastStream)
            case 1: client.ask("cancel", ["room_id": .string(room)])
            case 2: world.agent(world.lastStream, .ended(.failed(.agentFailed, "it broke")))
            case 3:
                client.send(room, "hello", key: key)
                world.finish(world.lastStream)
            case 4:
                client.ask("send", ["room_id": .string(room), "text": "x", "if_busy": "reject"])
                client.ask("send", ["room_id": "room_none", "text": "x"])
                world.finish(world.lastStream)
            default:
                world.store.fails = { if case .insertMessage = $0 { true } else { false } }
                #expect(client.send(room, "lost", key: key + "x").text("code") == "STORAGE_UNAVAILABLE")
                world.store.fails = { _ in false }
                world.finish(world.lastStream)
            }
            world.expectNoPermitTaken()
        }
        world.expectConsistent()
    }

    @Test func theNodeHasALimitToo() {
        var limits = Limits()
        limits.streamsPerNode = 2
        let world = HubWorld(loops: 2, limits: limits)
        let client = world.connect()
        let rooms = (0..<3).map { world.room("room_\($0)") }
        for room in rooms.prefix(2) { client.send(room, "hello", key: room) }
        #expect(client.send(rooms[2], "hello", key: "m").text("code") == "CAPACITY_EXCEEDED")
        for stream in world.runningAgents { world.finish(stream) }
        #expect(client.send(rooms[2], "hello", key: "m")["stream_id"] != nil)
        world.finish(world.lastStream)
        world.expectNoPermitTaken()
    }

    @Test func uncommittedSendsCountAsWaiting() {
        var limits = Limits()
        limits.streamsPerUser = 100
        let world = HubWorld(loops: 1, limits: limits)
        let room = world.room()
        let clients = (0..<5).map { world.connect("user\($0)") }
        for client in clients { client.join(room) }
        world.storeAnswers = false
        // One runs, sixteen wait: a session's queue is full long before 64 sends of its room are uncommitted.
        for index in 0..<80 { clients[index % 5].postSend(room, "x", key: "m\(index)") }
        world.run()
        #expect(world.requestsHeld.count { if case .insertMessage = $0 { true } else { false } } == 17)
        world.releaseStore()
        while let stream = world.runningAgents.first { world.finish(stream) }
        world.expectConsistent()
        world.expectNoPermitTaken()
    }
}
