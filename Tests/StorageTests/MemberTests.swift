import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct MemberTests {
    let scratch = Scratch()

    private func open() throws -> MessageStore {
        let store = try scratch.open()
        #expect(store.answer(.create("r")).isStored)
        return store
    }

    private func members(_ store: MessageStore) -> [String]? {
        store.answer(.loadRoom(RoomID("r"))).head?.members.map {
            "\($0.userID) \($0.role.rawValue) \($0.joinedAt.milliseconds)"
        }
    }

    @Test func membersComeChangeAndGo() throws {
        let store = try open()
        defer { store.close() }
        #expect(members(store) == [])
        #expect(store.answer(.member("cyd", .viewer, at: 5)).isStored)
        #expect(store.answer(.member("bob", at: 6)).isStored)
        #expect(members(store) == ["bob editor 6", "cyd viewer 5"])
        #expect(store.answer(.member("cyd", .editor, at: 9)).isStored)
        #expect(members(store) == ["bob editor 6", "cyd editor 5"], "it keeps its time")
        #expect(store.answer(.noMember("bob")).cleared == 1)
        #expect(store.answer(.noMember("bob")).cleared == 0)
        #expect(members(store) == ["cyd editor 5"])
        #expect(store.answer(.member("bob", of: "missing")).isUnavailable)
        #expect(store.answer(.noMember("bob", of: "missing")).isUnavailable)
        #expect(store.answer(.deleteRoom(RoomID("r"), at: .at(7), outcomes: [])).isStored)
        #expect(store.answer(.member("dan")).isUnavailable)
    }

    @Test func theLimitHoldsAtItsEdgeUnderConcurrentChanges() throws {
        let store = try open()
        defer { store.close() }
        let answers = Answers()
        for number in 0..<40 { store.submit(.member("u\(number % 30)", max: 20), completion: answers.take(number)) }
        let results = answers.wait(for: 40).map { $0.result }
        #expect(results.count { $0.isStored } == 30, "20 that are new, and 10 that are members again")
        #expect(results.count { $0.isMemberLimitReached } == 10)
        #expect(members(store)?.count == 20)
        #expect(store.answer(.member("u1", .viewer, max: 20)).isStored, "who is one may change")
        #expect(store.answer(.noMember("u1")).cleared == 1)
        #expect(store.answer(.member("u29", max: 20)).isStored)
        #expect(store.answer(.create("other")).isStored)
        #expect(store.answer(.member("u29", of: "other", max: 20)).isStored, "each room has its own")
    }

    @Test(arguments: [
        (RoomOrder.lastActivity, ["d", "b", "c", "a"]), (.createdAt, ["a", "b", "c", "d"]),
        (.roomName, ["c", "d", "b", "a"]),
    ])
    func aListHoldsTheRoomsOfOnesOwnAndThoseOneIsAMemberOf(order: RoomOrder, expected: [String]) throws {
        let store = try scratch.open()
        defer { store.close() }
        for (id, owner, name, created) in [
            ("a", "ada", "Z", 9), ("b", "bob", "M", 8), ("c", "ada", "A", 7), ("d", "bob", "B", 6),
            ("e", "bob", "E", 5), ("f", "bob", "F", 4),
        ] {
            let room = RoomRecord.example(id, owner: owner, name: name, createdAt: Int64(created))
            #expect(store.answer(.createRoom(room, roomsMax: 0)).isStored)
        }
        for room in ["b", "d", "f"] { #expect(store.answer(.member("ada", of: room)).isStored) }
        for (room, time) in [("c", 20), ("b", 30), ("d", 40), ("f", 50)] {
            let message = StorageRequest.message("in \(room)", in: room, exchange: room, user: "bob", at: Int64(time))
            #expect(store.answer(message).isStored)
        }
        #expect(store.answer(.read("b", in: "b")).isStored)
        #expect(store.answer(.deleteRoom(RoomID("f"), at: .at(60), outcomes: [])).isStored)
        let all = store.answer(.listRooms(UserID("ada"), RoomPage(order: order)))
        #expect(all.rooms?.map { $0.room.roomID.text } == expected && all.total == 4)
        let rows = Dictionary(uniqueKeysWithValues: (all.rooms ?? []).map { ($0.room.roomID.text, $0) })
        #expect(rows["b"]?.unread == 0 && rows["d"]?.unread == 1 && rows["a"]?.unread == 0)
        #expect(rows["d"]?.room.userID.text == "bob" && rows["d"]?.lastExchange?.messages.first?.text == "in d")
        for offset in 0...5 {
            let page = store.answer(.listRooms(UserID("ada"), RoomPage(limit: 2, offset: offset, order: order)))
            #expect(page.rooms?.map { $0.room.roomID.text } == Array(expected.dropFirst(offset).prefix(2)))
        }
        #expect(store.answer(.listRooms(UserID("bob"), RoomPage(order: order))).total == 3)
    }
}
