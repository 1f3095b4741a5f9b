import ChatProtocol
import Reactor
import Testing

@testable import Agents

struct FloodTests {
    private struct Steps {
        var tokens = 0
        var most = 0

        mutating func next() {
            most = max(most, tokens)
            tokens = 0
        }
    }

    /// 16 KiB of such tokens are 348 and the rest of one; of more the loop's other sources would have to wait for.
    @Test(arguments: [false, true]) func readsItsShareOfAFloodAndGoesOnInTheNextTurn(_ isChunked: Bool) throws {
        let token = #"data: {"choices":[{"delta":{"content":"a"}}]}"# + "\n\n"
        #expect(token.utf8.count == 47)
        let stream = String(repeating: token, count: 10_000) + Response.stop() + Response.done
        let answer: [Step] =
            isChunked
            ? [.send(Response.chunkedHead), .sendBytes(Response.chunked(stream, bytesEach: 47))]
            : [.send(Response.streamHead + stream)]
        let server = try ScriptedServer([.readRequest] + answer)
        let steps = Lock(Steps())
        let bench = try AgentBench(
            server,
            adjust: { services in
                // Every step of the loop in which libcurl could act.
                let (watch, schedule) = (services.watch, services.schedule)
                services.watch = { descriptor, interest, ready in
                    watch(descriptor, interest) { events in
                        steps.withLock { $0.next() }
                        ready(events)
                    }
                }
                services.schedule = { instant, action in
                    schedule(instant) {
                        steps.withLock { $0.next() }
                        action()
                    }
                }
            },
            heard: { event in if case .text = event { steps.withLock { $0.tokens += 1 } } })
        bench.start(.asking())
        let transcript = bench.wait(for: "stream_1")
        bench.stop()
        server.stop()
        #expect(transcript.pieces.count == 10_000 && transcript.ends == [.finished(reason: "stop")])
        #expect(steps.withLock { max($0.most, $0.tokens) } <= 349)
    }
}
