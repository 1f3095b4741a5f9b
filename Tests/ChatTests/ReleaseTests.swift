import ChatProtocol
import Testing
import Wire

@testable import Chat

/// Closed loops: clients release the synthetic agent's tokens.
@Suite struct ReleaseTests {
    private func release(_ stream: String, _ tokens: Int) -> JSONObject {
        ["stream_id": .string(stream), "tokens": .int(Int64(tokens))]
    }

    @Test(arguments: [1, 2, 3]) func anySocketsReleaseReachesTheAgentWithoutAnAnswer(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect("ann", loop: loops - 1)
        let other = world.connect("bob", loop: 0)
        client.join(room)
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        client.forgetFrames()
        for tokens in 1...4 { other.post("release", release(stream, tokens)) }
        client.post("release", release(stream, 100))
        world.run()
        #expect(world.released == [stream: 110])
        #expect(client.frames.isEmpty && other.all("ack").isEmpty && other.all("error").isEmpty)
        world.say(stream, "on")
        world.finish(stream)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2, 3]) func whatIsReleasedBeforeTheAgentRunsIsKeptForIt(_ loops: Int) {
        let world = HubWorld(loops: loops)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        client.send(room, "first", key: "m1")
        let waiting = client.send(room, "second", key: "m2").text("stream_id")
        client.post("release", release(waiting, 3))
        client.post("release", release(waiting, 4))
        world.run()
        #expect(world.released.isEmpty)
        world.finish(world.lastStream)
        #expect(world.lastStream == waiting)
        #expect(world.released == [waiting: 7])
        world.finish(waiting)
        world.expectConsistent()
    }

    @Test func neverKeepsMoreThanAStreamCanSay() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.send(room, "first", key: "m1")
        let waiting = client.send(room, "second", key: "m2").text("stream_id")
        for _ in 0..<3 { client.post("release", release(waiting, SyntheticScript.tokensMax)) }
        world.run()
        world.finish(world.lastStream)
        #expect(world.released == [waiting: SyntheticScript.tokensMax])
    }

    @Test func aStreamThatHasEndedTakesNoNotice() {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.send(room, "hello", key: "m1")
        let stream = world.lastStream
        world.agentsConfirm = false
        client.ask("cancel", ["stream_id": .string(stream)])
        world.agent(stream, .ended(.cancelled))
        client.forgetFrames()
        client.post("release", release(stream, 1))
        client.post("release", release("stream_00ffabcdef", 1))
        world.run()
        #expect(world.released.isEmpty && client.frames.isEmpty)
        world.expectConsistent()
    }

    @Test func whatCannotBeAStreamIsNotFound() {
        let world = HubWorld(loops: 2)
        let client = world.connect()
        #expect(client.ask("release", release("nonsense", 1)).text("code") == "NOT_FOUND")
        #expect(client.ask("release", release("stream_00ffabcdef", 0)).text("code") == "VALIDATION_ERROR")
        world.expectConsistent()
    }
}
