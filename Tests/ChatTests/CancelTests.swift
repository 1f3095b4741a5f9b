import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Stop means stop.
@Suite struct CancelTests {
    enum Aim: CaseIterable { case stream, session, room, message }

    private func start(_ loops: Int) -> (HubWorld, String, TestClient) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.forgetFrames()
        return (world, room, client)
    }

    private func fields(_ aim: Aim, _ world: HubWorld, _ room: String, key: String) -> JSONObject {
        switch aim {
        case .stream: ["stream_id": .string(world.lastStream)]
        case .session: ["session_id": .string(world.agents.last?.sessionID.text ?? "")]
        case .room: ["room_id": .string(room)]
        case .message: ["room_id": .string(room), "message_id": .string(key)]
        }
    }

    @Test(arguments: [1, 2, 3], Aim.allCases) func anySocketMayCancel(_ loops: Int, _ aim: Aim) {
        let (world, room, client) = start(loops)
        let other = world.connect("ann", loop: 0)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.say(stream, "part")
        #expect(other.ask("cancel", fields(aim, world, room, key: "m1")).text("state") == "accepted")
        #expect(world.cancelled == [stream])
        #expect(client.last("stream-ended").text("status") == "cancelled")
        #expect(client.last("stream-ended").number("length") == 4)
        #expect(world.store.exchange(of: stream)?.text == "part")
        let again = other.ask("cancel", ["stream_id": .string(stream)])
        #expect(again.text("state") == "ended")
        #expect(again.text("status") == "cancelled")
        #expect(world.cancelled.count == 1)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    /// Said again while the upstream closes, and after the end: one cancel, and always an answer.
    @Test(arguments: [1, 2, 3], Aim.allCases) func aCancelMayBeRepeated(_ loops: Int, _ aim: Aim) {
        let (world, room, client) = start(loops)
        world.agentsConfirm = false
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.say(stream, "part")
        let devices = (0..<loops).map { world.connect("ann", loop: $0) }
        for device in devices + [client] {
            #expect(device.ask("cancel", fields(aim, world, room, key: "m1")).text("state") == "accepted")
        }
        #expect(world.cancelled == [stream])
        world.agent(stream, .ended(.cancelled))
        for device in devices {
            let answer = device.ask("cancel", fields(aim, world, room, key: "m1"))
            #expect(answer.text("state") == "ended")
            let knowsOne = aim == .stream || aim == .message
            #expect(answer["status"]?.string == (knowsOne ? "cancelled" : nil))
        }
        #expect(client.all("stream-ended").count == 1)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    /// The upstream is closed, then text and usage are on disk, then everyone is told.
    @Test(arguments: [1, 2, 3]) func theEndIsToldWhenAllIsDone(_ loops: Int) {
        let (world, room, client) = start(loops)
        world.agentsConfirm = false
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.say(stream, "12345")
        #expect(client.ask("cancel", ["stream_id": .string(stream)]).text("state") == "accepted")
        #expect(world.cancelled == [stream])
        #expect(client.all("stream-ended").isEmpty, "the upstream has not confirmed")
        world.storeAnswers = false
        world.agent(stream, .ended(.cancelled))
        #expect(client.all("stream-ended").isEmpty, "the outcome is not on disk")
        world.releaseStore()
        let usage: JSONObject = ["completion_tokens": 2, "estimated": true]
        #expect(client.last("stream-ended")["usage"]?.object == usage)
        let row = world.store.exchange(of: stream)
        #expect(row?.status == .cancelled && row?.text == "12345")
        #expect(row?.usage == Usage(completionTokens: 2, isEstimated: true))
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2]) func aCancelThatCannotBeLookedUpIsAnswered(_ loops: Int) {
        let (world, room, client) = start(loops)
        let session = client.openSession(room)
        client.ask("close-session", ["session_id": .string(session)])
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.finish(stream)
        let aims: [JSONObject] = [
            ["stream_id": .string(stream)], ["session_id": .string(session)],
            ["room_id": .string(room), "message_id": "m1"],
        ]
        let elsewhere = HubWorld(loops: loops, seed: 5, before: world)
        let late = elsewhere.connect()
        elsewhere.store.fails = { _ in true }
        for aim in aims { #expect(late.ask("cancel", aim).text("code") == "STORAGE_UNAVAILABLE") }
        elsewhere.store.fails = { _ in false }
        let answers = aims.map { late.ask("cancel", $0) }
        #expect(answers.map { $0.text("state") } == ["ended", "", "ended"])
        #expect(answers.map { $0.text("status") } == ["completed", "", "completed"])
        #expect(answers[1].text("code") == "NOT_FOUND")
        elsewhere.expectConsistent()
    }

    @Test func whatIsNotThereIsNotFound() {
        let (world, room, client) = start(2)
        for fields: JSONObject in [
            ["stream_id": "stream_00ffabcdef"], ["stream_id": "nonsense"], ["room_id": "room_none"],
            ["session_id": "session_00ffabcdef"], ["session_id": "nonsense"],
            ["room_id": .string(room), "message_id": "never"],
        ] {
            #expect(client.ask("cancel", fields).text("code") == "NOT_FOUND")
        }
        #expect(client.ask("cancel", ["room_id": .string(room)]).text("state") == "ended")
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func aCancelBeforeTheCommitEndsTheTurnUnstarted(_ loops: Int) {
        let (world, room, client) = start(loops)
        world.storeAnswers = false
        client.postSend(room, "hello", key: "m1")
        let answer = client.ask("cancel", ["room_id": .string(room), "message_id": "m1"])
        #expect(answer.text("state") == "accepted")
        world.releaseStore()
        #expect(client.frames.map { $0.text("type") } == ["ack", "ack", "message", "stream-ended"])
        #expect(client.last("stream-ended").number("length") == 0)
        #expect(client.last("stream-ended").text("status") == "cancelled")
        #expect(world.agents.isEmpty)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aWaitingTurnIsCancelledAloneByItsMessage() {
        let (world, room, client) = start(2)
        client.send(room, "first", key: "m1")
        client.send(room, "second", key: "m2")
        client.send(room, "third", key: "m3")
        let answer = client.ask("cancel", ["room_id": .string(room), "message_id": "m3"])
        #expect(answer.text("state") == "accepted")
        #expect(client.last("stream-ended").number("length") == 0)
        #expect(world.cancelled.isEmpty)
        world.say(world.lastStream, "answer")
        world.finish(world.lastStream)
        #expect(world.agents.count == 1)
        let history = client.join(room)["history"]?.array ?? []
        #expect(
            history.map { $0.object?.text("status") } == ["completed", "cancelled"], "in the order of first commits")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aRoomsCancelTakesRunningAndWaitingTurns() {
        let (world, room, client) = start(2)
        client.send(room, "first", key: "m1")
        client.send(room, "second", key: "m2")
        client.ask("cancel", ["room_id": .string(room)])
        #expect(client.all("stream-ended").map { $0.text("status") } == ["cancelled", "cancelled"])
        #expect(world.agents.count == 1)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func theFirstCauseWins() {
        let (world, room, client) = start(2)
        client.send(room, "hello", key: "m1")
        world.storeAnswers = false
        world.finish(world.lastStream)
        let late = client.ask("cancel", ["stream_id": .string(world.lastStream)])
        #expect(late.text("state") == "ended")
        #expect(late.text("status") == "completed")
        world.releaseStore()
        #expect(client.last("stream-ended").text("status") == "completed")
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func aSlowSocketGetsAcceptedBetweenTheChunksAndTheEnd(_ loops: Int) {
        let (world, room, client) = start(loops)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        client.budget = 100
        for index in 0..<200 { world.say(stream, "word \(index) ") }
        client.postCancel(stream)
        world.run()
        client.postSend(room, "next", key: "m2")
        world.run()
        client.forgetFrames()
        for _ in 0..<500 { client.read(37) }
        client.read(.max)
        let types = client.frames.map { $0.text("type") }.filter { $0 != "chunk" }
        #expect(types.prefix(2) == ["ack", "stream-ended"] || types.prefix(3) == ["ack", "ack", "stream-ended"])
        #expect(client.text(stream) == world.said[stream])
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    @Test func noKeptSnapshotLetsChunksFollowAccepted() {
        let (world, room, client) = start(2)
        world.agentsConfirm = false
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        client.join(room)
        world.say(stream, "after the snapshot")
        client.postCancel(stream)
        world.run()
        client.join(room)
        #expect(client.text(stream) == "after the snapshot")
        world.finish(stream)
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func aLostConnectionIsNeverACancel(_ loops: Int) {
        let (world, room, client) = start(loops)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.say(stream, "one ")
        world.disconnect(client)
        world.run()
        world.say(stream, "two")
        #expect(world.cancelled.isEmpty)
        world.finish(stream)
        #expect(world.store.exchange(of: stream)?.text == "one two")
        #expect(world.store.exchange(of: stream)?.status == .completed)
        world.expectNoPermitTaken()
    }
}
