import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Making, changing, deleting and loading rooms; news for those who have not joined.
@Suite struct RoomTests {
    @Test(arguments: [1, 2, 3]) func aNewRoomIsAcknowledgedAndAnnounced(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let client = world.connect()
        let other = world.connect(loop: loops - 1)
        let stranger = world.connect("bob")
        let room = client.ask("create-room", ["room_name": "Plans"])["room"]?.object ?? [:]
        #expect(room.text("room_name") == "Plans")
        #expect(other.last("room-added").text("room_id") == room.text("room_id"))
        #expect(stranger.all("room-added").isEmpty)
        #expect(client.join(room.text("room_id")).text("type") == "joined")
        #expect(client.ask("list-rooms").number("total") == 1)
        world.expectConsistent()
    }

    @Test func roomsAreLimitedAndNeedStorage() {
        var limits = Limits()
        limits.roomsPerUser = 2
        let world = HubWorld(loops: 2, limits: limits)
        let client = world.connect()
        for _ in 0..<2 { #expect(client.ask("create-room")["room"] != nil) }
        #expect(client.ask("create-room").text("code") == "ROOM_LIMIT_EXCEEDED")
        world.store.fails = { _ in true }
        #expect(client.ask("create-room").text("code") == "STORAGE_UNAVAILABLE")
        #expect(client.join("room_x").text("code") == "STORAGE_UNAVAILABLE")
        world.store.fails = { _ in false }
        #expect(client.join("room_x").text("code") == "NOT_FOUND")
        #expect(client.all("room-added").count == 2)
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func anUpdateMergesAndRemoves(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        let watcher = world.connect("bob")
        watcher.join(room)
        client.ask("update-room", ["room_id": .string(room), "metadata": ["a": 1, "b": 2]])
        let ack = client.ask(
            "update-room", ["room_id": .string(room), "room_name": "B", "metadata": ["a": nil, "c": 3]])
        #expect(ack["room"]?.object?["metadata"] == ["b": 2, "c": 3])
        #expect(watcher.last("room-updated")["room"]?.object?.text("room_name") == "B")
        #expect(watcher.last("room-updated").text("by") == "ann")
        #expect(
            watcher.ask("update-room", ["room_id": .string(room), "room_name": "C"]).text("code") == "ACCESS_DENIED")
        #expect(watcher.ask("delete-room", ["room_id": .string(room)]).text("code") == "ACCESS_DENIED")
        world.expectConsistent()
    }

    @Test func metadataIsMeasuredAfterTheMerge() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        func update(_ metadata: JSONValue) -> JSONObject {
            client.ask("update-room", ["room_id": .string(room), "metadata": metadata])
        }
        #expect(update(["a": .string(String(repeating: "x", count: 5_000))])["room"] != nil)
        // {"a":"…","b":"…"} has 15 bytes beside the texts.
        let fits = String(repeating: "y", count: 10_240 - 15 - 5_000)
        #expect(update(["b": .string(fits + "y")]).text("code") == "VALIDATION_ERROR")
        #expect(update(["b": .string(fits)])["room"] != nil)
        #expect(update(["a": nil, "b": .string(fits + "y")])["room"] != nil)
        world.expectConsistent()
    }

    @Test func anUpdateThatIsNotStoredIsNotShown() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        world.store.fails = { if case .updateRoom = $0 { true } else { false } }
        #expect(
            client.ask("update-room", ["room_id": .string(room), "room_name": "B"]).text("code")
                == "STORAGE_UNAVAILABLE")
        #expect(client.ask("get-room", ["room_id": .string(room)])["room"]?.object?.text("room_name") == "A")
        #expect(client.all("room-updated").isEmpty)
        world.expectConsistent()
    }

    // MARK: - Deleting

    @Test(arguments: [1, 2, 3]) func deletingARoomEndsEverythingInIt(_ loops: Int) {
        let world = HubWorld(loops: loops)
        world.agentsConfirm = false
        let room = world.room()
        let client = world.connect()
        let watcher = world.connect("bob", loop: loops - 1)
        let away = world.connect(loop: loops - 1)
        client.join(room)
        watcher.join(room)
        client.send(room, "hello", key: "m1")
        client.send(room, "waiting", key: "m2")
        let stream = world.lastStream
        world.say(stream, "part")
        client.post("delete-room", ["room_id": .string(room), "id": "d"])
        world.run()
        #expect(world.cancelled == [stream])
        for type in ["get-room", "join", "leave", "delete-room"] {
            #expect(away.ask(type, ["room_id": .string(room)]).text("code") == "NOT_FOUND")
        }
        #expect(away.send(room, "x", key: "m9").text("code") == "NOT_FOUND")
        world.advance(milliseconds: 1_500)
        #expect(client.answer(to: "d") == [:])
        world.agent(stream, .ended(.cancelled))
        #expect(client.answer(to: "d").text("type") == "ack")
        for viewer in [client, watcher] {
            let tail = viewer.types(room).filter { $0 != "ack" && $0 != "room-removed" }.suffix(4)
            #expect(tail == ["stream-ended", "stream-ended", "room-deleted", "left"])
            #expect(viewer.last("left").text("reason") == "deletion")
            #expect(viewer.text(stream) == "part")
        }
        #expect(away.last("room-removed").text("room_id") == room)
        #expect(client.ask("delete-room", ["room_id": .string(room)]).text("code") == "NOT_FOUND")
        #expect(world.store.exchanges.map(\.status) == [.cancelled, .cancelled])
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2]) func aDeletionWaitsForCommitsAndForSilentAgents(_ loops: Int) {
        let world = HubWorld(loops: loops)
        world.agentsConfirm = false
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.storeAnswers = false
        client.postSend(room, "waiting", key: "m2")
        world.run()
        client.post("delete-room", ["room_id": .string(room), "id": "d"])
        world.run()
        world.advance(milliseconds: 6_000)
        #expect(client.answer(to: "d") == [:])
        world.releaseStore()
        #expect(client.answer(to: "d").text("type") == "ack")
        #expect(client.all("stream-ended").count == 2)
        #expect(client.answer(to: "m2").text("type") == "ack")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aDeletionThatIsNotStoredLeavesTheRoomAlive() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.store.fails = { if case .deleteRoom = $0 { true } else { false } }
        #expect(client.ask("delete-room", ["room_id": .string(room)]).text("code") == "STORAGE_UNAVAILABLE")
        #expect(client.last("stream-ended").text("status") == "cancelled")
        client.send(room, "again", key: "m2")
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2, 3]) func aReaderBehindADeletedRoomIsToldThatItLeft(_ loops: Int) {
        var limits = Limits()
        limits.logTailBytesMax = 1_024
        let world = HubWorld(loops: loops, limits: limits)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.budget = 0
        for index in 0..<20 {
            client.send(room, String(repeating: "x", count: 200), key: "m\(index)")
            world.finish(world.lastStream)
        }
        client.ask("delete-room", ["room_id": .string(room)])
        client.read(.max)
        #expect(client.all("left").count == 1)
        #expect(client.all("error").isEmpty)
        world.expectConsistent()
    }

    // MARK: - News

    @Test(arguments: [1, 2, 3]) func summariesComeOnceASecondToThoseWhoHaveNotJoined(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect()
        let away = world.connect(loop: loops - 1)
        client.join(room)
        for index in 0..<4 {
            client.send(room, "q\(index)", key: "m\(index)")
            world.say(world.lastStream, "a\(index)")
            world.finish(world.lastStream)
        }
        #expect(away.all("room-summary").count == 1)
        world.advance(milliseconds: 1_000)
        #expect(away.all("room-summary").count == 2)
        let last = away.last("room-summary")["last_message"]?.object ?? [:]
        #expect(last.text("user_input") == "q3")
        #expect(last.text("agent_response") == "a3")
        world.advance(milliseconds: 5_000)
        #expect(away.all("room-summary").count == 2)
        #expect(client.all("room-summary").isEmpty)
        away.budget = 0
        for index in 4..<8 {
            client.send(room, "q\(index)", key: "m\(index)")
            world.finish(world.lastStream)
            world.advance(milliseconds: 1_000)
        }
        away.read(.max)
        #expect(away.all("room-summary").count == 3, "only the latest waits for a slow reader")
        world.expectConsistent()
    }

    @Test func aUserMayHoldSoManySockets() {
        var limits = Limits()
        limits.socketsPerUser = 3
        let world = HubWorld(loops: 2, limits: limits)
        let clients = (0..<4).map { world.connect(loop: $0 % 2) }
        #expect(world.closed.map(\.code) == [.tooManyConnections])
        #expect(world.closed.first?.ref == clients[3].connection?.ref)
        world.disconnect(clients[3])
        world.disconnect(clients[0])
        world.run()
        _ = world.connect()
        #expect(world.closed.count == 1)
    }

    // MARK: - Loading and forgetting

    @Test(arguments: [1, 2, 3]) func commandsWaitWhileARoomLoads(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect()
        world.storeAnswers = false
        for index in 0..<70 { client.post("get-room", ["room_id": .string(room), "id": .string("g\(index)")]) }
        for index in 0..<10 { client.post("join", ["room_id": .string(room), "id": .string("j\(index)")]) }
        world.run()
        #expect(client.all("error").map { $0.text("code") } == Array(repeating: "BUSY", count: 6))
        #expect(world.requestsHeld.count == 1)
        world.releaseStore()
        #expect(client.all("ack").count == 64)
        #expect(client.all("joined").count == 10)
        world.expectConsistent()
    }

    @Test(arguments: [1, 2]) func allWhoWaitForARoomThatIsNotThereAreTold(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let client = world.connect()
        world.storeAnswers = false
        for index in 0..<5 {
            client.post("get-room", ["room_id": "room_none", "id": .string("g\(index)")])
            client.post("join", ["room_id": "room_none", "id": .string("j\(index)")])
            client.postSend("room_none", "x", key: "s\(index)")
        }
        world.run()
        world.releaseStore()
        #expect(client.all("error").count == 15)
        #expect(client.all("error").allSatisfy { $0.text("code") == "NOT_FOUND" })
        world.expectNoPermitTaken()
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func anIdleRoomLeavesMemoryAfterFiveMinutes(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        let epoch = client.join(room).text("epoch")
        client.send(room, "hello", key: "m1")
        world.say(world.lastStream, "answer")
        world.finish(world.lastStream)
        world.advance(milliseconds: 600_000)
        #expect(world.hubs.contains { !$0.rooms.isEmpty }, "it is watched")
        let position = client.rooms[room]?.position ?? LogPosition(epoch: "", seq: 0)
        world.disconnect(client)
        world.run()
        world.advance(milliseconds: 299_000)
        let heir = world.connect()
        heir.inherit(client)
        #expect(heir.join(room, after: position)["recovered"] == true)
        world.disconnect(heir)
        world.run()
        world.advance(milliseconds: 299_000)
        #expect(world.hubs.contains { !$0.rooms.isEmpty })
        world.advance(milliseconds: 3_000)
        #expect(world.hubs.allSatisfy { $0.rooms.isEmpty && $0.replicas.isEmpty && $0.memoryBytes == 0 })
        let back = world.connect()
        let joined = back.join(room, after: position)
        #expect(joined["recovered"] == false)
        #expect(joined.text("epoch") != epoch)
        #expect(joined["history"]?.array?.first?.object?.text("text") == "answer")
        world.expectConsistent()
    }

    @Test func theRecordsOfALogAreSmallAndCounted() throws {
        #expect(MemoryLayout<LogEntry>.stride <= 96)
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        for _ in 0..<100 { world.say(world.lastStream, "x") }
        let log = try #require(world.hubs[0].rooms[RoomID(room)]).log
        #expect(log.entries.count > 100)
        #expect(world.hubs[0].memoryBytes >= log.bytes + log.entries.count * MemoryLayout<LogEntry>.stride)
        world.finish(world.lastStream)
    }

    @Test func memoryPressureUnloadsTheRoomsThatAreIdleLongest() {
        var limits = Limits()
        limits.memoryBytesMax = 40_000
        let world = HubWorld(loops: 1, limits: limits)
        let client = world.connect()
        let rooms = (0..<4).map { world.room("room_\($0)") }
        for room in rooms {
            client.join(room)
            client.send(room, "hello", key: room)
            world.say(world.lastStream, String(repeating: "x", count: 5_000))
            world.finish(world.lastStream)
            world.advance(milliseconds: 10)
        }
        world.advance(milliseconds: 2_000)
        #expect(world.hubs[0].rooms.count == 4, "rooms that are watched stay")
        for room in rooms.prefix(3) { client.ask("leave", ["room_id": .string(room)]) }
        world.advance(milliseconds: 2_000)
        let held = Set(world.hubs[0].rooms.keys.map(\.text))
        #expect(held.contains(rooms[3]) && !held.contains(rooms[0]))
        #expect(world.hubs[0].memoryBytes <= 40_000)
        #expect(client.join(rooms[0])["history"]?.array?.count == 1)
        world.expectConsistent()
    }
}
