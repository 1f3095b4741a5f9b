import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// A message's way: stored, acknowledged, streamed to everyone, ended.
@Suite struct StreamTests {
    @Test(arguments: [1, 2, 3]) func everyViewerGetsTheSameFramesInOrder(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let clients = (0..<3).map { world.connect("user\($0)", loop: $0 % loops) }
        for client in clients {
            #expect(client.join(room).text("type") == "joined")
            #expect(client.last("joined")["recovered"] == false)
            client.forgetFrames()
        }
        let ack = clients[0].send(room, "hello", key: "m1")
        let stream = ack.text("stream_id")
        #expect(stream == world.lastStream)
        for word in ["one ", "two ", "thrée"] { world.say(stream, word) }
        world.agent(stream, .reasoning(Array("why".utf8)))
        world.finish(stream)
        let expected = ["message", "stream-started", "chunk", "chunk", "chunk", "reasoning", "stream-ended"]
        for client in clients {
            #expect(client.types(room) == expected)
            #expect(client.text(stream) == "one two thrée")
            #expect(client.last("stream-ended").text("status") == "completed")
            #expect(client.last("stream-ended").text("finish_reason") == "stop")
        }
        #expect(clients[0].frames.first?.text("type") == "ack")
        #expect(world.store.exchange(of: stream)?.text == "one two thrée")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2, 3]) func nothingIsAcknowledgedBeforeItIsStored(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.forgetFrames()
        world.storeAnswers = false
        client.send(room, "hello", key: "m1")
        #expect(client.frames.isEmpty)
        #expect(world.agents.isEmpty)
        world.answerOne()
        world.run()
        #expect(client.frames.map { $0.text("type") } == ["ack", "message", "stream-started"])
        world.releaseStore()
        let stream = world.lastStream
        world.say(stream, "x")
        world.storeAnswers = false
        world.finish(stream)
        #expect(client.all("stream-ended").isEmpty)
        world.releaseStore()
        #expect(client.all("stream-ended").count == 1)
        world.expectConsistent()
    }

    @Test func sixteenKibibytesAreSplitAtScalars() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        let text = "a" + String(repeating: "é", count: 20_000)
        world.say(world.lastStream, text)
        world.finish(world.lastStream)
        #expect(client.all("chunk").count == 3)
        #expect(client.text(world.lastStream) == text)
        world.expectConsistent()
    }

    @Test func aResponseEndsAtItsLimitWithAWholeScalar() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        let piece = String(repeating: "é", count: 50_000)
        world.say(stream, "a")
        while world.cancelled.isEmpty { world.say(stream, piece) }
        let ended = client.last("stream-ended")
        #expect(ended.text("status") == "completed")
        #expect(ended.text("finish_reason") == "length")
        #expect(ended.number("length") == 1024 * 1024 - 1)
        #expect(client.text(stream).utf8.count == 1024 * 1024 - 1)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aToolPayloadOverItsLimitFailsTheStream() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.say(stream, "ab")
        world.agent(stream, .event(.toolCall, ["name": "search", "type": "spoofed"]))
        #expect(client.last("tool-call").text("name") == "search")
        #expect(client.last("tool-call").number("offset") == 2)
        world.agent(stream, .event(.toolResult, ["payload": .string(String(repeating: "x", count: 65_536))]))
        #expect(client.all("tool-result").isEmpty)
        #expect(client.last("stream-ended").text("status") == "failed")
        #expect(client.last("stream-ended")["error"]?.object?.text("code") == "AGENT_FAILED")
        #expect(world.store.exchange(of: stream)?.events.count == 1)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func textAndReasoningKeepTheirOrderWhenTheyAreMerged() {
        let world = HubWorld(loops: 2)
        world.gauges.report(deliveriesPerSecond: 1_000_000, of: 0)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.say(stream, "a")
        #expect(client.all("chunk").count == 1, "the first token leaves at once")
        world.agent(stream, .reasoning(Array("r1".utf8)))
        world.agent(stream, .reasoning(Array("r2".utf8)))
        world.say(stream, "b")
        world.say(stream, "c")
        #expect(client.all("reasoning").map { $0.text("delta") } == ["r1r2"])
        #expect(client.all("chunk").count == 1, "the window has not ended")
        world.advance(milliseconds: 40)
        #expect(client.all("chunk").map { $0.text("delta") } == ["a", "bc"])
        world.gauges.report(deliveriesPerSecond: 0, of: 0)
        world.say(stream, "d")
        #expect(client.all("chunk").count == 3, "a light load merges nothing")
        world.finish(stream)
        world.expectConsistent()
    }

    @Test(arguments: [(10_000, 0), (30_000, 20), (50_000, 40), (1_000_000, 40)] as [(Int, UInt64)])
    func theWindowFollowsTheLoad(_ load: Int, _ milliseconds: UInt64) {
        let world = HubWorld(loops: 1)
        world.gauges.report(deliveriesPerSecond: load, of: 0)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.say(world.lastStream, "a")
        world.say(world.lastStream, "b")
        if milliseconds > 0 {
            // All windows end at multiples of their length.
            world.advance(milliseconds: milliseconds - world.now.instant / 1_000_000 % milliseconds - 1)
            #expect(client.all("chunk").count == 1)
            world.advance(milliseconds: 1)
        }
        #expect(client.all("chunk").count == 2)
        world.finish(world.lastStream)
    }

    @Test func oneTimerServesTheWindowsOfAllStreams() {
        let world = HubWorld(loops: 1)
        world.gauges.report(deliveriesPerSecond: 1_000_000, of: 0)
        let client = world.connect()
        let streams = (0..<5).map { number in
            let room = world.room("room_\(number)")
            client.join(room)
            client.send(room, "hello", key: "m\(number)")
            world.say(world.lastStream, "a")
            return world.lastStream
        }
        let before = world.timersWaiting
        for _ in 0..<10 { for stream in streams { world.say(stream, "b") } }
        #expect(world.timersWaiting == before + 1)
        world.advance(milliseconds: 40)
        #expect(
            client.all("chunk").map { $0.text("delta") }.sorted() == Array(repeating: "a", count: 5)
                + Array(repeating: "bbbbbbbbbb", count: 5))
        for stream in streams { world.finish(stream) }
        world.expectConsistent()
    }

    @Test func aTokenOfTheInstantAtWhichTheWindowEndsWaitsForTheNextAlone() {
        let world = HubWorld(loops: 1)
        world.gauges.report(deliveriesPerSecond: 1_000_000, of: 0)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.say(world.lastStream, "a")
        world.say(world.lastStream, "b")
        world.hubs[0].timerFired(.window, now: world.now)
        world.say(world.lastStream, "c")
        #expect(client.all("chunk").map { $0.text("delta") } == ["a", "b"])
        world.advance(milliseconds: 80)
        #expect(client.all("chunk").map { $0.text("delta") } == ["a", "b", "c"])
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    @Test func mergingTokensDoesNotMakeTheLoadSeemLess() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        for _ in 0..<10 { world.connect().join(room) }
        world.clients[0].send(room, "hello", key: "m1")
        for _ in 0..<40 {
            // 20,000 tokens a second for ten readers.
            for _ in 0..<400 { world.say(world.lastStream, "x") }
            world.advance(milliseconds: 20)
        }
        #expect(world.gauges.deliveriesPerSecond > 150_000)
        #expect(world.clients[9].all("chunk").count < 40 * 400 / 2)
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    @Test(arguments: [true, false]) func usageIsEstimatedWhenTheModelGaveNone(_ given: Bool) {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.say(world.lastStream, "12345678")
        if given { world.agent(world.lastStream, .usage(Usage(completionTokens: 7))) }
        world.finish(world.lastStream)
        let usage = client.last("stream-ended")["usage"]?.object ?? [:]
        #expect(usage["estimated"] == .bool(!given))
        #expect(usage.number("completion_tokens") == (given ? 7 : 2))
    }

    /// Some models report what they were given at the beginning, and the answer's tokens at its end or all the time.
    @Test(arguments: [0, 1, 2], [true, false]) func whatAModelDidNotReportBeforeItWasStoppedIsCounted(
        _ after: Int, _ isCancelled: Bool
    ) {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        for number in 0...2 {
            if number == after {
                world.agent(stream, .usage(Usage(promptTokens: 10, completionTokens: 1, totalTokens: 11, model: "m")))
            }
            if number < 2 { world.say(stream, "12345678") }
        }
        if isCancelled { client.ask("cancel", ["stream_id": .string(stream)]) } else { world.finish(stream) }
        let counted = isCancelled ? (2 - after) * 2 : 0
        let expected = Usage(
            promptTokens: 10, completionTokens: 1 + counted, totalTokens: 11 + counted, model: "m",
            isEstimated: counted > 0)
        #expect(world.store.exchange(of: stream)?.usage == expected)
        world.expectConsistent()
    }

    @Test func theContextIsTheLastTwentyMessages() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        for index in 1...12 {
            client.send(room, "question \(index)", key: "m\(index)")
            world.say(world.lastStream, "answer \(index)")
            world.finish(world.lastStream)
        }
        client.send(room, "last", key: "m13")
        let context = world.agents.last?.context ?? []
        #expect(context.count == 20)
        #expect(context.first == ContextMessage(role: .user, text: "question 3"))
        #expect(context.last == ContextMessage(role: .assistant, text: "answer 12"))
        #expect(world.agents.last?.input == "last")
    }

    @Test func aSilentAgentTimesOut() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.advance(milliseconds: 59_000)
        world.say(world.lastStream, "still here")
        world.advance(milliseconds: 59_999)
        #expect(client.all("stream-ended").isEmpty)
        world.advance(milliseconds: 1)
        #expect(world.cancelled == [world.lastStream])
        #expect(client.last("stream-ended").text("status") == "failed")
        #expect(client.last("stream-ended")["error"]?.object?.text("code") == "AGENT_TIMEOUT")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func anAgentThatNeverConfirmsIsLeftBehind() {
        let world = HubWorld(loops: 2)
        world.agentsConfirm = false
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        #expect(client.ask("cancel", ["stream_id": .string(stream)]).text("state") == "accepted")
        world.say(stream, "too late")
        #expect(client.all("stream-ended").isEmpty)
        world.advance(milliseconds: 5_000)
        #expect(client.last("stream-ended").text("status") == "cancelled")
        world.say(stream, "much too late")
        world.finish(stream)
        #expect(client.text(stream) == "")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func timersDoNotPileUpWhileAStreamRuns() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        for _ in 0..<400 {
            world.say(world.lastStream, "word ")
            world.advance(milliseconds: 100)
        }
        #expect(world.timersWaiting < 10)
        world.storeAnswers = false
        world.finish(world.lastStream)
        world.advance(milliseconds: 2_000)
        world.releaseStore()
        world.expectConsistent()
    }
}
