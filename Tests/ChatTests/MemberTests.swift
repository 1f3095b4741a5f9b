import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Who belongs to a room, and what they may do in it.
@Suite struct MemberTests {
    private func set(
        _ world: HubWorld, _ client: TestClient, _ room: String, _ user: String, _ role: String = "editor"
    ) -> JSONObject {
        client.ask("set-member", ["room_id": .string(room), "user_id": .string(user), "role": .string(role)])
    }

    private func remove(_ client: TestClient, _ room: String, _ user: String) -> JSONObject {
        client.ask("remove-member", ["room_id": .string(room), "user_id": .string(user)])
    }

    private func members(_ client: TestClient, _ room: String) -> [String] {
        let found = client.ask("get-room", ["room_id": .string(room)])["room"]?.object?["members"]?.array ?? []
        return found.compactMap(\.object).map { "\($0.text("user_id")) \($0.text("role"))" }
    }

    @Test(arguments: [1, 2, 3]) func aMemberIsAddedAndEveryoneLearnsOfIt(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let ann = world.connect()
        let watcher = world.connect("cyd", loop: loops - 1)
        let bob = world.connect("bob", loop: loops - 1)
        watcher.join(room)
        let ack = set(world, ann, room, "bob")
        #expect(ack.text("room_id") == room)
        let member = ack["member"]?.object ?? [:]
        #expect(member.text("user_id") == "bob" && member.text("role") == "editor" && !member.text("joined_at").isEmpty)
        let entry = watcher.last("member-joined")
        #expect(entry.text("user_id") == "bob" && entry.text("role") == "editor" && entry.text("by") == "ann")
        #expect(entry["joined_at"] == member["joined_at"])
        #expect(bob.last("room-added").text("room_id") == room)
        #expect(bob.last("room-summary").text("room_id") == room)
        #expect(bob.ask("list-rooms").number("total") == 1)
        #expect(watcher.all("room-added").isEmpty)
        world.advance(milliseconds: 2_000)
        let again = set(world, ann, room, "bob", "viewer")
        #expect(again["member"]?.object?["joined_at"] == member["joined_at"], "it stays a member")
        #expect(watcher.last("member-joined").text("role") == "viewer")
        #expect(set(world, ann, room, "bob", "viewer").text("type") == "ack")
        #expect(watcher.all("member-joined").count == 2, "nothing changed the third time")
        #expect(bob.all("room-added").count == 1)
        #expect(set(world, ann, room, "ada").text("type") == "ack")
        #expect(members(bob, room) == ["ada editor", "bob viewer"])
        let after = HubWorld(loops: loops, seed: 2, before: world)
        #expect(members(after.connect("dan"), room) == ["ada editor", "bob viewer"], "it is stored")
        world.expectConsistent()
    }

    @Test func onlyTheOwnerChangesMembersAndAMemberMayGo() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let ann = world.connect()
        let bob = world.connect("bob")
        let cyd = world.connect("cyd")
        for user in ["bob", "cyd"] { #expect(set(world, ann, room, user).text("type") == "ack") }
        #expect(set(world, bob, room, "dan").text("code") == "ACCESS_DENIED")
        #expect(set(world, bob, room, "bob", "viewer").text("code") == "ACCESS_DENIED")
        #expect(remove(bob, room, "cyd").text("code") == "ACCESS_DENIED")
        #expect(set(world, ann, room, "ann").text("code") == "VALIDATION_ERROR")
        #expect(remove(ann, room, "ann").text("code") == "VALIDATION_ERROR")
        #expect(remove(bob, room, "ann").text("code") == "ACCESS_DENIED")
        #expect(remove(ann, room, "dan").text("code") == "NOT_FOUND")
        #expect(remove(bob, "room_none", "bob").text("code") == "NOT_FOUND")
        let gone = remove(bob, room, "bob")
        #expect(gone.text("room_id") == room && gone.text("user_id") == "bob")
        #expect(remove(bob, room, "bob").text("code") == "NOT_FOUND")
        #expect(bob.last("room-removed").text("room_id") == room)
        #expect(bob.ask("list-rooms").number("total") == 0 && cyd.ask("list-rooms").number("total") == 1)
        #expect(members(ann, room) == ["cyd editor"])
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func aViewerReadsAndDoesNothingElse(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let ann = world.connect()
        let bob = world.connect("bob", loop: loops - 1)
        let session = bob.openSession(room)
        _ = set(world, ann, room, "bob", "viewer")
        ann.send(room, "hello", key: "m1")
        let stream = world.lastStream
        let running = ann.answer(to: "m1").text("exchange_id")
        bob.join(room)
        world.say(stream, "answer")
        let shared = world.store.rooms[RoomID(room)]?.defaultSessionID.text ?? ""
        let denied: [(String, JSONObject)] = [
            ("send", ["room_id": .string(room), "text": "x"]),
            ("send", ["room_id": .string(room), "text": "x", "respond": false]),
            ("cancel", ["room_id": .string(room)]), ("cancel", ["stream_id": .string(stream)]),
            ("cancel", ["session_id": .string(shared)]), ("open-session", ["room_id": .string(room)]),
            ("close-session", ["session_id": .string(session)]), ("reset", ["session_id": .string(shared)]),
            ("clear-history", ["room_id": .string(room)]), ("clear-history", ["session_id": .string(shared)]),
            ("typing", ["room_id": .string(room), "active": true]),
            ("update-room", ["room_id": .string(room), "room_name": "B"]),
            ("delete-room", ["room_id": .string(room)]),
        ]
        for (type, fields) in denied { #expect(bob.ask(type, fields).text("code") == "ACCESS_DENIED", "\(type)") }
        let stop = world.request(.stopSession(SessionID(shared)), user: "bob")
        #expect(stop.map { if case .failure(let error) = $0 { error.code == .accessDenied } else { false } } == true)
        #expect(bob.ask("history", ["room_id": .string(room)]).text("type") == "ack")
        bob.post("read", ["room_id": .string(room), "exchange_id": .string(running)])
        world.run()
        #expect(bob.all("error").count == denied.count)
        #expect(world.watch(shared).hasBegun)
        world.finish(stream)
        #expect(bob.text(stream) == "answer")
        _ = set(world, ann, room, "bob")
        #expect(bob.send(room, "now I may", key: "b1")["stream_id"] != nil)
        #expect(ann.ask("cancel", ["room_id": .string(room)]).text("state") == "accepted", "the owner cancels any")
        ann.send(room, "again", key: "m2")
        #expect(bob.ask("cancel", ["stream_id": .string(world.lastStream)]).text("state") == "accepted", "so an editor")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2, 3]) func whoIsRemovedIsCutOffAtOnce(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let ann = world.connect()
        let clients = (0..<loops).map { world.connect("bob", loop: $0) }
        let away = world.connect("bob")
        let slow = world.connect("bob", loop: loops - 1)
        _ = set(world, ann, room, "bob")
        for client in [ann, slow] + clients { client.join(room) }
        ann.send(room, "hello", key: "m1")
        let stream = world.lastStream
        let shared = world.store.rooms[RoomID(room)]?.defaultSessionID.text ?? ""
        let reader = world.watch(shared, user: "bob", loop: loops - 1)
        let other = world.watch(shared, loop: loops - 1)
        world.say(stream, "one ")
        slow.budget = 0
        world.say(stream, "two ")
        let seen = clients.map { $0.rooms[room]?.seq }
        _ = remove(ann, room, "bob")
        world.say(stream, "three")
        slow.read(.max)
        for (client, seq) in zip(clients, seen) {
            #expect(client.last("left").text("reason") == "membership")
            #expect(client.rooms[room]?.seq == seq, "nothing came after it, and nothing but `left`")
        }
        #expect(slow.all("left").count == 1 && slow.text(stream) == "one ")
        #expect(away.last("room-removed").text("room_id") == room && away.all("left").isEmpty)
        #expect(reader.errorCode == "ACCESS_DENIED" && reader.text == "one two ")
        #expect(reader.connection?.wasRemoved == true)
        #expect(ann.last("member-left").text("user_id") == "bob" && ann.last("member-left").text("by") == "ann")
        world.advance(milliseconds: 1_000)
        #expect(ann.states["presence"]?[room]?["users"] == ["ann"])
        #expect(clients[0].join(room).text("type") == "joined", "as a stranger, who has the room's id")
        world.finish(stream)
        #expect(other.text == "one two three" && clients[0].text(stream) == "one two three")
        world.endWatching(reader)
        world.endWatching(other)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [false, true]) func aSnapshotThatIsOnItsWayIsNotForWhoWasRemoved(_ leaves: Bool) {
        var limits = Limits()
        limits.logTailBytesMax = 1_000
        let world = HubWorld(loops: 2, limits: limits)
        let room = world.room(homeOn: 1)
        let ann = world.connect(loop: 1)
        ann.join(room)
        let slow = world.connect("bob", loop: 0)
        _ = set(world, ann, room, "bob")
        slow.join(room)
        slow.budget = 0
        for index in 0..<30 { ann.send(room, String(repeating: "x", count: 100), key: "k\(index)", ["respond": false]) }
        slow.forgetFrames()
        if leaves {
            slow.post("leave", ["room_id": .string(room)])
        } else {
            ann.post("remove-member", ["room_id": .string(room), "user_id": "bob"])
        }
        slow.budget = .max
        slow.pump()
        world.finishTurn(0)
        world.run()
        ann.send(room, "later", key: "later", ["respond": false])
        #expect(slow.all(leaves ? "ack" : "left").count == 1)
        #expect(slow.all("message").allSatisfy { $0.text("text") != "later" })
        #expect(slow.connection?.outbox.subscriptions.isEmpty == true)
        world.expectConsistent()
    }

    @Test func aRoomHasAThousandMembersAndNoMore() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let ann = world.connect()
        for index in 0..<999 { #expect(set(world, ann, room, "user\(index)")["member"] != nil) }
        world.storeAnswers = false
        for (id, user) in [("a", "last"), ("b", "late"), ("c", "user7")] {
            ann.post(
                "set-member",
                ["id": .string(id), "room_id": .string(room), "user_id": .string(user), "role": "viewer"])
        }
        world.releaseStore()
        #expect(ann.answer(to: "a").text("type") == "ack")
        #expect(ann.answer(to: "b").text("code") == "VALIDATION_ERROR")
        #expect(ann.answer(to: "c").text("type") == "ack", "who is one may change")
        #expect(members(ann, room).count == Limits.membersPerRoom)
        _ = remove(ann, room, "user7")
        #expect(set(world, ann, room, "late").text("type") == "ack")
        world.expectConsistent()
    }

    @Test func whatIsNotStoredIsNotShown() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let ann = world.connect()
        ann.join(room)
        _ = set(world, ann, room, "bob")
        world.store.fails = { request in
            switch request {
            case .setMember, .removeMember: true
            default: false
            }
        }
        #expect(set(world, ann, room, "cyd").text("code") == "STORAGE_UNAVAILABLE")
        #expect(set(world, ann, room, "bob", "viewer").text("code") == "STORAGE_UNAVAILABLE")
        #expect(remove(ann, room, "bob").text("code") == "STORAGE_UNAVAILABLE")
        world.store.fails = { _ in false }
        #expect(members(ann, room) == ["bob editor"])
        #expect(ann.all("member-joined").count == 1 && ann.all("member-left").isEmpty)
        world.expectConsistent()
    }

    @Test func changesThatFollowAtOnceKeepTheirOrder() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let ann = world.connect()
        ann.join(room)
        world.storeAnswers = false
        let bob: JSONObject = ["room_id": .string(room), "user_id": "bob", "role": "viewer"]
        for (index, type) in ["set-member", "remove-member", "remove-member", "set-member"].enumerated() {
            var fields = bob
            fields["id"] = .string("q\(index + 100)")
            ann.post(type, fields)
        }
        ann.post("delete-room", ["room_id": .string(room)])
        world.releaseStore()
        #expect(ann.answer(to: "q102").text("code") == "NOT_FOUND")
        let log = ann.types(room).filter { $0.hasPrefix("member-") || $0 == "room-deleted" }
        #expect(log == ["member-joined", "member-left", "member-joined", "room-deleted"])
        world.expectConsistent()
    }
}
