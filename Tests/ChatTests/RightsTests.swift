import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Who may do what with somebody's session and history.
@Suite struct RightsTests {
    /// Ann's room with a session of Ben, who is nobody's member, and of Eve, an editor.
    private func start() -> (HubWorld, room: String, session: String) {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let ann = world.connect("ann")
        ann.ask("set-member", ["room_id": .string(room), "user_id": "eve", "role": "editor"])
        let session = world.connect("ben").openSession(room)
        return (world, room, session)
    }

    private func code(_ result: Result<Ack, HubError>?) -> String {
        if case .failure(let error)? = result { error.code.rawValue } else { "" }
    }

    @Test(arguments: ["ann", "ben", "eve", "mallory", "anonymous"])
    func aSessionIsItsUsersAndTheOwners(_ user: String) {
        let may = [
            "reset": ["ann", "ben", "anonymous"], "clear": ["ann", "ben", "anonymous"],
            "close": ["ann", "ben", "anonymous"], "stop": ["ann", "ben", "eve", "anonymous"],
        ]
        let (world, _, session) = start()
        let id = SessionID(session)
        for (name, request) in [
            ("stop", ClientRequest.stopSession(id)), ("reset", .reset(id, agentType: nil)),
            ("clear", .clearHistory(nil, id)), ("close", .closeSession(id)),
        ] {
            let isAllowed = may[name]?.contains(user) == true
            #expect(code(world.request(request, user: user)) == (isAllowed ? "" : "ACCESS_DENIED"), "\(name)")
        }
        world.expectConsistent()
    }

    @Test(arguments: ["reset", "clear-history", "close-session"])
    func aFrameOfNobodyIsHeldToItsUser(_ type: String) {
        let (world, _, session) = start()
        let answer = world.connect("anonymous").ask(type, ["session_id": .string(session)])
        #expect(answer.text("code") == "ACCESS_DENIED")
    }

    @Test(arguments: [true, false]) func aMessageInAnothersSessionIsRefused(_ responds: Bool) {
        let (world, room, session) = start()
        let answer = world.connect("eve").send(
            room, "hello", key: "m1", ["session_id": .string(session), "respond": .bool(responds)])
        #expect(answer.text("code") == "ACCESS_DENIED")
        #expect(world.store.exchanges.isEmpty)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func onlyTheOwnerClearsAWholeRoom() {
        let (world, room, _) = start()
        for (user, code) in [("eve", "ACCESS_DENIED"), ("mallory", "ACCESS_DENIED"), ("ann", "")] {
            #expect(world.connect(user).ask("clear-history", ["room_id": .string(room)]).text("code") == code)
        }
    }

    @Test func aUsersHistoryIsReadByThatUserAlone() {
        let (world, _, _) = start()
        let mine = ClientRequest.historyPage(HistoryFilter(userID: UserID("ann")), limit: 10, offset: 0)
        #expect(code(world.request(mine, user: "ann")) == "")
        #expect(code(world.request(mine, user: "ben")) == "ACCESS_DENIED")
    }

    @Test(arguments: [true, false]) func aSessionsHistoryIsReadAtItsRoomAlsoOnceItWasClosed(_ isLoaded: Bool) {
        let (before, room, session) = start()
        before.clients.last?.send(room, "hello", key: "m1", ["session_id": .string(session)])
        before.finish(before.lastStream)
        before.clients.last?.ask("close-session", ["session_id": .string(session)])
        let world = isLoaded ? before : HubWorld(loops: 2, seed: 2, before: before)
        let page = ClientRequest.historyPage(HistoryFilter(sessionID: SessionID(session)), limit: 10, offset: 0)
        guard case .success(.historyPage(let exchanges, 1?, _))? = world.request(page, user: "ben") else {
            Issue.record("no page")
            return
        }
        #expect(exchanges.first?.sessionID.text == session)
        let nobodys = SessionID("session_\(Slot(of: room).hex)nobody")
        let none = ClientRequest.historyPage(HistoryFilter(sessionID: nobodys), limit: 10, offset: 0)
        #expect(world.request(none, user: "ben") == .success(.historyPage([], total: 0)))
    }
}
