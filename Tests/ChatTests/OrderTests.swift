import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// What a user asks of a room is performed in the order in which it was asked, whatever storage is asked meanwhile.
@Suite struct OrderTests {
    private func isFindExchange(_ request: StorageRequest) -> Bool {
        if case .findExchange = request { true } else { false }
    }

    private func isFindSession(_ request: StorageRequest) -> Bool {
        if case .findSession = request { true } else { false }
    }

    /// A room with an exchange that is too old for its history in memory; storage answers nothing from here on.
    private func start() -> (HubWorld, TestClient, room: String, old: String) {
        var limits = Limits()
        limits.snapshotExchangesMax = 1
        limits.queuedCommandsPerUser = 2
        let world = HubWorld(loops: 1, limits: limits)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        let old = client.send(room, "old", key: "old").text("exchange_id")
        world.finish(world.lastStream)
        client.send(room, "new", key: "new")
        world.finish(world.lastStream)
        world.storeAnswers = false
        return (world, client, room, old)
    }

    private func postCancel(_ client: TestClient, _ room: String, key: String) {
        client.post("cancel", ["id": "c1", "room_id": .string(room), "message_id": .string(key)])
    }

    @Test func aCancelWaitsForASendThatLooksForWhatItRegenerates() {
        let (world, client, room, old) = start()
        client.postSend(room, "again", key: "again", ["regenerate_of": .string(old)])
        postCancel(client, room, key: "again")
        world.run()
        world.releaseStore()
        #expect(client.answer(to: "c1").text("state") == "accepted")
        #expect(client.last("stream-ended").text("status") == "cancelled")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func sendsThatLookForWhatTheyRegenerateKeepTheirOrder() {
        let (world, client, room, old) = start()
        for word in ["one", "two"] { client.postSend(room, word, key: word, ["regenerate_of": .string(old)]) }
        world.run()
        #expect(world.requestsHeld.count(where: isFindExchange) == 1)
        world.releaseStore()
        #expect(client.rooms[room]?.messages.suffix(2) == ["one", "two"])
        client.ask("cancel", ["room_id": .string(room)])
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func othersDoNotWait() {
        let (world, client, room, old) = start()
        client.postSend(room, "mine", key: "mine", ["regenerate_of": .string(old)])
        world.run()
        let bob = world.connect("bob", running: true)
        bob.postSend(room, "his", key: "his")
        world.run()
        world.answerFirst { if case .insertMessage = $0 { true } else { false } }
        #expect(bob.answer(to: "his")["exchange_id"] != nil)
        world.releaseStore()
        client.ask("cancel", ["room_id": .string(room)])
        world.expectConsistent()
    }

    @Test func aSendDoesNotOvertakeTheClosingOfASessionThatIsLookedUp() {
        let before = HubWorld(loops: 1)
        let room = before.room()
        let session = before.connect().openSession(room)
        let world = HubWorld(loops: 1, seed: 2, before: before)
        let client = world.connect()
        client.join(room)
        world.storeAnswers = false
        client.post("close-session", ["id": "x1", "session_id": .string(session)])
        client.postSend(room, "too late", key: "late", ["session_id": .string(session)])
        world.run()
        #expect(world.requestsHeld.count(where: isFindSession) == 1)
        world.releaseStore()
        #expect(client.answer(to: "x1").text("for") == "close-session")
        #expect(client.answer(to: "late").text("code") == "NOT_FOUND")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aSessionsCommandDoesNotOvertakeASendThatWaitsForTheRoom() {
        let before = HubWorld(loops: 1)
        let room = before.room()
        let session = before.connect().openSession(room)
        let world = HubWorld(loops: 1, seed: 2, before: before)
        let client = world.connect()
        world.storeAnswers = false
        client.postSend(room, "first", key: "first", ["session_id": .string(session)])
        client.post("close-session", ["id": "x1", "session_id": .string(session)])
        world.run()
        world.releaseStore()
        #expect(client.answer(to: "first")["exchange_id"] != nil)
        #expect(client.answer(to: "x1").text("for") == "close-session")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func soManyCommandsQueueAndNoMore() {
        let (world, client, room, old) = start()
        client.postSend(room, "first", key: "first", ["regenerate_of": .string(old)])
        for number in 0...world.limits.queuedCommandsPerUser {
            client.postSend(room, "\(number)", key: "k\(number)")
        }
        world.run()
        #expect(client.answer(to: "k2").text("code") == "BUSY")
        world.releaseStore()
        #expect(client.answer(to: "k1")["exchange_id"] != nil)
        client.ask("cancel", ["room_id": .string(room)])
        world.expectConsistent()
        world.expectNoPermitTaken()
    }
}
