import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

/// What a message brings about is stored with it, or not at all; what was accepted outlives the process.
@Suite struct MadeWithMessageTests {
    let scratch = Scratch()

    private func session(_ id: String, in room: String, at time: Int64 = 5, until end: Int64 = 50) -> SessionRecord {
        SessionRecord(
            sessionID: SessionID(id), userID: UserID("ada"), roomID: RoomID(room), createdAt: .at(time),
            expiresAt: .at(end))
    }

    private func message(
        _ exchange: String, in room: String, key: String? = nil, _ opening: MessageInsertion.Opening
    ) -> StorageRequest {
        guard case .insertMessage(let like) = StorageRequest.message("hi", in: room, exchange: exchange, key: key)
        else {
            preconditionFailure("a message is inserted")
        }
        return .insertMessage(
            MessageInsertion(exchange: like.exchange, opensExchange: true, message: like.message, opening: opening))
    }

    @Test func aRoomIsMadeWithItsFirstMessageUpToTheLimit() throws {
        let store = try scratch.open()
        defer { store.close() }
        let requests = ["a", "b", "c"].map { room in
            message("e_\(room)", in: room, .room(.example(room), session("s_\(room)", in: room), roomsMax: 2))
        }
        let results = store.answerTogether(requests)
        #expect(results[0].isStored && results[1].isStored && results[2].isRoomLimitReached)
        #expect(store.answer(.loadRoom(RoomID("b"))).head?.room.messageCount == 1)
        #expect(store.answer(.findSession(SessionID("s_b"))).session == session("s_b", in: "b"))
        #expect(store.answer(.loadRoom(RoomID("c"))).head == nil)
        #expect(store.answer(.findSession(SessionID("s_c"))).session == nil)
    }

    @Test func aSessionIsOpenedWithAMessageUpToTheLimit() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let results = store.answerTogether(
            (0..<3).map { message("e\($0)", in: "r", .session(session("s\($0)", in: "r"), sessionsMax: 2)) })
        #expect(results[0].isStored && results[1].isStored && results[2].isSessionLimitReached)
        #expect(store.answer(.history()).history?.count == 2)
        #expect(store.answer(.closeSession(SessionID("s0"), at: .at(6))).isStored)
        let open = StorageRequest.createSession(session("s4", in: "r"), sessionsMax: 2)
        #expect(store.answer(open).isStored, "a closed session does not count")
        let later = StorageRequest.createSession(session("s5", in: "r", at: 50, until: 90), sessionsMax: 2)
        #expect(store.answer(later).isStored, "expired ones do not count")
    }

    @Test func aRepetitionOpensNothing() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        #expect(store.answer(.message("hi", exchange: "e", key: "k")).isStored)
        let again = message("f", in: "r", key: "k", .session(session("s", in: "r"), sessionsMax: 9))
        #expect(store.answer(again).duplicate?.exchangeID.text == "e")
        #expect(store.answer(.findSession(SessionID("s"))).session == nil)
        #expect(store.answer(.history()).history?.count == 1)
    }

    @Test func whatWasCancelledSettlesAsCancelledAndIsNotAskedForAgain() throws {
        let store = try scratch.open()
        for request: StorageRequest in [
            .create("r"), .message("one", exchange: "stopped"), .message("two", exchange: "cut"),
            .message("three", exchange: "ended"), .finish("ended", "done"),
            .markCancelled([ExchangeID("stopped"), ExchangeID("ended"), ExchangeID("nobody")], at: .at(5)),
        ] {
            #expect(store.answer(request).isStored)
        }
        store.close()
        let again = try MessageStore(directory: scratch.path, now: .at(60), interruptedSince: .at(0))
        defer { again.close() }
        let statuses = again.answer(.history()).history?.map(\.status)
        #expect(statuses == [.cancelled, .interrupted, .completed])
        #expect(again.interruptedAnswers.map(\.exchangeID.text) == ["cut"])
    }

    @Test func whoWaitedBehindAnInterruptedAnswerIsToldTheOneThatReplacedIt() throws {
        let store = try scratch.open()
        defer { store.close() }
        let key = InterruptedAnswer.keyPrefix + "cut"
        for request: StorageRequest in [
            .create("r"), .message("one", exchange: "cut"), .message("two", exchange: "behind"),
            .finish("cut", "a pie", .interrupted), .finish("behind", "", .interrupted),
            .message("one", exchange: "again", key: key, regenerates: "cut"),
            .message("two", exchange: "behind_again", regenerates: "behind"),
        ] {
            #expect(store.answer(request).isStored)
        }
        #expect(store.answer(.context(of: "behind_again")).context == ["user: one", "assistant: a pie"])
        #expect(store.answer(.finish("again", "the whole")).isStored)
        #expect(store.answer(.context(of: "behind_again")).context == ["user: one", "assistant: the whole"])
    }

    @Test func theRoomOfASessionIsFoundAlsoWhenItWasClosed() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        #expect(store.answer(.createSession(session("s", in: "r"))).isStored)
        #expect(store.answer(.closeSession(SessionID("s"), at: .at(6))).isStored)
        #expect(store.answer(.findRoom(of: SessionID("s"))).roomOfSession == RoomID("r"))
        #expect(store.answer(.findRoom(of: SessionID("nobody"))).roomOfSession == nil)
        #expect(store.answer(.deleteRoom(RoomID("r"), at: .at(7), outcomes: [])).isStored)
        #expect(store.answer(.findRoom(of: SessionID("s"))).roomOfSession == nil)
    }

    @Test func ofStrangersOnlyTheNewestMarksAreKept() throws {
        let store = try scratch.open()
        defer { store.close() }
        for request: StorageRequest in [
            .create("r"), .member("bob"), .note("hi", exchange: "n"), .read("n", by: "bob", at: 1),
            .read("n", by: "ada", at: 2),
        ] {
            _ = store.answer(request)
        }
        for number in 0...(Limits.strangerMarksPerRoom + 5) {
            #expect(store.answer(.read("n", by: "user_\(number)", at: Int64(10 + number))).isStored)
        }
        let users = store.answer(.loadRoom(RoomID("r"))).head?.reads.map(\.userID.text) ?? []
        #expect(users.count == Limits.strangerMarksPerRoom + 2)
        #expect(users.contains("bob") && users.contains("ada") && !users.contains("user_5") && users.contains("user_6"))
    }
}
