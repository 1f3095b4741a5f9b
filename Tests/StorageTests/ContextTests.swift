import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct ContextTests {
    let scratch = Scratch()

    /// A room with the sessions `session_r` and `mine`.
    private func open() throws -> MessageStore {
        let store = try scratch.open()
        #expect(store.answer(.create("r")).isStored)
        let mine = SessionRecord(
            sessionID: SessionID("mine"), userID: UserID("ada"), roomID: RoomID("r"), createdAt: .at(0),
            expiresAt: .at(50))
        #expect(store.answer(.createSession(mine)).isStored)
        return store
    }

    /// An exchange that asks `<name>?` and, if it has ended, was answered `<name>!`.
    private func talk(
        _ store: MessageStore, _ name: String, session: String = "session_r", agent: String = "guide",
        hasEnded: Bool = true
    ) {
        #expect(
            store.answer(.message("\(name)?", exchange: name, key: name, session: session, agent: agent)).isStored)
        if hasEnded { #expect(store.answer(.finish(name, "\(name)!")).isStored) }
    }

    private func context(_ store: MessageStore, _ session: String = "session_r", agent: String = "guide") -> [String]? {
        store.answer(.context(session, agent: agent)).context
    }

    @Test func aContextHoldsTheEndedExchangesOfOneSessionAndAgent() throws {
        let store = try open()
        defer { store.close() }
        #expect(context(store) == [])
        #expect(store.answer(.message("one", exchange: "a")).isStored)
        #expect(store.answer(.message("two", exchange: "a", user: "bob", opens: false)).isStored)
        #expect(store.answer(.finish("a", "both")).isStored)
        talk(store, "other", session: "mine")
        talk(store, "paper", agent: "paper")
        #expect(store.answer(.message("silence", exchange: "b")).isStored)
        #expect(store.answer(.finish("b", "", .failed)).isStored)
        talk(store, "running", hasEnded: false)
        #expect(context(store) == ["user: one", "user: two", "assistant: both", "user: silence"])
        #expect(context(store, agent: "paper") == ["user: paper?", "assistant: paper!"])
        #expect(context(store, "mine") == ["user: other?", "assistant: other!"])
        #expect(context(store, "unknown") == [])
    }

    @Test(
        arguments: [
            (0, []), (1, ["assistant: b!"]), (2, ["user: b?", "assistant: b!"]),
            (3, ["assistant: a!", "user: b?", "assistant: b!"]),
            (4, ["user: a2", "assistant: a!", "user: b?", "assistant: b!"]),
            (9, ["user: a1", "user: a2", "assistant: a!", "user: b?", "assistant: b!"]),
        ] as [(Int, [String])])
    func aContextIsCutAtItsOldEnd(limit: Int, expected: [String]) throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.message("a1", exchange: "a")).isStored)
        #expect(store.answer(.message("a2", exchange: "a", opens: false)).isStored)
        #expect(store.answer(.finish("a", "a!")).isStored)
        talk(store, "b")
        #expect(store.answer(.context(limit: limit)).context == expected)
    }

    @Test func aResetForgetsOneAgentOrAllAndKeepsTheHistory() throws {
        let store = try open()
        defer { store.close() }
        talk(store, "a")
        talk(store, "b", agent: "paper")
        talk(store, "c", session: "mine")
        #expect(store.answer(.reset(agent: "unknown")).cleared == 0)
        #expect(store.answer(.reset(agent: "guide")).cleared == 1)
        #expect(store.answer(.reset(agent: "guide")).cleared == 0, "it is forgotten already")
        #expect(context(store) == [])
        #expect(context(store, agent: "paper") == ["user: b?", "assistant: b!"])
        talk(store, "d")
        #expect(store.answer(.reset()).cleared == 2, "d and b, but not a again")
        #expect(context(store) == [])
        #expect(context(store, agent: "paper") == [])
        #expect(context(store, "mine") == ["user: c?", "assistant: c!"])
        #expect(store.answer(.reset()).cleared == 0)
        #expect(store.answer(.reset("unknown")).cleared == 0)
        talk(store, "e")
        #expect(context(store) == ["user: e?", "assistant: e!"])
        let page = store.answer(.page(HistoryFilter(roomID: RoomID("r"))))
        #expect(page.page?.map { $0.exchangeID.text } == ["e", "d", "c", "b", "a"])
    }

    @Test func whoRegeneratesStandsInAnothersPlace() throws {
        let store = try open()
        defer { store.close() }
        func talk(_ name: String, of old: String? = nil, agent: String = "guide", _ answer: String? = nil) {
            #expect(store.answer(.message("\(name)?", exchange: name, agent: agent, regenerates: old)).isStored)
            #expect(store.answer(.finish(name, answer ?? "\(name)!")).isStored)
        }
        func told(_ name: String? = nil, limit: Int = 20) -> [String]? {
            store.answer(.context(of: name, limit: limit)).context
        }
        func both(_ names: String...) -> [String] { names.flatMap { ["user: \($0)?", "assistant: \($0)!"] } }
        for name in ["a", "b", "c"] { talk(name) }
        #expect(told("b") == both("a"))
        #expect(told("a") == [])
        #expect(told("unknown") == [])
        talk("d", of: "b")
        #expect(told() == both("a", "d"))
        #expect(told(limit: 3) == ["assistant: a!"] + both("d"))
        #expect(told("c") == both("a", "b"), "what c was told")
        #expect(told("d") == both("a"))
        talk("e", of: "d", "")
        #expect(told("e") == both("a"), "what d was told")
        #expect(told() == both("a", "d"), "it said nothing")
        talk("f", of: "c", agent: "paper")
        #expect(told() == both("a", "d"), "another agent's")
        talk("g", of: "c")
        talk("h")
        #expect(told() == both("a", "b", "g", "h"))
        #expect(store.answer(.findExchange(RoomID("r"), ExchangeID("f"))).exchange?.agentType == "paper")
        #expect(store.answer(.findExchange(RoomID("r"), ExchangeID("f"))).exchange?.sessionID.text == "session_r")
        #expect(store.answer(.create("other")).isStored)
        #expect(store.answer(.findExchange(RoomID("other"), ExchangeID("f"))).exchange == nil)
        let rows = store.answer(.history()).history ?? []
        #expect(rows.map { $0.regenerateOf?.text } == [nil, nil, nil, "b", "d", "c", "c", nil])
    }

    @Test func whatRegeneratesARemovedExchangeWasToldNothing() throws {
        let store = try open()
        defer { store.close() }
        talk(store, "a")
        #expect(store.answer(.message("b?", exchange: "b", regenerates: "a")).isStored)
        #expect(store.answer(.clear()).cleared == 1)
        #expect(store.answer(.finish("b", "b!")).isStored)
        talk(store, "c")
        #expect(context(store) == ["user: b?", "assistant: b!", "user: c?", "assistant: c!"])
        #expect(store.answer(.message("d?", exchange: "d", regenerates: "a")).isStored)
        #expect(store.answer(.context(of: "d")).context == [], "it is of nothing that is there")
        #expect(store.answer(.context(of: "b")).context == [])
        #expect(store.answer(.history()).history?.first?.regenerateOf == ExchangeID("a"), "it still says of what")
    }

    @Test func anOlderResetOfAllDoesNotBringBackWhatAnAgentForgot() throws {
        let store = try open()
        defer { store.close() }
        talk(store, "a", agent: "paper")
        talk(store, "b")
        #expect(store.answer(.reset(agent: "guide")).cleared == 1)
        #expect(store.answer(.reset()).cleared == 1, "reaches to a only")
        #expect(context(store) == [])
        #expect(context(store, agent: "paper") == [])
    }

    @Test func aResetForgetsWhatStillRuns() throws {
        let store = try open()
        defer { store.close() }
        talk(store, "a", hasEnded: false)
        #expect(store.answer(.reset()).cleared == 1)
        #expect(store.answer(.finish("a", "late")).isStored)
        #expect(context(store) == [])
        #expect(store.answer(.history()).history?.map { $0.text } == ["late"])
    }

    @Test func clearingRemovesTheEndedExchangesOfASessionForGood() throws {
        let store = try open()
        defer { store.close() }
        talk(store, "a")
        talk(store, "b", session: "mine")
        talk(store, "c", session: "mine")
        talk(store, "d", session: "mine", hasEnded: false)
        #expect(store.answer(.segment("d", 0, "par")).isStored)
        #expect(store.answer(.create("other")).isStored)
        #expect(store.answer(.clear("other", session: "mine")).cleared == 0, "the session is of another room")
        #expect(store.answer(.clear(session: "mine")).cleared == 2)
        #expect(store.answer(.clear(session: "mine")).cleared == 0)
        let head = store.answer(.loadRoom(RoomID("r"))).head
        #expect(head?.history.map { $0.exchangeID.text } == ["a", "d"])
        #expect(head?.history.last?.text == "par")
        #expect(head?.room.messageCount == 2)
        #expect(context(store, "mine") == [])
        #expect(context(store) == ["user: a?", "assistant: a!"])
        #expect(store.answer(.findStream(StreamID("stream_b"))).stream == nil)
        let file = try DatabaseConnection(path: scratch.database)
        #expect(try file.first("SELECT count(*) FROM messages") { $0.int(0) } == 2)
        #expect(try file.first("PRAGMA foreign_key_check") { _ in true } == nil)
        #expect(try file.first("PRAGMA integrity_check") { $0.text(0) } == "ok")
        let find = StorageRequest.findMessage(RoomID("r"), UserID("ada"), messageID: "b", text: "b?")
        #expect(store.answer(find).duplicate == nil)
        #expect(store.answer(.message("again", exchange: "e", key: "b", session: "mine")).isStored, "its key is free")
    }

    @Test func clearingARoomRemovesWhatHasEndedInEverySession() throws {
        let store = try open()
        defer { store.close() }
        talk(store, "a")
        talk(store, "b", session: "mine")
        talk(store, "c", hasEnded: false)
        #expect(store.answer(.create("other")).isStored)
        #expect(store.answer(.message("q", in: "other", exchange: "o")).isStored)
        #expect(store.answer(.finish("o", "o!")).isStored)
        #expect(store.answer(.clear()).cleared == 2)
        #expect(store.answer(.page(HistoryFilter(roomID: RoomID("r")))).total == 1)
        #expect(
            store.answer(.page(HistoryFilter(userID: UserID("ada")))).page?.map { $0.exchangeID.text } == ["o", "c"])
        #expect(store.answer(.finish("c", "c!")).isStored)
        #expect(context(store) == ["user: c?", "assistant: c!"])
        #expect(store.answer(.clear("missing")).cleared == 0)
    }

    @Test(arguments: [nil, "session_r"]) func whatComesAfterAClearIsRememberedDespiteAnEarlierReset(
        session: String?
    ) throws {
        let store = try open()
        defer { store.close() }
        for name in ["a", "b"] { talk(store, name) }
        #expect(store.answer(.reset()).cleared == 2)
        #expect(store.answer(.clear(session: session)).cleared == 2)
        talk(store, "c")
        #expect(context(store) == ["user: c?", "assistant: c!"], "c has the row that a had")
        #expect(store.answer(.reset(agent: "guide")).cleared == 1)
        #expect(context(store) == [])
    }

    @Test func aClearDoesNotBringBackARunningExchangeThatWasForgotten() throws {
        let store = try open()
        defer { store.close() }
        talk(store, "a", hasEnded: false)
        talk(store, "b")
        #expect(store.answer(.reset()).cleared == 2)
        #expect(store.answer(.clear()).cleared == 1)
        #expect(store.answer(.finish("a", "late")).isStored)
        talk(store, "c")
        #expect(context(store) == ["user: c?", "assistant: c!"])
    }
}
