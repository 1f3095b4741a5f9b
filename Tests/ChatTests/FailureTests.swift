import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Storage that fails, a server that stops.
@Suite struct FailureTests {
    private func start(_ loops: Int) -> (HubWorld, String, TestClient) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.forgetFrames()
        return (world, room, client)
    }

    @Test(arguments: [1, 2]) func aMessageThatIsNotStoredIsNotInTheLog(_ loops: Int) {
        let (world, room, client) = start(loops)
        world.store.fails = { if case .insertMessage = $0 { true } else { false } }
        #expect(client.send(room, "hello", key: "m1").text("code") == "STORAGE_UNAVAILABLE")
        #expect(client.frames.count == 1)
        #expect(world.agents.isEmpty)
        world.expectNoPermitTaken()
        world.store.fails = { _ in false }
        #expect(client.send(room, "hello", key: "m1")["duplicate"] == nil)
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    @Test func aCheckpointThatFailsIsNotTriedAgainAtOnce() {
        let (world, room, client) = start(1)
        client.send(room, "hello", key: "m1")
        var tried = 0
        world.store.fails = {
            if case .appendSegment = $0 { tried += 1 }
            return if case .appendSegment = $0 { true } else { false }
        }
        world.say(world.lastStream, String(repeating: "x", count: 5_000))
        #expect(tried == 1)
        world.advance(milliseconds: 1_000)
        #expect((3...5).contains(tried))
        world.store.fails = { _ in false }
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    @Test func nothingIsClearedThatHasEndedForEveryoneButTheDisk() {
        let (world, room, client) = start(1)
        client.send(room, "hello", key: "m1")
        world.store.fails = { if case .finishExchange = $0 { true } else { false } }
        world.finish(world.lastStream)
        world.advance(milliseconds: 11_000)
        #expect(client.last("stream-ended").text("status") == "failed")
        #expect(client.ask("clear-history", ["room_id": .string(room)]).text("code") == "STORAGE_UNAVAILABLE")
        world.store.fails = { _ in false }
        world.advance(milliseconds: 5_000)
        #expect(client.ask("clear-history", ["room_id": .string(room)])["conversations_cleared"] == 1)
        #expect(world.store.exchanges.isEmpty)
        world.expectConsistent()
    }

    @Test func aHistoryThatCouldNotBeReadAnewIsReadLater() {
        let (world, room, client) = start(1)
        client.send(room, "hello", key: "m1")
        world.finish(world.lastStream)
        let exchange = client.last("message").text("exchange_id")
        client.post("read", ["room_id": .string(room), "exchange_id": .string(exchange)])
        world.run()
        func marks() -> Int? { client.states["read"]?[room]?["marks"]?.array?.count }
        #expect(marks() == 1)
        world.store.fails = { if case .loadRoom = $0 { true } else { false } }
        client.ask("clear-history", ["room_id": .string(room)])
        world.advance(milliseconds: 2_000)
        #expect(marks() == 1)
        world.store.fails = { _ in false }
        world.advance(milliseconds: 2_000)
        #expect(marks() == 0)
        world.expectConsistent()
    }

    @Test func nothingIsGivenUpWhileTheHistoryIsCleared() {
        let (world, room, client) = start(1)
        client.send(room, "hello", key: "m1")
        let isOutcome = { (request: StorageRequest) in if case .finishExchange = request { true } else { false } }
        world.store.fails = isOutcome
        world.finish(world.lastStream)
        world.advance(milliseconds: 9_900)
        world.storeAnswers = false
        client.post("clear-history", ["room_id": .string(room), "id": "h1"])
        world.advance(milliseconds: 2_000)
        world.answerFirst(isOutcome)
        #expect(client.all("stream-ended").isEmpty)
        world.store.fails = { _ in false }
        world.releaseStore()
        world.advance(milliseconds: 1_000)
        #expect(client.answer(to: "h1")["conversations_cleared"] == 0)
        #expect(client.last("stream-ended").text("status") == "completed")
        client.join(room)
        #expect(client.rooms[room]?.messages == ["hello"])
        world.expectConsistent()
    }

    @Test func aCheckpointIsTriedAgain() {
        let (world, room, client) = start(1)
        client.send(room, "hello", key: "m1")
        world.store.fails = { if case .appendSegment = $0 { true } else { false } }
        world.say(world.lastStream, "one ")
        world.advance(milliseconds: 1_000)
        #expect(world.store.segments.isEmpty)
        world.store.fails = { _ in false }
        world.say(world.lastStream, "two")
        world.advance(milliseconds: 250)
        #expect(world.store.segments.values.map { String(decoding: $0, as: UTF8.self) } == ["one two"])
        world.say(world.lastStream, String(repeating: "x", count: 4_096))
        #expect(world.store.segments.values.first?.count == 4_103, "4 KiB do not wait")
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    @Test(arguments: [true, false]) func anOutcomeIsTriedForTenSeconds(_ recovers: Bool) {
        let (world, room, client) = start(2)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.say(stream, "stored")
        world.advance(milliseconds: 300)
        world.say(stream, " and not")
        world.store.fails = { if case .finishExchange = $0 { true } else { false } }
        world.finish(stream)
        world.advance(milliseconds: 9_000)
        #expect(client.all("stream-ended").isEmpty)
        if recovers { world.store.fails = { _ in false } }
        world.advance(milliseconds: 2_000)
        let ended = client.last("stream-ended")
        #expect(ended.text("status") == (recovers ? "completed" : "failed"))
        #expect(ended.number("length") == 14)
        #expect(ended["stored_length"] == (recovers ? nil : 6))
        #expect(ended["error"]?.object?.text("code") == (recovers ? nil : "STORAGE_UNAVAILABLE"))
        let stored = world.store.exchange(of: stream)
        #expect(stored?.status == (recovers ? .completed : .streaming))
        world.store.fails = { _ in false }
        world.advance(milliseconds: 600)
        let late = world.store.exchange(of: stream)
        #expect(late?.status == (recovers ? .completed : .failed), "nothing stays on its way for ever")
        #expect(late?.text == "stored and not")
        #expect(client.send(room, "next", key: "m2")["stream_id"] != nil)
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aRoomThatIsDeletedTakesAlongWhatCouldNotBeStored() {
        let (world, room, client) = start(1)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.say(stream, "text")
        world.store.fails = { if case .finishExchange = $0 { true } else { false } }
        world.finish(stream)
        world.advance(milliseconds: 11_000)
        #expect(client.last("stream-ended").text("status") == "failed")
        #expect(client.ask("delete-room", ["room_id": .string(room)]).text("type") == "ack")
        #expect(world.store.exchange(of: stream)?.status == .failed)
        world.store.fails = { _ in false }
        world.advance(milliseconds: 11_000)
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func aDrainingHubTakesNoMessages(_ loops: Int) {
        let (world, room, client) = start(loops)
        client.send(room, "hello", key: "m1")
        client.send(room, "waiting", key: "m2")
        let stream = world.lastStream
        world.say(stream, "part")
        world.drain()
        #expect(client.all("draining").count == 1)
        #expect(world.connect("late").all("draining").count == 1)
        #expect(client.send(room, "no", key: "m3").text("code") == "DRAINING")
        world.say(stream, "ing")
        world.interruptStreams()
        let ended = client.all("stream-ended")
        #expect(ended.map { $0.text("status") } == ["interrupted", "interrupted"])
        #expect(world.store.exchange(of: stream)?.text == "parting")
        #expect(world.store.exchanges.allSatisfy { $0.status == .interrupted })
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func framesThatAreNotImplementedSaySo() {
        let (world, _, client) = start(1)
        #expect(client.ask("auth", ["token": "x"]).text("code") == "NOT_IMPLEMENTED")
        #expect(client.ask("ping").text("type") == "pong")
        #expect(client.ask("dance").text("code") == "UNKNOWN_FRAME")
        world.expectConsistent()
    }

    @Test(arguments: [1, 2]) func httpRequestsAreAnsweredToo(_ loops: Int) {
        let (world, room, client) = start(loops)
        let user = "ann"
        world.request(.getRoom(RoomID(room)), user: user)
        world.request(.send(SendRequest(roomID: RoomID(room), text: "hi", messageID: "m1")), user: user)
        world.finish(world.lastStream)
        world.request(.history(RoomID(room), before: nil, limit: 10), user: user)
        world.request(.listRooms(RoomPage()), user: user)
        world.request(.deleteRoom(RoomID("room_none")), user: user)
        let answers = world.httpAnswers
        #expect(answers.count == 5)
        if case .success(.history(let exchanges, _)) = answers[2] { #expect(exchanges.count == 1) }
        if case .failure(let error) = answers[4] { #expect(error.code == .notFound) }
        #expect(client.all("stream-ended").count == 1)
        world.expectConsistent()
    }
}
