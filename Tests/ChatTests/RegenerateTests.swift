import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Answers that are made anew.
@Suite struct RegenerateTests {
    private func start(_ loops: Int) -> (HubWorld, String, TestClient) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        return (world, room, client)
    }

    /// Says `<text>`, which is answered with `re <text>`; returns the exchange.
    @discardableResult
    private func turn(
        _ world: HubWorld, _ client: TestClient, _ room: String, _ text: String, of exchange: String? = nil,
        _ more: JSONObject = [:]
    ) -> String {
        let ack = ask(client, room, text, of: exchange, more)
        world.say(world.lastStream, "re \(text)")
        world.finish(world.lastStream)
        return ack.text("exchange_id")
    }

    private func ask(
        _ client: TestClient, _ room: String, _ text: String, of exchange: String?, _ more: JSONObject = [:]
    ) -> JSONObject {
        var more = more
        if let exchange { more["regenerate_of"] = .string(exchange) }
        return client.send(room, text, key: text, more)
    }

    /// What the last turn's agent was told of the past.
    private func context(_ world: HubWorld) -> [String] { world.agents.last?.context.map(\.text) ?? [] }

    private func both(_ texts: String...) -> [String] { texts.flatMap { [$0, "re \($0)"] } }

    /// The context of a next turn here, and that of a hub which has only what is stored.
    private func expectMemory(_ world: HubWorld, _ client: TestClient, _ room: String, _ expected: [String]) {
        let after = HubWorld(loops: 2, seed: 9, before: world)
        _ = ask(after.connect(), room, "probe elsewhere", of: nil)
        #expect(context(after) == expected, "as it is stored")
        after.agent(after.lastStream, .ended(.failed(.agentFailed, "a probe")))
        turn(world, client, room, "probe")
        #expect(context(world).filter { $0 != "probe elsewhere" } == expected, "as it is in memory")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2, 3]) func theAgentIsToldWhatWasSaidBefore(_ loops: Int) {
        let (world, room, client) = start(loops)
        turn(world, client, room, "a")
        let old = turn(world, client, room, "b")
        let new = turn(world, client, room, "c", of: old)
        #expect(new != old)
        #expect(context(world) == both("a"))
        #expect(world.agents.last?.input == "c")
        for type in ["message", "stream-started"] {
            #expect(client.last(type).text("regenerate_of") == old)
            #expect(client.all(type).dropLast().allSatisfy { $0["regenerate_of"] == nil })
        }
        let history = client.join(room)["history"]?.array ?? []
        #expect(history.compactMap { $0.object?.text("text") } == ["re a", "re b", "re c"], "history keeps both")
        #expect(history.compactMap { $0.object?["regenerate_of"]?.string } == [old])
        expectMemory(world, client, room, both("a", "c"))
    }

    @Test func eachExchangeGoesOnFromWhatItWasTold() {
        let (world, room, client) = start(2)
        let first = turn(world, client, room, "a")
        let second = turn(world, client, room, "b")
        let third = turn(world, client, room, "c")
        turn(world, client, room, "d", of: second)
        #expect(context(world) == both("a"), "also without what came after")
        turn(world, client, room, "e")
        #expect(context(world) == both("a", "d"))
        turn(world, client, room, "f", of: third)
        #expect(context(world) == both("a", "b"), "the branch that was left goes on")
        turn(world, client, room, "g")
        #expect(context(world) == both("a", "b", "f"))
        let again = turn(world, client, room, "h", of: second)
        #expect(context(world) == both("a"), "a second time")
        turn(world, client, room, "i", of: again)
        #expect(context(world) == both("a"), "what was made anew is made anew")
        turn(world, client, room, "j", of: first)
        #expect(context(world) == [])
        expectMemory(world, client, room, both("j"))
    }

    @Test(arguments: ["waiting", "silent", "failed", "unread"]) func whoSaysNothingReplacesNothing(_ how: String) {
        let (world, room, client) = start(2)
        turn(world, client, room, "a")
        let old = turn(world, client, room, "b")
        switch how {
        case "waiting":
            _ = ask(client, room, "busy", of: nil)
            let running = world.lastStream
            _ = ask(client, room, "c", of: old)
            client.ask("cancel", ["room_id": .string(room), "message_id": "c"])
            world.say(running, "re busy")
            world.finish(running)
        case "unread":
            world.store.fails = { if case .context = $0 { true } else { false } }
            _ = ask(client, room, "c", of: old)
            world.store.fails = { _ in false }
        default:
            _ = ask(client, room, "c", of: old)
            let end: AgentEnd = how == "silent" ? .finished(reason: "stop") : .failed(.agentFailed, "no model")
            world.agent(world.lastStream, .ended(end))
        }
        #expect(client.last("message").text("regenerate_of") == old)
        expectMemory(world, client, room, how == "waiting" ? both("a", "b", "busy") : both("a", "b"))
    }

    @Test func whatWasSaidOfAnAnswerThatWasStoppedCounts() {
        let (world, room, client) = start(2)
        turn(world, client, room, "a")
        let old = turn(world, client, room, "b")
        _ = ask(client, room, "c", of: old)
        world.say(world.lastStream, "re c")
        client.ask("cancel", ["stream_id": .string(world.lastStream)])
        expectMemory(world, client, room, both("a", "c"))
    }

    @Test func aTurnThatRegeneratesHasOneMessage() {
        let (world, room, client) = start(2)
        let old = turn(world, client, room, "a")
        _ = ask(client, room, "b", of: nil)
        let acks = [
            ask(client, room, "c", of: nil), ask(client, room, "d", of: old), ask(client, room, "e", of: old),
            ask(client, room, "f", of: nil), ask(client, room, "g", of: nil),
        ]
        #expect(acks.allSatisfy { $0["queued"] == true })
        let exchanges = acks.map { $0.text("exchange_id") }
        #expect(Set(exchanges).count == 4 && exchanges[3] == exchanges[4])
        var inputs: [String] = []
        while let stream = world.runningAgents.first {
            inputs.append(world.agents.last?.input ?? "")
            world.finish(stream)
        }
        #expect(inputs == ["b", "c", "d", "e", "f\ng"])
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func whatStillRunsIsWaitedForOrInterrupted() {
        let (world, room, client) = start(2)
        turn(world, client, room, "a")
        let running = ask(client, room, "b", of: nil).text("exchange_id")
        world.say(world.lastStream, "re b")
        #expect(ask(client, room, "c", of: running, ["if_busy": "reject"]).text("code") == "STREAM_ACTIVE")
        let queued = ask(client, room, "c", of: running)
        #expect(queued["queued"] == true)
        world.finish(world.lastStream)
        #expect(context(world) == both("a"))
        world.say(world.lastStream, "re c")
        _ = ask(client, room, "d", of: queued.text("exchange_id"), ["if_busy": "interrupt"])
        #expect(world.store.exchanges.map(\.status) == [.completed, .completed, .cancelled, .streaming])
        #expect(context(world) == both("a"))
        world.say(world.lastStream, "re d")
        world.finish(world.lastStream)
        expectMemory(world, client, room, both("a", "d"))
    }

    @Test(arguments: [1, 3]) func itIsOfTheSessionAndAgentOfTheOldOne(_ loops: Int) {
        let (world, room, client) = start(loops)
        let session = client.openSession(room)
        let inSession: JSONObject = ["session_id": .string(session), "agent_type": "other"]
        turn(world, client, room, "a", of: nil, inSession)
        let old = turn(world, client, room, "b", of: nil, inSession)
        turn(world, client, room, "elsewhere", of: nil, ["agent_type": "other"])
        turn(world, client, room, "c", of: old)
        #expect(world.agents.last?.sessionID.text == session && world.agents.last?.agentType == "other")
        #expect(context(world) == both("a"))
        turn(world, client, room, "d", of: old, ["agent_type": "guide"])
        #expect(context(world) == [], "another agent was told nothing")
        turn(world, client, room, "e", of: nil, inSession)
        #expect(context(world) == both("a", "c"))
        let mine = turn(world, client, room, "f")
        #expect(ask(client, room, "g", of: mine, inSession).text("code") == "VALIDATION_ERROR")
        let bob = world.connect("bob")
        #expect(bob.send(room, "h", key: "h", ["regenerate_of": .string(old)]).text("code") == "ACCESS_DENIED")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [true, false]) func whatIsNotInMemoryIsLookedUp(_ isKnown: Bool) {
        let (world, room, client) = start(2)
        let ids = (0..<25).map { turn(world, client, room, "m\($0)") }
        world.store.fails = { if case .findExchange = $0 { isKnown } else { false } }
        #expect(ask(client, room, "new", of: ids[20])["stream_id"] != nil, "the newest are in memory")
        world.finish(world.lastStream)
        let ack = ask(client, room, "old", of: ids[2])
        #expect(ack.text("code") == (isKnown ? "STORAGE_UNAVAILABLE" : ""))
        world.store.fails = { _ in false }
        if !isKnown {
            #expect(context(world) == both("m0", "m1"))
            world.finish(world.lastStream)
        }
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func whatCannotBeAnsweredAnewIsRefused() {
        let (world, room, client) = start(2)
        let other = world.room("room_b")
        let foreign = turn(world, client, other, "a")
        #expect(ask(client, room, "b", of: foreign).text("code") == "NOT_FOUND")
        #expect(ask(client, room, "b", of: "exchange_none").text("code") == "NOT_FOUND")
        let note = client.send(room, "us", key: "us", ["respond": false]).text("exchange_id")
        #expect(ask(client, room, "b", of: note).text("code") == "VALIDATION_ERROR")
        let own = turn(world, client, room, "c")
        #expect(ask(client, room, "b", of: own)["stream_id"] != nil, "a refused send does not use up its key")
        world.finish(world.lastStream)
        let again = ask(client, room, "b", of: own)
        #expect(again["duplicate"] == true && again.text("status") == "completed")
        client.ask("clear-history", ["room_id": .string(room)])
        #expect(ask(client, room, "d", of: own).text("code") == "NOT_FOUND")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aRepeatedSendIsOneAlsoWhileItIsLookedUp() {
        let (world, room, client) = start(2)
        let ids = (0..<22).map { turn(world, client, room, "m\($0)") }
        let before = world.agents.count
        world.storeAnswers = false
        for _ in 0..<3 { client.postSend(room, "again", key: "again", ["regenerate_of": .string(ids[0])]) }
        world.run()
        world.releaseStore()
        #expect(world.agents.count == before + 1)
        #expect(Set(client.all("ack").suffix(3).map { $0.text("exchange_id") }).count == 1)
        world.finish(world.lastStream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: ["reset", "clear-history"]) func forgettingMeanwhileForgetsBoth(_ type: String) {
        let (world, room, client) = start(2)
        turn(world, client, room, "a")
        let old = turn(world, client, room, "b")
        _ = ask(client, room, "c", of: old)
        world.say(world.lastStream, "re c")
        let session = world.store.rooms[RoomID(room)]?.defaultSessionID.text ?? ""
        client.ask(type, ["session_id": .string(session)])
        world.finish(world.lastStream)
        expectMemory(world, client, room, type == "reset" ? [] : both("c"))
    }
}
