import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Clients that ask for more than they take: the hub stops reading from them, and goes on when they have caught up.
@Suite struct PressureTests {
    @Test(arguments: [1, 2]) func aClientIsNotReadFromWhileTooManyFramesAreUnanswered(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        world.storeAnswers = false
        let most = Limits.unansweredFramesPerSocket
        for index in 0..<most { client.post("history", ["room_id": .string(room), "id": .string("h\(index)")]) }
        world.run()
        #expect(!client.isPaused)
        client.post("history", ["room_id": .string(room), "id": "one more"])
        world.run()
        #expect(client.isPaused)
        world.releaseStore()
        #expect(!client.isPaused)
        #expect(client.all("ack").count == most + 1)
        world.expectConsistent()
    }

    @Test func theSmallestRepliesCountByWhatTheyCostTheHub() {
        let world = HubWorld(loops: 1)
        let client = world.connect()
        client.budget = 0
        for _ in 0...(Limits.replyBytesMax / Limits.replyOverheadBytes) where !client.isPaused {
            client.post("ping", [:])
        }
        #expect(client.isPaused)
        client.read(.max)
        #expect(!client.isPaused)
        world.expectConsistent()
    }
}
