import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct SessionTests {
    let scratch = Scratch()
    private let mine = SessionRecord(
        sessionID: SessionID("mine"), userID: UserID("ada"), roomID: RoomID("r"), createdAt: .at(5), expiresAt: .at(50))

    private func open() throws -> MessageStore {
        let store = try scratch.open()
        #expect(store.answer(.create("r")).isStored)
        return store
    }

    @Test func aSessionReadsBackAsItWasWritten() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.findSession(mine.sessionID)).session == nil)
        #expect(store.answer(.createSession(mine)).isStored)
        #expect(store.answer(.findSession(mine.sessionID)).session == mine)
        #expect(store.answer(.createSession(mine)).isUnavailable, "the session exists already")
        let homeless = SessionRecord(
            sessionID: SessionID("homeless"), userID: nil, roomID: RoomID("missing"), createdAt: .at(0), expiresAt: nil)
        #expect(store.answer(.createSession(homeless)).isUnavailable)
    }

    @Test func aRoomsDefaultSessionIsFoundToo() throws {
        let store = try open()
        defer { store.close() }
        let expected = SessionRecord(
            sessionID: SessionID("session_r"), userID: nil, roomID: RoomID("r"), createdAt: .at(0), expiresAt: nil)
        #expect(store.answer(.findSession(SessionID("session_r"))).session == expected)
    }

    @Test func aTouchMovesTheExpiryOfAnOpenSession() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.createSession(mine)).isStored)
        #expect(store.answer(.touchSession(mine.sessionID, expiresAt: .at(80))).isStored)
        #expect(store.answer(.findSession(mine.sessionID)).session?.expiresAt == .at(80))
        #expect(store.answer(.closeSession(mine.sessionID, at: .at(60))).isStored)
        #expect(store.answer(.touchSession(mine.sessionID, expiresAt: .at(90))).isUnavailable)
        #expect(store.answer(.touchSession(SessionID("unknown"), expiresAt: .at(90))).isUnavailable)
    }

    @Test func aClosedSessionIsGoneAndItsExchangesStay() throws {
        let store = try open()
        defer { store.close() }
        for request: StorageRequest in [
            .createSession(mine), .message("hi", exchange: "e", session: "mine"), .finish("e", "hello"),
            .closeSession(mine.sessionID, at: .at(60)), .closeSession(mine.sessionID, at: .at(70)),
            .closeSession(SessionID("unknown"), at: .at(70)),
        ] {
            #expect(store.answer(request).isStored)
        }
        #expect(store.answer(.findSession(mine.sessionID)).session == nil)
        #expect(store.answer(.context("mine")).context == [])
        #expect(store.answer(.reset("mine")).cleared == 0)
        #expect(store.answer(.page(HistoryFilter(sessionID: mine.sessionID))).total == 1)
        #expect(
            try DatabaseConnection(path: scratch.database).first(
                "SELECT closed_at FROM sessions WHERE session_id = 'mine'"
            ) { $0.int(0) } == 60, "the first close stays")
    }

    @Test func aDeletedRoomsSessionsAreNotFound() throws {
        let store = try open()
        defer { store.close() }
        #expect(store.answer(.createSession(mine)).isStored)
        #expect(store.answer(.deleteRoom(RoomID("r"), at: .at(9), outcomes: [])).isStored)
        for id in ["mine", "session_r"] {
            #expect(store.answer(.findSession(SessionID(id))).session == nil)
            #expect(store.answer(.touchSession(SessionID(id), expiresAt: .at(90))).isUnavailable)
            #expect(store.answer(.reset(id)).cleared == 0)
        }
        let late = SessionRecord(
            sessionID: SessionID("late"), userID: UserID("ada"), roomID: RoomID("r"), createdAt: .at(10),
            expiresAt: .at(50))
        #expect(store.answer(.createSession(late)).isUnavailable)
        #expect(store.answer(.clear()).cleared == 0)
    }
}
