import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Where interrupted answers are asked for again, a cancel that was accepted outlives the process.
@Suite struct AcceptedTests {
    private func start(_ seconds: Int = 300) -> (HubWorld, TestClient, room: String, stream: String) {
        var limits = Limits()
        limits.restartInterruptedSeconds = seconds
        let world = HubWorld(loops: 1, limits: limits)
        world.agentsConfirm = false
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.say(world.lastStream, "word ")
        return (world, client, room, world.lastStream)
    }

    private func isMark(_ request: StorageRequest) -> Bool {
        if case .markCancelled = request { true } else { false }
    }

    @Test func aCancelIsAcceptedOnceItIsOnDisk() {
        let (world, client, _, stream) = start()
        world.storeAnswers = false
        client.postCancel(stream)
        world.run()
        #expect(world.cancelled == [stream], "the model is stopped at once")
        #expect(client.last("ack").text("state") == "")
        world.answerFirst(isMark)
        #expect(client.last("ack").text("state") == "accepted")
        world.store.settleRunning(at: world.now.timestamp)
        #expect(world.store.exchange(of: stream)?.status == .cancelled)
    }

    @Test func theStopOfASessionIsTooAndSoIsItsInterruption() {
        let (world, client, room, stream) = start()
        world.storeAnswers = false
        world.request(.stopSession(SessionID("session_\(Slot(of: room).hex)default")))
        #expect(world.httpAnswers.isEmpty)
        world.answerFirst(isMark)
        #expect(world.httpAnswers.count == 1)
        world.releaseStore()
        world.agent(stream, .ended(.cancelled))
        let next = client.send(room, "two", key: "m2").text("stream_id")
        client.send(room, "three", key: "m3", ["if_busy": "interrupt"])
        world.store.settleRunning(at: world.now.timestamp)
        #expect(world.store.exchange(of: next)?.status == .cancelled)
    }

    @Test func withoutRestartNothingIsWritten() {
        let (world, client, _, stream) = start(0)
        world.storeAnswers = false
        client.postCancel(stream)
        world.run()
        #expect(client.last("ack").text("state") == "accepted")
        #expect(!world.requestsHeld.contains(where: isMark))
    }

    @Test func whatWaitedBehindARestartedAnswerIsToldItsWholeText() {
        let (before, client, room, stream) = start()
        client.send(room, "and then?", key: "m2")
        let first = before.store.exchange(of: stream)?.exchangeID ?? ExchangeID("")
        let second = before.store.exchanges.last?.exchangeID ?? ExchangeID("")
        before.interruptStreams()
        before.agent(stream, .ended(.cancelled))
        #expect(before.store.exchanges.map(\.status) == [.interrupted, .interrupted])
        let world = HubWorld(loops: 1, seed: 3, limits: before.limits, before: before)
        for (exchange, text) in [(first, "hello"), (second, "and then?")] {
            world.hubs[0].restart(
                InterruptedAnswer(
                    exchangeID: exchange, roomID: RoomID(room), userID: UserID("ann"), text: text, metadata: [:]),
                now: world.now)
            world.finishTurn(0)
        }
        world.run()
        world.say(world.lastStream, "the whole")
        world.finish(world.lastStream)
        #expect(world.agents.last?.input == "and then?")
        #expect(world.agents.last?.context.map(\.text) == ["hello", "the whole"])
    }
}
