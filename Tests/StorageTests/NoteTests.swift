import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct NoteTests {
    let scratch = Scratch()

    private func open() throws -> MessageStore {
        let store = try scratch.open()
        #expect(store.answer(.create("r")).isStored)
        return store
    }

    @Test func aMessageForPeopleIsStoredWithoutStreamAndAgent() throws {
        let store = try open()
        defer { store.close() }
        for (exchange, key) in [("n1", "k1"), ("n2", nil)] {
            #expect(store.answer(.note("hello", exchange: exchange, key: key, at: 7)).isStored)
        }
        var expected = ExchangeRecord(
            exchangeID: ExchangeID("n1"), streamID: StreamID(""), roomID: RoomID("r"),
            sessionID: SessionID("session_r"), userID: UserID("ada"), agentType: "", startedAt: .at(7))
        expected.status = .completed
        expected.endedAt = .at(7)
        expected.messages = [
            MessageRecord(messageID: "k1", userID: UserID("ada"), role: .user, text: "hello", timestamp: .at(7))
        ]
        let head = try #require(store.answer(.loadRoom(RoomID("r"))).head)
        #expect(head.history.first == expected)
        #expect(head.history.map { $0.exchangeID.text } == ["n1", "n2"])
        #expect(head.room.messageCount == 2)
        #expect(head.room.lastActivity == .at(7))
        #expect(store.answer(.page(HistoryFilter(userID: UserID("ada")))).page?.last == expected)
        let file = try DatabaseConnection(path: scratch.database)
        let stored = try file.first(
            "SELECT count(*) FROM exchanges WHERE stream_id IS NULL AND agent_type IS NULL AND ended_at = 7"
        ) { $0.int(0) }
        #expect(stored == 2)
    }

    @Test func aRepeatedMessageForPeopleIsFoundByItsKey() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.note("hello", exchange: "n", key: "k")).isStored)
        func found(_ isSameText: Bool) -> StoredMessage {
            StoredMessage(
                exchangeID: ExchangeID("n"), streamID: StreamID(""), status: .completed, isSameText: isSameText)
        }
        #expect(store.answer(.note("hello", exchange: "m", key: "k")).duplicate == found(true))
        #expect(store.answer(.message("other", exchange: "m", key: "k")).duplicate == found(false))
        let find = StorageRequest.findMessage(RoomID("r"), UserID("ada"), messageID: "k", text: "hello")
        #expect(store.answer(find).duplicate == found(true))
        #expect(store.answer(.history()).history?.count == 1)
    }

    @Test func noAgentIsToldWhatWasForPeople() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.note("psst", exchange: "n1")).isStored)
        #expect(store.answer(.message("a?", exchange: "a")).isStored)
        #expect(store.answer(.finish("a", "a!")).isStored)
        #expect(store.answer(.note("psst", exchange: "n2")).isStored)
        #expect(store.answer(.context()).context == ["user: a?", "assistant: a!"])
        #expect(store.answer(.context(agent: "")).context == [])
        #expect(store.answer(.findStream(StreamID(""))).stream == nil)
        #expect(store.answer(.reset()).cleared == 1, "nothing else was remembered")
        #expect(store.answer(.clear()).cleared == 3)
    }

    @Test func aMessageForPeopleIsNotSettledAtTheNextStart() throws {
        let store = try open()
        #expect(store.answer(.note("hello", exchange: "n")).isStored)
        #expect(store.answer(.message("a?", exchange: "a")).isStored)
        store.close()
        let again = try scratch.open(at: 20)
        defer { again.close() }
        #expect(again.settledAtStart == 1)
        #expect(again.answer(.history()).history?.map { $0.status } == [.completed, .interrupted])
    }
}
