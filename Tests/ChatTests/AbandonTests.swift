import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Answers that nobody watches, in rooms that want those stopped.
@Suite struct AbandonTests {
    private func start(
        _ loops: Int, _ metadata: JSONObject = ["abandon_seconds": 5]
    ) -> (HubWorld, String, TestClient) {
        let world = HubWorld(loops: loops)
        let room = world.room(metadata: metadata)
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.say(world.lastStream, "part")
        return (world, room, client)
    }

    @Test(arguments: [1, 2, 3]) func anAnswerThatNobodyWatchesIsStopped(_ loops: Int) {
        let (world, room, client) = start(loops)
        let stream = world.lastStream
        client.send(room, "waiting", key: "m2")
        world.advance(milliseconds: 10_000)
        #expect(world.cancelled == [], "it is watched")
        world.disconnect(client)
        world.run()
        world.advance(milliseconds: 4_900)
        #expect(world.cancelled == [])
        world.advance(milliseconds: 200)
        #expect(world.cancelled == [stream])
        let row = world.store.exchange(of: stream)
        #expect(row?.status == .cancelled && row?.finishReason == "abandoned" && row?.text == "part")
        #expect(row?.usage?.isEstimated == true)
        #expect(world.store.exchanges.allSatisfy { $0.status == .cancelled }, "what waits is stopped too")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2, 3]) func whoComesBackInTimeFindsItRunning(_ loops: Int) {
        let (world, room, client) = start(loops)
        client.ask("leave", ["room_id": .string(room)])
        world.advance(milliseconds: 4_000)
        client.join(room)
        world.advance(milliseconds: 4_000)
        client.ask("leave", ["room_id": .string(room)])
        world.advance(milliseconds: 4_000)
        #expect(world.cancelled == [], "the time counts from the last leave")
        world.finish(world.lastStream)
        world.advance(milliseconds: 60_000)
        #expect(world.store.exchanges.map(\.status) == [.completed])
        world.expectConsistent()
    }

    @Test func anyOneWatcherIsEnough() {
        let (world, room, client) = start(3)
        let other = world.connect("ben", loop: 0)
        other.join(room)
        world.disconnect(client)
        world.advance(milliseconds: 60_000 - 100)
        #expect(world.cancelled == [])
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    @Test func anAnswerThatWasNeverWatchedCountsFromItsStart() {
        let world = HubWorld(loops: 2)
        let room = world.room(metadata: ["abandon_seconds": 1])
        world.request(.send(SendRequest(roomID: RoomID(room), text: "hi", messageID: "m1")))
        world.advance(milliseconds: 1_100)
        #expect(world.cancelled == [world.lastStream])
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    static let metadata: [JSONObject] = [
        [:], ["abandon_seconds": 0], ["abandon_seconds": -1], ["abandon_seconds": "5"], ["abandon_seconds": 86_401],
    ]

    @Test(arguments: metadata) func withoutAWishForItNothingIsStopped(_ metadata: JSONObject) {
        let (world, _, client) = start(2, metadata)
        world.disconnect(client)
        for _ in 0..<5 {
            world.advance(milliseconds: 50_000)
            world.say(world.lastStream, "more")
        }
        #expect(world.cancelled == [])
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    @Test func theWishMayComeWhileItRuns() {
        let (world, room, client) = start(2, [:])
        world.disconnect(client)
        world.advance(milliseconds: 10_000)
        let other = world.connect("ann", loop: 0)
        other.ask("update-room", ["room_id": .string(room), "metadata": ["abandon_seconds": 2]])
        world.advance(milliseconds: 2_100)
        #expect(world.cancelled == [world.lastStream])
        world.expectConsistent()
    }
}
