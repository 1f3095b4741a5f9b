import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// A snapshot has its size, and what it has no room for follows.
@Suite struct SnapshotTests {
    private func world(_ bytes: Int, loops: Int = 1) -> (HubWorld, room: String) {
        var limits = Limits()
        limits.joinedBytesMax = bytes
        let world = HubWorld(loops: loops, limits: limits)
        let room = world.room("room_0")
        return (world, room)
    }

    /// Five answers of 40,000 bytes, with two events and some reasoning in each.
    private func fill(_ world: HubWorld, _ room: String) -> [String: String] {
        var texts: [String: String] = [:]
        for number in 0..<5 {
            let client = world.connect("user_\(number)")
            let session = client.openSession(room)
            client.send(room, "ask \(number)", key: "m", ["session_id": .string(session)])
            let stream = world.lastStream
            world.agent(stream, .reasoning(Array("because ".utf8)))
            for piece in 0..<4 {
                world.say(stream, String(repeating: "é\(piece)", count: 3_000) + "\"\n")
                if piece < 2 { world.agent(stream, .event(.action, ["action": "NEED_SALE"])) }
            }
            texts[stream] = world.said[stream]
        }
        return texts
    }

    @Test(arguments: [0, 2_000, 60_000, 1 << 20], [1, 2])
    func everyoneEndsUpWithTheSameText(_ bytes: Int, _ loops: Int) throws {
        let (world, room) = world(bytes, loops: loops)
        let texts = fill(world, room)
        let reader = world.connect("late", loop: loops - 1)
        reader.read(700)
        reader.join(room)
        for _ in 0..<2_000 { reader.read(4_096) }
        reader.read(.max)
        let view = try #require(reader.rooms[room])
        for (stream, text) in texts { #expect(view.texts[stream] == Array(text.utf8)) }
        #expect(view.reasonings.values.allSatisfy { $0 == Array("because ".utf8) })
        #expect(view.messages.count == 5)
        #expect(view.seq == world.hubs[world.home(of: room)].rooms[RoomID(room)]?.log.seq)
        for stream in texts.keys { world.finish(stream) }
        #expect(reader.endedTexts.count == 5)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [2_000, 60_000]) func aSnapshotHasItsSize(_ bytes: Int) {
        let (world, room) = world(bytes)
        _ = fill(world, room)
        let reader = world.connect("late")
        let joined = reader.join(room)
        #expect(JSONValue.object(joined).compact.count <= bytes + 200)
        #expect(joined.text("epoch").contains("."))
        #expect(joined["room"]?.object?["last_message"]?.object?.text("user_input") == "ask 4")
    }

    @Test func whoComesBackFromAmidWhatFollowsGetsASnapshotAgain() throws {
        let (world, room) = world(2_000)
        let texts = fill(world, room)
        let reader = world.connect("late")
        reader.join(room)
        let end = try #require(reader.rooms[room])
        let amid = LogPosition(epoch: end.epoch, seq: reader.last("joined").number("seq") + 1)
        let again = world.connect("late")
        #expect(again.join(room, after: amid)["recovered"] == false)
        for (stream, text) in texts { #expect(again.text(stream) == text) }
        let back = world.connect("late")
        back.inherit(reader)
        #expect(back.join(room, after: end.position)["recovered"] == true)
        world.expectConsistent()
    }

    @Test func aReplyDoesNotWaitForWhatFollowsASnapshotAndIsGone() {
        var limits = Limits()
        (limits.joinedBytesMax, limits.logTailBytesMax) = (0, 300)
        let world = HubWorld(loops: 1, limits: limits)
        world.agentsConfirm = false
        let room = world.room()
        let writer = world.connect("ann")
        writer.send(room, "one", key: "m1")
        world.say(world.lastStream, "word ")
        let reader = world.connect("late")
        reader.read(0)
        reader.join(room)
        world.finish(world.lastStream)
        for number in 0..<20 {
            writer.ask("update-room", ["room_id": .string(room), "room_name": .string("n\(number)")])
        }
        writer.send(room, "two", key: "m2")
        reader.postCancel(world.lastStream)
        reader.read(.max)
        #expect(reader.last("ack").text("state") == "accepted")
        #expect(reader.rooms[room]?.seq == world.hubs[0].rooms[RoomID(room)]?.log.seq)
        world.expectConsistent()
    }

    @Test func whatIsKeptForASecondIsCountedAndGoesAfterIt() {
        let (world, room) = world(1 << 20)
        let reader = world.connect()
        reader.join(room)
        #expect(world.gauges.heldBytes > 0)
        world.advance(milliseconds: 1_100)
        #expect(world.gauges.heldBytes == 0)
        #expect(world.hubs[0].rooms[RoomID(room)]?.snapshot == nil)
    }

    @Test func whileTooMuchIsUnreadNobodyJoins() {
        var limits = Limits()
        limits.unreadBytesMax = 1_000
        let world = HubWorld(loops: 1, limits: limits)
        let room = world.room(metadata: ["note": .string(String(repeating: "x", count: 2_000))])
        let silent = world.connect()
        silent.read(0)
        silent.join(room)
        let reader = world.connect("ben")
        world.advance(milliseconds: 2_000)
        #expect(reader.join(room).text("code") == "CAPACITY_EXCEEDED")
        silent.read(.max)
        world.advance(milliseconds: 2_000)
        #expect(reader.join(room).text("type") == "joined")
        world.expectConsistent()
    }

    @Test func roomsThatWereJoinedOnceStayWithinTheTotal() {
        var limits = Limits()
        limits.memoryBytesMax = 64 * Limits.roomOverheadBytes
        let world = HubWorld(loops: 1, limits: limits)
        let client = world.connect()
        for number in 0..<500 {
            let room = world.room("room_\(number)")
            client.join(room)
            client.ask("leave", ["room_id": .string(room)])
        }
        world.advance(milliseconds: 2_000)
        #expect(world.hubs[0].rooms.count <= 64)
        #expect(world.hubs[0].memoryBytes <= limits.memoryBytesMax)
        world.expectConsistent()
    }

    @Test func strangersReadMarksAreBoundedAndMembersAreNot() {
        let (world, room) = world(1 << 20)
        let owner = world.connect("ann")
        owner.join(room)
        let exchange = owner.send(room, "hello", key: "m1", ["respond": false]).text("exchange_id")
        owner.ask("set-member", ["room_id": .string(room), "user_id": "user_0", "role": "viewer"])
        for number in 0...(Limits.strangerMarksPerRoom + 1) {
            world.connect("user_\(number)").post("read", ["room_id": .string(room), "exchange_id": .string(exchange)])
            world.advance(milliseconds: 1)
        }
        world.run()
        let users = world.hubs[0].rooms[RoomID(room)]?.live.reads.map(\.userID.text) ?? []
        #expect(users.count == Limits.strangerMarksPerRoom + 1)
        #expect(users.contains("user_0") && !users.contains("user_1"))
    }
}
