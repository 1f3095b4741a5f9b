import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct ExchangeRequestTests {
    let scratch = Scratch()

    private func open() throws -> MessageStore {
        let store = try scratch.open()
        #expect(store.answer(.create("r")).isStored)
        return store
    }

    @Test func anExchangeReadsBackThroughItsWholeLife() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.message("one", exchange: "e", key: "k1", at: 5)).isStored)
        #expect(store.answer(.message("two", exchange: "e", opens: false, at: 6)).isStored)
        let waiting = try #require(store.answer(.history()).history?.first)
        #expect(waiting.status == .waiting)
        #expect(waiting.messages.map { $0.text } == ["one", "two"])
        #expect(waiting.messages.map { $0.messageID } == ["k1", nil])
        #expect(waiting.startedAt == .at(5))
        #expect(store.answer(.startExchange(ExchangeID("e"), at: .at(7))).isStored)
        let call: JSONValue = ["type": "tool-call", "offset": 2]
        #expect(store.answer(.segment("e", 0, "né", reasoning: (0, "hm"), events: [call])).isStored)
        #expect(store.answer(.segment("e", 3, "\u{1F600}\u{0}", reasoning: (2, "m"))).isStored)
        let streaming = try #require(store.answer(.history()).history?.first)
        #expect(streaming.status == .streaming)
        #expect(streaming.text == "né\u{1F600}\u{0}")
        #expect(streaming.reasoning == "hmm")
        #expect(streaming.events == [call])
        #expect(streaming.endedAt == nil)
        let usage = Usage(promptTokens: 3, completionTokens: 4, totalTokens: 7, model: "m", isEstimated: true)
        let end = ExchangeOutcome(
            exchangeID: ExchangeID("e"),
            outcome: StreamOutcome(
                status: .failed, finishReason: "error", usage: usage,
                error: StreamError(code: .agentTimeout, message: "It was silent."), endedAt: .at(8)),
            text: Array("né\u{1F600}\u{0}!".utf8), reasoning: Array("hmm".utf8), events: [call, call])
        #expect(store.answer(.finishExchange(end)).isStored)
        var expected = streaming
        expected.status = .failed
        expected.text = "né\u{1F600}\u{0}!"
        expected.events = [call, call]
        expected.usage = usage
        expected.finishReason = "error"
        expected.error = StreamError(code: .agentTimeout, message: "It was silent.")
        expected.endedAt = .at(8)
        #expect(store.answer(.history()).history == [expected])
        #expect(
            try DatabaseConnection(path: scratch.database).first("SELECT count(*) FROM segments") { $0.int(0) } == 0)
        let head = store.answer(.loadRoom(RoomID("r"))).head
        #expect(head?.history == [expected])
        #expect(head?.room.messageCount == 1)
        #expect(head?.room.lastActivity == .at(6))
    }

    @Test func aMessageKeepsItsRoleKeyAndMetadata() throws {
        let store = try open()
        defer { store.close() }
        let message = MessageRecord(
            messageID: "key", userID: UserID("bob"), role: .operator, text: "", timestamp: .at(3),
            metadata: ["client": "phone"])
        guard case .insertMessage(let like) = StorageRequest.message("", exchange: "e") else { return }
        #expect(
            store.answer(
                .insertMessage(MessageInsertion(exchange: like.exchange, opensExchange: true, message: message))
            ).isStored)
        #expect(store.answer(.history()).history?.first?.messages == [message])
    }

    @Test func theFirstOutcomeStaysAndRetriesChangeNothing() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.message("hi", exchange: "e")).isStored)
        #expect(store.answer(.finish("e", "first", .cancelled, at: 5)).isStored)
        #expect(store.answer(.finish("e", "second", .completed, at: 6)).isStored)
        #expect(store.answer(.startExchange(ExchangeID("e"), at: .at(7))).isStored)
        #expect(store.answer(.segment("e", 5, "late")).isStored)
        let exchange = store.answer(.history()).history?.first
        #expect(exchange?.status == .cancelled)
        #expect(exchange?.text == "first")
        #expect(exchange?.endedAt == .at(5))
        #expect(store.answer(.finish("unknown", "")).isUnavailable)
        #expect(store.answer(.startExchange(ExchangeID("unknown"), at: .at(1))).isUnavailable)
        #expect(store.answer(.segment("unknown", 0, "x")).isUnavailable)
    }

    @Test func segmentsAreRecognisedByTheirOffsets() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.message("hi", exchange: "e")).isStored)
        let first: JSONValue = ["id": 1]
        let second: JSONValue = ["id": 2]
        let steps: [(StorageRequest, Bool, text: String, reasoning: String?, events: [JSONValue])] = [
            (.segment("e", 0, "ab"), true, "ab", nil, []),
            (.segment("e", 0, "ab"), true, "ab", nil, []),
            (.segment("e", 0, "abcd"), true, "abcd", nil, []),
            (.segment("e", 1, "bcd"), true, "abcd", nil, []),
            (.segment("e", 5, "f"), false, "abcd", nil, []),
            (.segment("e", 4, "", reasoning: (1, "x")), false, "abcd", nil, []),
            (.segment("e", 4, "", reasoning: (0, "x")), true, "abcd", "x", []),
            (.segment("e", 4, "", reasoning: (0, "x")), true, "abcd", "x", []),
            (.segment("e", 4, "", reasoning: (1, ""), events: [first]), true, "abcd", "x", [first]),
            (.segment("e", 4, "", reasoning: (1, ""), events: [first]), true, "abcd", "x", [first]),
            (.segment("e", 4, "", reasoning: (1, ""), events: [second]), true, "abcd", "x", [first, second]),
            (.segment("e", 4, "e", reasoning: (1, "y"), events: [first]), true, "abcde", "xy", [first, second, first]),
        ]
        for (number, step) in steps.enumerated() {
            #expect(store.answer(step.0).isStored == step.1, "step \(number)")
            let exchange = store.answer(.history()).history?.first
            #expect(exchange?.text == step.text, "step \(number)")
            #expect(exchange?.reasoning == step.reasoning, "step \(number)")
            #expect(exchange?.events == step.events, "step \(number)")
        }
    }

    @Test func aKeyUsedTwiceIsAnsweredWithItsFirstMessage() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.message("caf\u{E9}", exchange: "e1", key: "k")).isStored)
        #expect(store.answer(.finish("e1", "done")).isStored)
        let retry = store.answer(.message("caf\u{E9}", exchange: "e2", key: "k")).duplicate
        #expect(
            retry
                == StoredMessage(
                    exchangeID: ExchangeID("e1"), streamID: StreamID("stream_e1"), status: .completed,
                    isSameText: true))
        let other = store.answer(.message("cafe\u{301}", exchange: "e3", key: "k")).duplicate
        #expect(other?.isSameText == false, "texts are the same only byte for byte")
        #expect(
            store.answer(.findMessage(RoomID("r"), UserID("ada"), messageID: "k", text: "caf\u{E9}")).duplicate == retry
        )
        #expect(store.answer(.findMessage(RoomID("r"), UserID("ada"), messageID: "other", text: "")).duplicate == nil)
        #expect(store.answer(.findMessage(RoomID("r"), UserID("bob"), messageID: "k", text: "")).duplicate == nil)
        #expect(store.answer(.message("x", exchange: "e4", key: "k", user: "bob")).isStored, "keys belong to a user")
        #expect(store.answer(.create("r2")).isStored)
        #expect(store.answer(.message("x", in: "r2", exchange: "e5", key: "k")).isStored, "and to a room")
        let head = store.answer(.loadRoom(RoomID("r"))).head
        #expect(head?.history.map { $0.exchangeID.text } == ["e1", "e4"], "a duplicate leaves no exchange behind")
        #expect(head?.room.messageCount == 2)
    }

    @Test func theNextMessageOpensATurnWhoseFirstWasADuplicate() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.message("a", exchange: "e1", key: "k")).isStored)
        #expect(store.answer(.message("a", exchange: "e2", key: "k")).duplicate != nil)
        #expect(store.answer(.message("b", exchange: "e2", opens: false)).isStored)
        let head = store.answer(.loadRoom(RoomID("r"))).head
        #expect(head?.history.map { $0.messages.map { $0.text } } == [["a"], ["b"]])
        #expect(head?.room.messageCount == 2)
    }

    @Test func messagesIntoNowhereAreRefused() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.message("x", in: "missing", exchange: "e")).isUnavailable)
        #expect(store.answer(.message("x", exchange: "e")).isStored)
        #expect(store.answer(.message("x", exchange: "e", key: "new")).isUnavailable, "the exchange exists already")
        #expect(store.answer(.create("r")).isUnavailable, "the room exists already")
    }

    @Test func aStreamIsFoundByItsIdentifier() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.findStream(StreamID("stream_e"))).stream == nil)
        #expect(store.answer(.message("x", exchange: "e")).isStored)
        #expect(
            store.answer(.findStream(StreamID("stream_e"))).stream
                == StoredStream(roomID: RoomID("r"), status: .waiting))
        #expect(store.answer(.startExchange(ExchangeID("e"), at: .at(1))).isStored)
        #expect(store.answer(.findStream(StreamID("stream_e"))).stream?.status == .streaming)
    }

    @Test(arguments: [
        ExchangeName.id(ExchangeID("e")), .stream(StreamID("stream_e")),
    ]) func anExchangeIsReadByWhatNamesIt(name: ExchangeName) throws {
        let store = try open()
        defer { store.close() }
        func read(in room: String = "r") -> ExchangeRecord? {
            store.answer(.readExchange(RoomID(room), name)).wholeExchange
        }
        #expect(read() == nil)
        #expect(store.answer(.create("other")).isStored)
        #expect(store.answer(.message("x", exchange: "e")).isStored)
        #expect(store.answer(.note("note", exchange: "n")).isStored, "it has no stream")
        #expect(store.answer(.segment("e", 0, "so far")).isStored)
        #expect(read()?.text == "so far" && read()?.status == .waiting)
        #expect(store.answer(.finish("e", "the whole")).isStored)
        #expect(read()?.text == "the whole" && read()?.messages.map { $0.text } == ["x"])
        #expect(read(in: "other") == nil)
        #expect(store.answer(.deleteRoom(RoomID("r"), at: .at(9), outcomes: [])).isStored)
        #expect(read() == nil)
    }
}
