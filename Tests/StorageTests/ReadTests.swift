import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct ReadTests {
    let scratch = Scratch()

    /// A room with ended exchanges, and one of another room between the first two.
    private func open(_ exchanges: [String] = ["a", "b", "c"]) throws -> MessageStore {
        let store = try scratch.open()
        for room in ["r", "other"] { #expect(store.answer(.create(room)).isStored) }
        for (index, exchange) in exchanges.enumerated() {
            talk(store, exchange)
            if index == 0 { talk(store, "o", in: "other") }
        }
        return store
    }

    private func talk(_ store: MessageStore, _ exchange: String, in room: String = "r", session: String? = nil) {
        #expect(store.answer(.message("?", in: room, exchange: exchange, session: session)).isStored)
        #expect(store.answer(.finish(exchange, "!")).isStored)
    }

    /// Each mark as `user exchange time unread`.
    private func marks(_ store: MessageStore, _ room: String = "r") -> [String]? {
        store.answer(.loadRoom(RoomID(room))).head?.reads.map {
            "\($0.userID) \($0.exchangeID) \($0.timestamp.milliseconds) \($0.unread)"
        }
    }

    /// Each room of the list with what is unread in it.
    private func unread(_ store: MessageStore, by user: String = "ada") -> [String: Int]? {
        store.answer(.listRooms(UserID(user), RoomPage())).rooms.map {
            Dictionary(uniqueKeysWithValues: $0.map { ($0.room.roomID.text, $0.unread) })
        }
    }

    @Test(
        arguments: [
            ([], []), ([("a", 5)], ["ada a 5 2"]), ([("c", 5)], ["ada c 5 0"]),
            ([("a", 5), ("c", 6)], ["ada c 6 0"]), ([("c", 5), ("a", 6)], ["ada c 5 0"]),
            ([("b", 5), ("b", 6)], ["ada b 5 1"]), ([("b", 5), ("o", 6)], ["ada b 5 1"]),
            ([("unknown", 5)], []), ([("o", 5)], []),
        ] as [([(String, Int64)], [String])])
    func aMarkOnlyMovesOn(reads: [(String, Int64)], expected: [String]) throws {
        let store = try open()
        defer { store.close() }
        for (exchange, time) in reads { #expect(store.answer(.read(exchange, at: time)).isStored) }
        #expect(marks(store) == expected)
        #expect(marks(store, "other") == [])
    }

    @Test func marksAreReadInTheOrderOfTheirUsersAndOutliveTheProcess() throws {
        let store = try open()
        for (user, exchange) in [("cyd", "a"), ("ada", "b"), ("bob", "c")] {
            #expect(store.answer(.read(exchange, by: user)).isStored)
        }
        #expect(store.answer(.read("o", in: "other", by: "bob")).isStored)
        store.close()
        let again = try scratch.open()
        defer { again.close() }
        #expect(marks(again) == ["ada b 5 1", "bob c 5 0", "cyd a 5 2"])
        #expect(marks(again, "other") == ["bob o 5 0"])
    }

    @Test func aRoomThatIsNotThereTakesNoMark() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.read("a", in: "missing")).isStored)
        #expect(store.answer(.deleteRoom(RoomID("r"), at: .at(9), outcomes: [])).isStored)
        #expect(store.answer(.read("a")).isStored)
        #expect(try DatabaseConnection(path: scratch.database).first("SELECT count(*) FROM reads") { $0.int(0) } == 0)
    }

    @Test func aListCountsWhatItsUserHasNotRead() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.create("empty")).isStored)
        #expect(unread(store) == ["r": 3, "other": 1, "empty": 0])
        #expect(store.answer(.read("c", by: "bob")).isStored)
        #expect(unread(store) == ["r": 3, "other": 1, "empty": 0], "what another has read does not count")
        #expect(store.answer(.read("b")).isStored)
        #expect(store.answer(.read("o", in: "other")).isStored)
        #expect(unread(store) == ["r": 1, "other": 0, "empty": 0])
        #expect(store.answer(.message("more", exchange: "d")).isStored)
        #expect(store.answer(.message("same", exchange: "d", opens: false)).isStored)
        #expect(unread(store) == ["r": 2, "other": 0, "empty": 0])
    }

    @Test func aClearedRoomHasNoMarksAndWhatComesAfterItIsUnread() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.read("c")).isStored)
        #expect(store.answer(.read("o", in: "other")).isStored)
        #expect(store.answer(.clear()).cleared == 3)
        #expect(marks(store) == [])
        #expect(marks(store, "other") == ["ada o 5 0"])
        talk(store, "d")
        #expect(unread(store) == ["r": 1, "other": 0])
    }

    @Test func aMarkFallsBackToTheNewestExchangeThatIsLeftBeforeIt() throws {
        let store = try open(["a"])
        defer { store.close() }
        let mine = SessionRecord(
            sessionID: SessionID("mine"), userID: UserID("ada"), roomID: RoomID("r"), createdAt: .at(0),
            expiresAt: .at(50))
        #expect(store.answer(.createSession(mine)).isStored)
        talk(store, "b", session: "mine")
        talk(store, "c")
        talk(store, "d", session: "mine")
        for (user, exchange) in [("ada", "d"), ("bob", "b"), ("cyd", "c")] {
            #expect(store.answer(.read(exchange, by: user)).isStored)
        }
        #expect(store.answer(.clear(session: "mine")).cleared == 2)
        #expect(marks(store) == ["ada c 5 0", "bob a 5 1", "cyd c 5 0"])
        talk(store, "e")
        #expect(marks(store) == ["ada c 5 1", "bob a 5 2", "cyd c 5 1"], "e has the row that d had")
        #expect(unread(store)?["r"] == 1)
    }
}
