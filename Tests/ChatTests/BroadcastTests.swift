import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Readers that have everything share one position; whoever lags or has something of its own leaves them for a while.
@Suite struct BroadcastTests {
    /// A room with a running stream and so many watchers, each of which has caught up.
    private func watched(by count: Int, loops: Int = 1) -> (world: HubWorld, room: String, stream: String) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        for index in 0..<count { world.connect("user\(index)", loop: index % loops).join(room) }
        world.clients[0].send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.say(stream, "0")
        return (world, room, stream)
    }

    /// Receivers of broadcasts while something happens.
    private func broadcasts(_ world: HubWorld, _ happening: () -> Void) -> Int {
        let before = world.broadcasts
        happening()
        return world.broadcasts - before
    }

    @Test(arguments: [1, 2, 3]) func everyReaderThatHasCaughtUpIsBroadcastTo(_ loops: Int) {
        let (world, _, stream) = watched(by: 6, loops: loops)
        #expect(broadcasts(world) { world.say(stream, "1") } == 6)
        #expect(world.clients.allSatisfy { $0.text(stream) == "01" })
        world.finish(stream)
        world.expectConsistent()
    }

    @Test func aReaderOfTwoRoomsHasCursorsOfItsOwn() {
        let (world, room, stream) = watched(by: 3)
        let other = world.room("room_b")
        world.clients[2].join(other)
        #expect(broadcasts(world) { world.say(stream, "1") } == 2)
        world.clients[2].ask("leave", ["room_id": .string(other)])
        #expect(broadcasts(world) { world.say(stream, "2") } == 3)
        world.clients[2].ask("leave", ["room_id": .string(room)])
        #expect(broadcasts(world) { world.say(stream, "3") } == 2)
        #expect(world.clients.map { $0.text(stream) } == ["0123", "0123", "012"])
        world.expectConsistent()
    }

    @Test func aReaderThatTakesAPartGetsTheRestAndCatchesUp() {
        let (world, _, stream) = watched(by: 3)
        let slow = world.clients[1]
        slow.read(10)
        #expect(broadcasts(world) { world.say(stream, "1") } == 3)
        #expect(broadcasts(world) { world.say(stream, "2") } == 2)
        #expect(slow.text(stream) == "0")
        slow.read(.max)
        #expect(slow.text(stream) == "012")
        #expect(broadcasts(world) { world.say(stream, "3") } == 3)
        world.finish(stream)
        world.expectConsistent()
    }

    @Test func aReaderThatTakesNothingIsNobodysProblem() {
        let (world, _, stream) = watched(by: 3)
        let stuck = world.clients[1]
        stuck.read(0)
        for index in 1...9 { world.say(stream, "\(index)") }
        #expect(world.clients[2].text(stream) == "0123456789")
        stuck.read(.max)
        #expect(stuck.text(stream) == "0123456789")
        world.expectConsistent()
    }

    @Test func anAnswerComesBeforeWhatFollowsIt() {
        let (world, room, stream) = watched(by: 3)
        let client = world.clients[1]
        client.forgetFrames()
        client.post("cancel", ["room_id": .string(room)])
        world.run()
        #expect(client.types(room).last == "stream-ended")
        #expect(client.frames.first?.text("type") == "ack")
        #expect(world.store.exchange(of: stream)?.status == .cancelled)
        #expect(broadcasts(world) { client.send(room, "again", key: "m2") } > 0)
        world.expectConsistent()
    }

    @Test func moreThanAPlanHoldsIsBroadcastInTurns() {
        let (world, _, stream) = watched(by: 3)
        let text = String(repeating: "x", count: 600 * 1024)
        world.say(stream, text)
        #expect(world.clients.allSatisfy { $0.text(stream) == "0" + text })
        world.finish(stream)
        world.expectConsistent()
    }

    @Test func whoeverGoesIsNotWrittenTo() {
        let (world, _, stream) = watched(by: 4)
        world.disconnect(world.clients[1])
        #expect(broadcasts(world) { world.say(stream, "1") } == 3)
        world.disconnect(world.clients[0])
        #expect(broadcasts(world) { world.say(stream, "2") } == 2)
        world.finish(stream)
        world.expectConsistent()
    }
}
