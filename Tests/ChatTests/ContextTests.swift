import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// What agents remember, and what a cleared history leaves.
@Suite struct ContextTests {
    private func start(_ loops: Int) -> (HubWorld, String, TestClient) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.forgetFrames()
        return (world, room, client)
    }

    private func turn(
        _ world: HubWorld, _ client: TestClient, _ room: String, _ text: String, agent: String = "guide",
        session: String? = nil
    ) {
        var more: JSONObject = ["agent_type": .string(agent)]
        if let session { more["session_id"] = .string(session) }
        client.send(room, text, key: text, more)
        world.say(world.lastStream, "re \(text)")
        world.finish(world.lastStream)
    }

    /// What the last turn's agent was told of the past.
    private func context(_ world: HubWorld) -> [String] { world.agents.last?.context.map(\.text) ?? [] }

    private func defaultSession(_ world: HubWorld, _ room: String) -> String {
        world.store.rooms[RoomID(room)]?.defaultSessionID.text ?? ""
    }

    @Test(arguments: [1, 2]) func anAgentRemembersTheLastTwentyMessagesOfItsSession(_ loops: Int) {
        let (world, room, client) = start(loops)
        let session = client.openSession(room)
        turn(world, client, room, "elsewhere", session: session)
        turn(world, client, room, "to another", agent: "other")
        for index in 0..<12 { turn(world, client, room, "m\(index)") }
        #expect(context(world) == (1..<11).flatMap { ["m\($0)", "re m\($0)"] })
        #expect(world.agents.last?.context.first?.role == .user)
        #expect(world.agents.last?.context.last?.role == .assistant)
        turn(world, client, room, "again", session: session)
        #expect(context(world) == ["elsewhere", "re elsewhere"])
        turn(world, client, room, "other again", agent: "other")
        #expect(context(world) == ["to another", "re to another"])
        world.expectConsistent()
    }

    @Test func aContextIsReadOnceAndFreedAfterTenMinutes() {
        let (world, room, client) = start(1)
        var reads = 0
        world.store.fails = {
            if case .context = $0 { reads += 1 }
            return false
        }
        for index in 0..<3 { turn(world, client, room, "m\(index)") }
        #expect(reads == 1)
        world.advance(milliseconds: 10 * 60 * 1_000 - 1)
        #expect(world.hubs[0].rooms[RoomID(room)]?.sessions[0].contexts.isEmpty == false)
        world.advance(milliseconds: 1)
        #expect(world.hubs[0].rooms[RoomID(room)]?.sessions[0].contexts.isEmpty == true)
        turn(world, client, room, "m3")
        #expect(reads == 2)
        #expect(context(world) == (0..<3).flatMap { ["m\($0)", "re m\($0)"] }, "rebuilt from storage")
        let after = HubWorld(loops: 2, seed: 3, before: world)
        turn(after, after.connect(), room, "m4")
        #expect(context(after) == (0..<4).flatMap { ["m\($0)", "re m\($0)"] })
        world.expectConsistent()
    }

    @Test(arguments: [1, 2, 3]) func aResetOfOneAgentLeavesTheOthers(_ loops: Int) {
        let (world, room, client) = start(loops)
        turn(world, client, room, "g1")
        turn(world, client, room, "o1", agent: "other")
        let session = defaultSession(world, room)
        let reset = client.ask("reset", ["session_id": .string(session), "agent_type": "guide"])
        #expect(reset.text("session_id") == session && reset.text("reset_scope") == "guide")
        #expect(reset.number("conversations_cleared") == 1)
        let entry = client.frames.last { $0.text("type") == "reset" } ?? [:]
        #expect(entry.text("by") == "ann" && entry.text("reset_scope") == "guide")
        turn(world, client, room, "g2")
        #expect(context(world) == [])
        turn(world, client, room, "o2", agent: "other")
        #expect(context(world) == ["o1", "re o1"])
        let all = client.ask("reset", ["session_id": .string(session)])
        #expect(all.text("reset_scope") == "all" && all.number("conversations_cleared") == 3)
        turn(world, client, room, "o3", agent: "other")
        #expect(context(world) == [])
        #expect(client.join(room)["history"]?.array?.count == 5, "the history stays")
        world.expectConsistent()
    }

    @Test(arguments: [true, false]) func aTurnThatRunsDuringAResetIsForgotten(_ restarts: Bool) {
        let (world, room, client) = start(2)
        client.send(room, "old", key: "m1")
        let stream = world.lastStream
        world.say(stream, "answer")
        client.ask("reset", ["session_id": .string(defaultSession(world, room))])
        client.send(room, "waits", key: "m2")
        world.finish(stream)
        #expect(context(world) == [])
        world.finish(world.lastStream)
        let next = restarts ? HubWorld(loops: 1, seed: 5, before: world) : world
        turn(next, next.connect(), room, "new")
        #expect(context(next) == ["waits"], "a turn that came after the reset is remembered")
        world.expectConsistent()
    }

    @Test func aSendBehindAResetIsRemembered() {
        let (world, room, client) = start(2)
        turn(world, client, room, "old")
        world.storeAnswers = false
        client.post("reset", ["session_id": .string(defaultSession(world, room))])
        client.postSend(room, "new", key: "m2")
        world.releaseStore()
        #expect(context(world) == [])
        world.finish(world.lastStream)
        turn(world, client, room, "newer")
        #expect(context(world) == ["new"])
        world.expectConsistent()
    }

    @Test(arguments: ["reset", "clear-history"]) func whatIsForgottenWhileItIsReadIsNotTold(_ type: String) {
        let (world, room, client) = start(1)
        turn(world, client, room, "old")
        world.advance(milliseconds: 11 * 60 * 1_000)
        world.storeAnswers = false
        client.postSend(room, "new", key: "m2")
        while !world.requestsHeld.contains(where: { if case .context = $0 { true } else { false } }) {
            guard world.answerOne() else { break }
        }
        #expect(world.agents.count == 1)
        client.post(type, ["session_id": .string(defaultSession(world, room))])
        world.releaseStore()
        #expect(world.agents.count == 2)
        world.finish(world.lastStream)
        turn(world, client, room, "newer")
        #expect(!context(world).contains("old"))
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [true, false]) func aContextThatCannotBeReadFailsTheTurn(_ cancels: Bool) {
        let (world, room, client) = start(2)
        world.store.fails = { if case .context = $0 { true } else { false } }
        world.storeAnswers = !cancels
        client.send(room, "hello", key: "m1")
        if cancels {
            while client.all("stream-started").isEmpty, world.answerOne() { while world.step() {} }
            client.ask("cancel", ["room_id": .string(room)])
            world.releaseStore()
        }
        #expect(client.last("stream-ended").text("status") == (cancels ? "cancelled" : "failed"))
        #expect(
            client.last("stream-ended")["error"]?.object?.text("code") == (cancels ? nil : "STORAGE_UNAVAILABLE"))
        #expect(world.agents.isEmpty)
        world.expectNoPermitTaken()
        world.store.fails = { _ in false }
        turn(world, client, room, "again")
        #expect(context(world) == ["hello"])
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    // MARK: - Clearing the history

    @Test(arguments: [1, 2, 3], [true, false]) func aClearedHistoryIsGone(_ loops: Int, _ ofRoom: Bool) {
        let (world, room, client) = start(loops)
        let session = client.openSession(room)
        turn(world, client, room, "default")
        turn(world, client, room, "secret", session: session)
        let other = world.connect("bob", loop: 0)
        other.join(room)
        let before = client.rooms[room]?.position ?? LogPosition(epoch: "", seq: 0)
        client.send(room, "running", key: "m9")
        let live = world.lastStream
        world.say(live, "one ")
        let cleared = client.ask(
            "clear-history", ofRoom ? ["room_id": .string(room)] : ["session_id": .string(session)])
        #expect(cleared.number("conversations_cleared") == (ofRoom ? 2 : 1))
        for reader in [client, other] {
            let entry = reader.last("history-cleared")
            #expect(entry.text("by") == "ann")
            #expect(entry["session_id"] == (ofRoom ? nil : .string(session)))
        }
        world.say(live, "two")
        let back = world.connect(loop: loops - 1)
        let joined = back.join(room, after: before)
        #expect(joined["recovered"] == false)
        #expect(!JSONValue.object(joined).compact.contains("secret"))
        #expect(joined["history"]?.array?.count == (ofRoom ? 0 : 1))
        #expect(joined["room"]?.object?.number("message_count") == (ofRoom ? 1 : 2))
        world.finish(live)
        #expect([client, other, back].allSatisfy { $0.text(live) == "one two" })
        #expect(client.join(room)["history"]?.array?.count == (ofRoom ? 1 : 2))
        #expect(world.store.rooms[RoomID(room)]?.messageCount == (ofRoom ? 1 : 2))
        turn(world, client, room, "next")
        #expect(context(world) == (ofRoom ? [] : ["default", "re default"]) + ["running", "one two"])
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func olderExchangesMoveUpWhenNewerOnesAreCleared() {
        let (world, room, client) = start(2)
        let session = client.openSession(room)
        for index in 0..<5 { turn(world, client, room, "old\(index)") }
        for index in 0..<20 { turn(world, client, room, "new\(index)", session: session) }
        client.ask("clear-history", ["session_id": .string(session)])
        #expect(client.join(room)["history"]?.array?.count == 5)
        #expect(client.rooms[room]?.messages == (0..<5).map { "old\($0)" })
        world.expectConsistent()
    }

    @Test func aSlowReaderOfAClearedRoomNeverSeesIt() {
        let (world, room, client) = start(2)
        let slow = world.connect("bob", loop: 0)
        slow.join(room)
        slow.read(0)
        turn(world, client, room, "secret")
        client.ask("clear-history", ["room_id": .string(room)])
        slow.forgetFrames()
        slow.read(.max)
        #expect(slow.last("joined")["recovered"] == false)
        #expect(!slow.frames.contains { JSONValue.object($0).compact.contains("re secret") })
        world.expectConsistent()
    }
}

extension [UInt8] {
    fileprivate func contains(_ text: String) -> Bool { String(decoding: self, as: UTF8.self).contains(text) }
}
