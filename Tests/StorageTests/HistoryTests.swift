import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct HistoryTests {
    let scratch = Scratch()

    /// A room with exchanges `e0` to `e<count - 1>`, each with a response of so many bytes.
    private func open(exchanges count: Int, responseBytes: Int = 1) throws -> MessageStore {
        let store = try scratch.open()
        #expect(store.answer(.create("r")).isStored)
        #expect(store.answer(.create("other")).isStored)
        let response = String(repeating: "x", count: responseBytes)
        for number in 0..<count {
            #expect(store.answer(.message("q", exchange: "e\(number)")).isStored)
            #expect(store.answer(.message("q", in: "other", exchange: "o\(number)")).isStored)
            #expect(store.answer(.finish("e\(number)", response)).isStored)
        }
        return store
    }

    @Test(
        arguments: [
            (nil, 2, ["e3", "e4"], "e3"), (nil, 5, ["e0", "e1", "e2", "e3", "e4"], nil),
            (nil, 9, ["e0", "e1", "e2", "e3", "e4"], nil), ("e3", 2, ["e1", "e2"], "e1"), ("e2", 2, ["e0", "e1"], nil),
            ("e1", 1, ["e0"], nil), ("e0", 5, [], nil), ("unknown", 5, [], nil), ("o3", 5, [], nil),
        ] as [(String?, Int, [String], String?)])
    func aPageEndsBeforeAnExchange(before: String?, limit: Int, expected: [String], next: String?) throws {
        let store = try open(exchanges: 5)
        defer { store.close() }
        let result = store.answer(.history(before: before, limit: limit))
        #expect(result.history?.map { $0.exchangeID.text } == expected)
        #expect(result.nextBefore?.text == next)
    }

    @Test func aPageIsCutByBytesButHoldsAtLeastOne() throws {
        let store = try open(exchanges: 4, responseBytes: Limits.snapshotBytesMax / 2 - 1)
        defer { store.close() }
        let page = store.answer(.history())
        #expect(page.history?.map { $0.exchangeID.text } == ["e2", "e3"], "two with their messages fill the page")
        #expect(page.nextBefore?.text == "e2")
        #expect(store.answer(.loadRoom(RoomID("r"))).head?.nextBefore?.text == "e2")
        let large = String(repeating: "y", count: Limits.snapshotBytesMax + 1)
        #expect(store.answer(.message("q", exchange: "large")).isStored)
        #expect(store.answer(.segment("large", 0, large)).isStored)
        let alone = store.answer(.history())
        #expect(alone.history?.map { $0.text } == [large])
        #expect(alone.nextBefore?.text == "large")
        #expect(store.answer(.history("missing")).history == [])
    }

    @Test func aSnapshotHoldsTheNewestTwenty() throws {
        let store = try open(exchanges: 21)
        defer { store.close() }
        let head = store.answer(.loadRoom(RoomID("r"))).head
        #expect(head?.history.map { $0.exchangeID.text } == (1...20).map { "e\($0)" })
        #expect(head?.nextBefore?.text == "e1")
        #expect(head?.room.messageCount == 21)
    }

    @Test(arguments: [
        (2, 0, ["e4", "e3"]), (2, 3, ["e1", "e0"]), (2, 4, ["e0"]), (2, 5, []), (9, 0, ["e4", "e3", "e2", "e1", "e0"]),
    ])
    func aPageByOffsetIsNewestFirstWithTheTotal(limit: Int, offset: Int, expected: [String]) throws {
        let store = try open(exchanges: 5)
        defer { store.close() }
        let result = store.answer(.page(HistoryFilter(roomID: RoomID("r")), limit: limit, offset: offset))
        #expect(result.page?.map { $0.exchangeID.text } == expected)
        #expect(result.total == 5)
    }

    /// The parts in which a page is read, each as its exchanges' ids.
    private func parts(
        _ store: MessageStore, _ filter: HistoryFilter, limit: Int, between: () -> Void = {}
    ) -> [[String]] {
        var filter = filter
        var rows = 0
        var parts: [[String]] = []
        repeat {
            let part = store.answer(.page(filter, limit: limit - rows))
            #expect((part.total == nil) == (filter.beforeRow != nil), "only the first part has a total")
            parts.append(part.page?.map { $0.exchangeID.text } ?? [])
            rows += parts.last?.count ?? 0
            filter.beforeRow = part.next
            between()
        } while filter.beforeRow != nil && parts.count < 20
        return parts
    }

    @Test(arguments: [
        (0, 9, [["e3", "e2"], ["e1", "e0"], []]), (-1, 9, [["e3", "e2", "e1"], ["e0"]]),
        (0, 4, [["e3", "e2"], ["e1", "e0"]]), (0, 3, [["e3", "e2"], ["e1"]]), (0, 2, [["e3", "e2"]]),
        (Limits.pagePartBytesMax, 9, [["e3"], ["e2"], ["e1"], ["e0"], []]), (Limits.pagePartBytesMax, 1, [["e3"]]),
    ])
    func aPageIsReadInPartsThatTogetherHaveItsRows(over: Int, limit: Int, expected: [[String]]) throws {
        // Two responses with their messages, of a byte each, fill a part to the byte.
        let store = try open(exchanges: 4, responseBytes: Limits.pagePartBytesMax / 2 - 1 + over)
        defer { store.close() }
        #expect(parts(store, HistoryFilter(roomID: RoomID("r")), limit: limit) == expected)
        #expect(store.answer(.page(HistoryFilter(roomID: RoomID("r")), limit: 1)).total == 4)
    }

    @Test(arguments: [
        HistoryFilter(roomID: RoomID("r")), HistoryFilter(userID: UserID("ada"), agentType: "guide"),
        HistoryFilter(sessionID: SessionID("session_r")),
    ]) func whatComesOrGoesWhileAPageIsReadShiftsNothing(filter: HistoryFilter) throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let long = String(repeating: "y", count: Limits.pagePartBytesMax)
        for number in 0..<4 {
            #expect(store.answer(.message("q", exchange: "e\(number)", session: number == 3 ? "s" : nil)).isStored)
            #expect(
                store.answer(number == 2 ? .segment("e2", 0, long) : .finish("e\(number)", long)).isStored)
        }
        var number = 4
        let read = parts(store, filter, limit: 3) {
            // The row that the first part ended with is removed, and newer ones come.
            if number == 4 { #expect(store.answer(.clear(session: "s")).cleared == 1) }
            #expect(store.answer(.message("q", exchange: "e\(number)")).isStored)
            number += 1
        }
        let expected = filter.sessionID == nil ? [["e3"], ["e2"], ["e1"]] : [["e2"], ["e1"], ["e0"]]
        #expect(read == expected)
    }

    @Test(
        arguments: [
            (HistoryFilter(roomID: RoomID("r")), ["r5", "r4", "r3", "r2", "r1"]),
            (HistoryFilter(roomID: RoomID("r"), userID: UserID("bob")), ["r4", "r2"]),
            (HistoryFilter(roomID: RoomID("r"), agentType: "paper"), ["r5", "r2"]),
            (HistoryFilter(roomID: RoomID("r"), userID: UserID("bob"), agentType: "paper"), ["r2"]),
            (HistoryFilter(sessionID: SessionID("one")), ["r4", "r3"]),
            (HistoryFilter(sessionID: SessionID("one"), userID: UserID("bob")), ["r4"]),
            (HistoryFilter(sessionID: SessionID("session_r"), agentType: "paper"), ["r5", "r2"]),
            (HistoryFilter(roomID: RoomID("r"), sessionID: SessionID("one")), ["r4", "r3"]),
            (HistoryFilter(roomID: RoomID("other"), sessionID: SessionID("one")), []),
            (HistoryFilter(userID: UserID("bob")), ["o2", "r4", "r2", "o1"]),
            (HistoryFilter(userID: UserID("bob"), agentType: "guide"), ["o2", "r4", "o1"]),
            (HistoryFilter(roomID: RoomID("gone")), []), (HistoryFilter(sessionID: SessionID("session_gone")), []),
            (HistoryFilter(userID: UserID("nobody")), []), (HistoryFilter(roomID: RoomID("missing")), []),
        ])
    func aPageHoldsWhatMatchesEveryField(filter: HistoryFilter, expected: [String]) throws {
        let store = try scratch.open()
        defer { store.close() }
        for request: StorageRequest in [
            .create("r"), .create("other"), .create("gone"), .message("q", exchange: "r1"),
            .message("q", in: "other", exchange: "o1", user: "bob"),
            .message("q", exchange: "r2", user: "bob", agent: "paper"),
            .message("q", in: "gone", exchange: "g1", user: "bob"),
            .message("q", exchange: "r3", session: "one"), .message("q", exchange: "r4", user: "bob", session: "one"),
            .message("q", in: "other", exchange: "o2", user: "bob"), .message("q", exchange: "r5", agent: "paper"),
            .deleteRoom(RoomID("gone"), at: .at(9), outcomes: [.example("g1", "", .cancelled)]),
        ] {
            #expect(store.answer(request).isStored)
        }
        for offset in 0...expected.count {
            let result = store.answer(.page(filter, limit: 2, offset: offset))
            #expect(result.page?.map { $0.exchangeID.text } == Array(expected.dropFirst(offset).prefix(2)))
            #expect(result.total == expected.count)
        }
        let page = store.answer(.page(filter)).page ?? []
        for exchange in page {
            #expect(exchange.roomID.text.first == exchange.exchangeID.text.first, "each row names its own room")
            #expect(exchange.messages.map { $0.text } == ["q"])
        }
    }
}
