import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct RoomRequestTests {
    let scratch = Scratch()

    @Test func aRoomReadsBackAsItWasWritten() throws {
        let store = try scratch.open()
        defer { store.close() }
        let room = RoomRecord.example(
            "r", name: "Zoë's \u{1F44B}\u{0} room", createdAt: 1_700_000_000_123,
            metadata: ["tags": ["a", "b"], "nested": ["n": 1.5, "null": nil]])
        #expect(store.answer(.createRoom(room, roomsMax: 50)).isStored)
        let head = store.answer(.loadRoom(room.roomID)).head
        #expect(head?.room == room)
        #expect(head?.members == [])
        #expect(head?.history == [])
        #expect(head?.nextBefore == nil)
        #expect(store.answer(.loadRoom(RoomID("missing"))).head == nil)
    }

    @Test func aRoomCanBeRenamedAndItsMetadataReplaced() throws {
        let store = try scratch.open()
        defer { store.close() }
        var room = RoomRecord.example("r", metadata: ["old": true])
        #expect(store.answer(.createRoom(room, roomsMax: 0)).isStored)
        room.name = "Another"
        room.metadata = ["new": 1]
        #expect(store.answer(.updateRoom(room)).isStored)
        #expect(store.answer(.loadRoom(room.roomID)).head?.room == room)
        #expect(store.answer(.updateRoom(.example("missing"))).isUnavailable)
    }

    @Test func deletingARoomEndsWhatRanInItAndHidesIt() throws {
        let store = try scratch.open()
        defer { store.close() }
        for request: StorageRequest in [
            .create("r"), .message("hello", exchange: "e", key: "k"), .startExchange(ExchangeID("e"), at: .at(2)),
            .segment("e", 0, "par"),
        ] {
            #expect(store.answer(request).isStored)
        }
        let outcomes = [ExchangeOutcome.example("e", "partial", .cancelled), .example("unknown", "", .cancelled)]
        let delete = StorageRequest.deleteRoom(RoomID("r"), at: .at(10), outcomes: outcomes)
        #expect(store.answer(delete).isStored)
        #expect(store.answer(delete).isStored, "a retry changes nothing")
        #expect(store.answer(.loadRoom(RoomID("r"))).head == nil)
        #expect(store.answer(.findStream(StreamID("stream_e"))).stream == nil)
        #expect(store.answer(.history()).history == [])
        #expect(store.answer(.page(HistoryFilter(roomID: RoomID("r")))).total == 0)
        #expect(store.answer(.listRooms(UserID("ada"), RoomPage())).total == 0)
        #expect(store.answer(.findMessage(RoomID("r"), UserID("ada"), messageID: "k", text: "")).duplicate == nil)
        #expect(store.answer(.message("late", exchange: "late")).isUnavailable)
        let file = try DatabaseConnection(path: scratch.database)
        let row = try file.first("SELECT status, text, ended_at FROM exchanges") {
            "\($0.text(0)) \($0.text(1)) \($0.int(2))"
        }
        #expect(row == "cancelled partial 9")
        #expect(try file.first("SELECT count(*) FROM segments") { $0.int(0) } == 0)
        #expect(try file.first("SELECT closed_at FROM sessions") { $0.int(0) } == 10)
    }

    @Test func theRoomLimitHoldsAtItsEdgeUnderConcurrentCreates() throws {
        let store = try scratch.open()
        defer { store.close() }
        let answers = Answers()
        for number in 0..<40 { store.submit(.create("r\(number)", roomsMax: 25), completion: answers.take(number)) }
        let results = answers.wait(for: 40).map { $0.result }
        #expect(results.count { $0.isStored } == 25)
        #expect(results.count { $0.isRoomLimitReached } == 15)
        #expect(store.answer(.create("more", roomsMax: 25)).isRoomLimitReached)
        #expect(store.answer(.create("other", owner: "bob", roomsMax: 25)).isStored, "others have their own limit")
        #expect(store.answer(.create("unlimited", roomsMax: 0)).isStored)
        #expect(store.answer(.deleteRoom(RoomID("unlimited"), at: .at(1), outcomes: [])).isStored)
        #expect(store.answer(.deleteRoom(RoomID("r0"), at: .at(1), outcomes: [])).isStored)
        #expect(store.answer(.create("again", roomsMax: 25)).isStored, "deleted rooms do not count")
        store.onWriter("UPDATE rooms SET origin = 'conversations' WHERE room_id = 'again'")
        #expect(store.answer(.create("counted", roomsMax: 25)).isStored, "rooms of other faces do not count")
    }

    @Test(arguments: [
        (RoomOrder.lastActivity, ["b", "a", "d", "c"]), (.createdAt, ["c", "d", "a", "b"]),
        (.roomName, ["d", "b", "a", "c"]),
    ])
    func roomsAreListedInEachOrderWithTheirNewestExchange(order: RoomOrder, expected: [String]) throws {
        let store = try scratch.open()
        defer { store.close() }
        for (id, name, created) in [("a", "M", 1), ("b", "B", 0), ("c", "Z", 5), ("d", "A", 5)] {
            let room = RoomRecord.example(id, name: name, createdAt: Int64(created))
            #expect(store.answer(.createRoom(room, roomsMax: 0)).isStored)
        }
        for (room, exchange, time) in [("b", "b1", 30), ("a", "a1", 20), ("b", "b2", 30), ("d", "d1", 20)] {
            let message = StorageRequest.message("to \(room)", in: room, exchange: exchange, at: Int64(time))
            #expect(store.answer(message).isStored)
        }
        #expect(store.answer(.finish("b2", "answer")).isStored)
        #expect(store.answer(.create("foreign", owner: "bob")).isStored)
        let all = store.answer(.listRooms(UserID("ada"), RoomPage(order: order)))
        #expect(all.total == 4)
        #expect(all.rooms?.map { $0.room.roomID.text } == expected)
        let newest = all.rooms?.first { $0.room.roomID.text == "b" }?.lastExchange
        #expect(newest?.exchangeID == ExchangeID("b2"))
        #expect(newest?.text == "answer")
        #expect(newest?.messages.map { $0.text } == ["to b"])
        #expect(all.rooms?.first { $0.room.roomID.text == "c" }?.lastExchange == nil)
        for offset in 0...5 {
            let page = store.answer(.listRooms(UserID("ada"), RoomPage(limit: 2, offset: offset, order: order)))
            #expect(page.rooms?.map { $0.room.roomID.text } == Array(expected.dropFirst(offset).prefix(2)))
            #expect(page.total == 4)
        }
    }
}
