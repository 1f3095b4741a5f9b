import ChatProtocol
import Testing
import Wire

@testable import Chat

@Suite struct PresenceTests {
    @Test func anOlderSnapshotDoesNotHideWhoCameSince() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        world.advance(milliseconds: 10_000)
        client.join(room)
        world.connect("bob").join(room)
        #expect(client.states["presence"]?[room]?["users"] == ["ann", "bob"])
        let before = client.stateFrames
        let snapshot = client.join(room)
        #expect(snapshot["presence"]?.object?["users"] == ["ann"])
        #expect(client.stateFrames == before + 1)
        #expect(client.states["presence"]?[room]?["users"] == ["ann", "bob"])
        world.expectConsistent()
    }

    @Test func whoClosesWhileTheRoomLoadsIsNotThere() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        world.storeAnswers = false
        let gone = world.connect("bob")
        gone.post("join", ["room_id": .string(room)])
        world.disconnect(gone)
        world.releaseStore()
        let client = world.connect()
        client.join(room)
        world.advance(milliseconds: 1_000)
        #expect(client.last("joined")["presence"]?.object?["users"] == ["ann"])
        #expect(world.hubs[0].rooms[RoomID(room)]?.live.watchers.count == 1)
        world.expectConsistent()
    }

    private func users(_ client: TestClient, _ kind: String, _ room: String) -> [String] {
        (client.states[kind]?[room]?["users"]?.array ?? []).compactMap(\.string)
    }

    @Test(arguments: 1...3) func everyoneSeesWhoIsHere(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let ann = world.connect("ann")
        ann.join(room)
        world.advance(milliseconds: 1000)
        let bob = world.connect("bob")
        bob.join(room)
        let second = world.connect("bob")
        second.join(room)
        world.advance(milliseconds: 1000)
        #expect(users(ann, "presence", room) == ["ann", "bob"])
        #expect(users(bob, "presence", room) == ["ann", "bob"])
        world.disconnect(bob)
        world.advance(milliseconds: 1000)
        #expect(users(ann, "presence", room) == ["ann", "bob"], "another socket of bob's is still here")
        _ = second.ask("leave", ["room_id": .string(room)])
        world.advance(milliseconds: 1000)
        #expect(users(ann, "presence", room) == ["ann"])
        world.expectConsistent()
    }

    @Test func presenceIsSentOnceASecondAtMost() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let ann = world.connect("ann")
        ann.join(room)
        let before = ann.stateFrames
        for number in 0..<20 { world.connect("user\(number)").join(room) }
        #expect(ann.stateFrames == before)
        world.advance(milliseconds: 1000)
        #expect(ann.stateFrames == before + 1)
        #expect(users(ann, "presence", room).count == 21)
    }

    @Test func agentsShowWhatTheirStreamsDo() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let ann = world.connect("ann")
        ann.join(room)
        ann.send(room, "hello", key: "m1")
        let stream = world.lastStream
        func state() -> String? {
            world.advance(milliseconds: 1000)
            return ann.states["presence"]?[room]?["agents"]?.array?.first?.object?.text("state")
        }
        #expect(state() == "thinking")
        world.agent(stream, .event(.toolCall, ["name": "search"]))
        #expect(state() == "using_tool")
        world.agent(stream, .event(.toolResult, ["name": "search"]))
        #expect(state() == "thinking")
        world.say(stream, "Well")
        #expect(state() == "answering")
        world.finish(stream)
        #expect(state() == nil)
        world.expectConsistent()
    }

    @Test(arguments: 1...3) func whoWritesIsShownForSixSeconds(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let ann = world.connect("ann")
        let bob = world.connect("bob")
        #expect(ann.ask("typing", ["room_id": .string(room), "active": true]).text("code") == "VALIDATION_ERROR")
        ann.join(room)
        bob.join(room)
        ann.post("typing", ["room_id": .string(room), "active": true])
        world.run()
        #expect(users(bob, "typing", room) == ["ann"])
        world.advance(milliseconds: 7000)
        #expect(users(bob, "typing", room) == [])
        ann.post("typing", ["room_id": .string(room), "active": true])
        world.advance(milliseconds: 300)
        world.disconnect(ann)
        world.advance(milliseconds: 300)
        #expect(users(bob, "typing", room) == [])
    }

    @Test(arguments: [1, 2]) func whoComesAfterARestartLearnsWhatWasRead(_ loops: Int) {
        let before = HubWorld(loops: loops)
        let room = before.room()
        let bob = before.connect("bob")
        bob.join(room)
        bob.send(room, "hello", key: "m1")
        before.finish(before.lastStream)
        let exchange = bob.last("message").text("exchange_id")
        bob.post("read", ["room_id": .string(room), "exchange_id": .string(exchange)])
        before.run()
        let world = HubWorld(loops: loops, seed: 2, before: before)
        let client = world.connect(loop: loops - 1)
        client.join(room)
        let mark = client.states["read"]?[room]?["marks"]?.array?.first?.object
        #expect(mark?["user_id"] == "bob")
        #expect(mark?["exchange_id"]?.string == exchange)
        world.expectConsistent()
    }

    @Test func anEarlierReadingDoesNotTakeAMarkBack() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        let session = client.openSession(room)
        client.send(room, "hello", key: "m1")
        world.finish(world.lastStream)
        let exchange = client.last("message").text("exchange_id")
        world.storeAnswers = false
        client.post("clear-history", ["session_id": .string(session)])
        world.run()
        world.answerFirst { if case .clearHistory = $0 { true } else { false } }
        world.beginReads { if case .loadRoom = $0 { true } else { false } }
        client.post("read", ["room_id": .string(room), "exchange_id": .string(exchange)])
        client.postSend(room, "another", key: "m2")
        world.run()
        world.answerFirst { if case .insertMessage = $0 { true } else { false } }
        world.answerFirst { if case .markRead = $0 { true } else { false } }
        world.releaseStore()
        world.advance(milliseconds: 1_000)
        let marks = client.states["read"]?[room]?["marks"]?.array ?? []
        #expect(marks.compactMap { $0.object?.text("exchange_id") } == [exchange])
        #expect(world.hubs[0].rooms[RoomID(room)]?.live.reads.map(\.unread) == [1])
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    @Test func readMarksMoveForwardAndCountWhatIsUnread() {
        let world = HubWorld(loops: 2)
        let ann = world.connect("ann")
        let room = ann.ask("create-room", ["room_name": "Reading"])["room"]?.object?.text("room_id") ?? ""
        ann.join(room)
        for number in 1...3 {
            ann.send(room, "question \(number)", key: "m\(number)")
            world.finish(world.lastStream)
        }
        let exchanges = ann.all("message").map { $0.text("exchange_id") }
        func mark(_ index: Int) -> String {
            ann.post("read", ["room_id": .string(room), "exchange_id": .string(exchanges[index])])
            world.advance(milliseconds: 1000)
            return ann.states["read"]?[room]?["marks"]?.array?.first?.object?.text("exchange_id") ?? ""
        }
        #expect(mark(1) == exchanges[1])
        #expect(mark(0) == exchanges[1], "a mark never moves back")
        let other = world.connect("ann")
        ann.send(room, "question 4", key: "m4")
        world.finish(world.lastStream)
        world.advance(milliseconds: 1000)
        #expect(other.last("room-summary").number("unread") == 2)
        #expect(mark(2) == exchanges[2])
        world.expectConsistent()
    }

    @Test(arguments: 1...2) func aMessageForPeopleWaitsForNoAgent(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let ann = world.connect("ann")
        ann.join(room)
        ann.send(room, "a question", key: "m1")
        let ack = ann.ask(
            "send", ["room_id": .string(room), "text": "just us", "respond": false, "message_id": "m2"])
        #expect(ack.text("type") == "ack")
        #expect(ack["stream_id"] == nil)
        #expect(ann.last("message").text("text") == "just us")
        #expect(ann.all("stream-started").count == 1)
        world.finish(world.lastStream)
        let again = ann.ask(
            "send", ["room_id": .string(room), "text": "just us", "respond": false, "message_id": "m2"])
        #expect(again["duplicate"] == true)
        #expect(again.text("status") == "completed")
        let late = world.connect("bob")
        late.join(room)
        #expect(late.last("joined")["history"]?.array?.count == 2)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }
}
