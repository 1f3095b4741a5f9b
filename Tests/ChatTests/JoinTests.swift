import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Recovery is either gap-free or an explicit snapshot.
@Suite struct JoinTests {
    private func start(_ loops: Int, limits: Limits = Limits()) -> (HubWorld, String, TestClient) {
        let world = HubWorld(loops: loops, limits: limits)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.send(room, "hello", key: "m1")
        return (world, room, client)
    }

    @Test(arguments: [1, 2, 3], [0, 1, 2]) func aResumeInMidStreamMissesNothing(_ loops: Int, _ loop: Int) {
        let (world, room, client) = start(loops)
        let stream = world.lastStream
        world.say(stream, "one ")
        world.disconnect(client)
        world.run()
        world.say(stream, "two ")
        world.agent(stream, .event(.action, ["name": "open"]))
        world.say(stream, "three ")
        let back = world.connect(loop: loop % loops)
        back.inherit(client)
        let position = client.rooms[room]?.position ?? LogPosition(epoch: "", seq: 0)
        let joined = back.join(room, after: position)
        #expect(joined["recovered"] == true)
        #expect(joined.number("seq") == position.seq)
        #expect(joined["history"] == nil && joined["streams"] == nil)
        world.say(stream, "four")
        world.finish(stream)
        #expect(back.types(room) == ["joined", "chunk", "action", "chunk", "chunk", "stream-ended"])
        #expect(back.text(stream) == "one two three four")
        world.expectConsistent()
    }

    @Test func aResumeFromElsewhereGetsASnapshot() {
        let (world, room, client) = start(2)
        let position = client.rooms[room]?.position ?? LogPosition(epoch: "", seq: 0)
        for after in [
            LogPosition(epoch: "another", seq: 1), LogPosition(epoch: position.epoch, seq: position.seq + 1),
            LogPosition(epoch: position.epoch, seq: .max >> 1),
        ] {
            let joined = world.connect().join(room, after: after)
            #expect(joined["recovered"] == false)
            #expect(joined["streams"]?.array?.count == 1)
        }
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func aSecondJoinGetsASnapshot(_ loops: Int) {
        let (world, room, client) = start(loops)
        world.say(world.lastStream, "text")
        let again = client.join(room, after: client.rooms[room]?.position ?? LogPosition(epoch: "", seq: 0))
        #expect(again["recovered"] == false)
        #expect(again["streams"]?.array?.first?.object?.text("text") == "text")
        world.say(world.lastStream, " more")
        world.finish(world.lastStream)
        #expect(client.text(world.lastStream) == "text more")
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func twoJoinsAtOnceDoNotRepeatChunks(_ loops: Int) {
        let (world, room, client) = start(loops)
        let stream = world.lastStream
        world.say(stream, "one ")
        let after = client.rooms[room]?.position ?? LogPosition(epoch: "", seq: 0)
        world.say(stream, "two ")
        let back = world.connect(loop: 0)
        back.inherit(client)
        back.rooms[room]?.seq = after.seq
        back.rooms[room]?.texts[stream] = Array("one ".utf8)
        for _ in 0..<2 { back.post("join", ["room_id": .string(room), "after": after.json]) }
        world.run()
        #expect(back.all("joined").map { $0["recovered"] } == [true, false])
        #expect(back.text(stream) == "one two ")
        world.expectConsistent()
    }

    @Test func aHundredRoomsFitOnASocket() {
        let world = HubWorld(loops: 2)
        let client = world.connect()
        let rooms = (0..<101).map { world.room("room_\($0)") }
        let list: [JSONValue] = rooms.prefix(100).map { ["room_id": .string($0)] }
        client.ask("join", ["rooms": .array(list)])
        #expect(client.all("joined").count == 100)
        #expect(client.join(rooms[100]).text("code") == "VALIDATION_ERROR")
        #expect(client.join(rooms[0]).text("type") == "joined", "joining again takes no place")
        #expect(client.ask("leave", ["room_id": .string(rooms[3])]).text("type") == "ack")
        #expect(client.join(rooms[100]).text("type") == "joined")
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func whoLeftHearsNothingMore(_ loops: Int) {
        let (world, room, client) = start(loops)
        #expect(client.ask("leave", ["room_id": .string(room)]).text("room_id") == room)
        client.forgetFrames()
        world.say(world.lastStream, "text")
        world.finish(world.lastStream)
        #expect(client.frames.allSatisfy { $0.text("type") == "room-summary" })
        #expect(client.join(room)["history"]?.array?.count == 1)
        world.expectConsistent()
    }

    // MARK: - Slow readers

    @Test(arguments: [1, 2, 3]) func aSlowReaderGetsFewerLargerChunks(_ loops: Int) {
        let (world, room, client) = start(loops)
        let fast = world.connect("bob")
        fast.join(room)
        let stream = world.lastStream
        client.budget = 50
        for index in 0..<1_000 {
            world.say(stream, "wörd \(index) ")
            if index % 100 == 0 { world.agent(stream, .reasoning(Array("hm ".utf8))) }
        }
        world.finish(stream)
        client.forgetFrames()
        for _ in 0..<200 { client.read(100) }
        client.read(.max)
        #expect(client.frames.count < 20)
        #expect(client.text(stream) == world.said[stream])
        #expect(fast.text(stream) == world.said[stream])
        world.expectConsistent()
    }

    /// More collapsed frames than a log keeps go out in one write.
    @Test func aReaderFarBehindGetsAQuarterMebibyteAtOnce() {
        let (world, _, client) = start(2)
        let stream = world.lastStream
        client.budget = 10
        for index in 0..<40 { world.say(stream, String(repeating: "\(index % 10)", count: 9_000)) }
        client.read(.max)
        #expect(client.text(stream) == world.said[stream])
        world.finish(stream)
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func aReaderBehindTheRecordsGetsASnapshot(_ loops: Int) {
        var limits = Limits()
        limits.logTailBytesMax = 4_096
        let (world, room, client) = start(loops, limits: limits)
        let stream = world.lastStream
        client.budget = 0
        for index in 0..<60 {
            world.say(stream, "word \(index) ")
            world.agent(stream, .event(.action, ["name": .string(String(repeating: "x", count: 100))]))
        }
        client.forgetFrames()
        client.read(.max)
        #expect(!client.all("joined").isEmpty)
        #expect(client.all("joined").allSatisfy { $0["recovered"] == false && $0["id"] == nil })
        world.say(stream, "and on")
        world.finish(stream)
        #expect(client.text(stream) == world.said[stream])
        #expect(client.rooms[room]?.statuses[stream] == "completed")
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func aResumeAcrossTrimmedChunksIsServedFromTheText(_ loops: Int) {
        var limits = Limits()
        limits.logTailBytesMax = 4_096
        let (world, room, client) = start(loops, limits: limits)
        let stream = world.lastStream
        world.say(stream, "begin ")
        world.disconnect(client)
        world.run()
        for index in 0..<300 { world.say(stream, "word \(index) ") }
        for loop in 0..<loops {
            let back = world.connect(loop: loop)
            back.inherit(client)
            let joined = back.join(room, after: client.rooms[room]?.position ?? LogPosition(epoch: "", seq: 0))
            #expect(joined["recovered"] == true)
            #expect(back.text(stream) == world.said[stream])
            #expect(back.frames.count < 10)
        }
        world.finish(stream)
        world.expectConsistent()
    }

    @Test func aSnapshotIsSharedForASecond() {
        let (world, room, _) = start(3)
        let positions = (0..<6).map { index in
            world.say(world.lastStream, "x")
            return world.connect("user\(index)", loop: index % 3).join(room).number("seq")
        }
        #expect(Set(positions).count == 1)
        world.advance(milliseconds: 1_000)
        #expect(world.connect("late", loop: 1).join(room).number("seq") == positions[0] + 5)
        world.say(world.lastStream, "y")
        for client in world.clients { #expect(client.text(world.lastStream) == "xxxxxxy") }
        world.expectConsistent()
    }

    @Test func aSnapshotHoldsTwentyExchangesAndWhereTheyBegin() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        for index in 0..<23 {
            client.send(room, "q\(index)", key: "m\(index)")
            world.finish(world.lastStream)
        }
        let joined = client.join(room)
        let history = (joined["history"]?.array ?? []).compactMap(\.object)
        #expect(history.count == 20)
        #expect(joined.text("next_before") == history.first?.text("exchange_id"))
        world.expectConsistent()
    }

    @Test func manyRepliesPauseReading() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        world.store.put(
            RoomRecord(
                roomID: RoomID(room), userID: UserID("ann"), name: "A", createdAt: world.now.timestamp,
                lastActivity: world.now.timestamp, messageCount: 0,
                metadata: ["big": .string(String(repeating: "x", count: 10_000))],
                defaultSessionID: SessionID("session_\(Slot(of: room).hex)default")))
        let client = world.connect()
        client.budget = 0
        for _ in 0..<110 { client.ask("get-room", ["room_id": .string(room)]) }
        #expect(client.isPaused)
        client.read(400_000)
        #expect(client.isPaused)
        client.read(400_000)
        #expect(!client.isPaused)
        client.read(.max)
        #expect(client.all("ack").count == 110)
        world.expectConsistent()
    }
}
