import Chat
import ChatProtocol
import Reactor
import Testing

@testable import Agents

private let goodAnswer = Response.streamHead + Response.text("Yes") + Response.stop() + Response.done
private let failure = Response.error("500 Internal Server Error", "try again")

struct RetryTests {
    @Test(arguments: [
        [Step.readRequest, .send(failure)],
        [.readRequest, .send(Response.error("408 Request Timeout", "slow"))],
        [.readRequest, .send(Response.error("503 Service Unavailable", "busy", headers: "Retry-After: 0\r\n"))],
        [.readRequest],
        [.readRequest, .reset],
        [.readRequest, .send(Response.streamHead)],
    ])
    func asksAgainWhatFailedBeforeTheFirstToken(_ script: [Step]) throws {
        let server = try ScriptedServer(script, [.readRequest, .send(goodAnswer)])
        let bench = try AgentBench(server)
        bench.start(.asking())
        let transcript = bench.wait(for: "stream_1")
        #expect(transcript.text == "Yes")
        #expect(transcript.ends == [.finished(reason: "stop")])
        bench.stop()
        server.stop()
        #expect(server.requests.count == 2)
        #expect(server.requests[0] == server.requests[1])
    }

    @Test func givesUpAfterTheConfiguredRetries() throws {
        let server = try ScriptedServer([.readRequest, .send(failure)])
        let bench = try AgentBench(server)
        bench.start(.asking())
        let ends = bench.wait(for: "stream_1").ends
        #expect(ends == [.failed(.agentFailed, "the model's server answered 500: try again")])
        bench.stop()
        server.stop()
        #expect(server.requests.count == 3)
    }

    @Test func neverAsksAgainAfterAToken() throws {
        let server = try ScriptedServer(
            [.readRequest, .send(Response.streamHead + Response.text("Ye"))], [.readRequest, .send(goodAnswer)])
        let bench = try AgentBench(server)
        bench.start(.asking())
        #expect(bench.wait(for: "stream_1").text == "Ye")
        bench.stop()
        server.stop()
        #expect(server.requests.count == 1)
    }

    @Test func waitsAsLongAsTheServerAsks() throws {
        let server = try ScriptedServer(
            [.readRequest, .send(Response.error("429 Too Many Requests", "wait", headers: "Retry-After: 9\r\n"))],
            [.readRequest, .send(goodAnswer)])
        let waits = Lock<[UInt64]>([])
        let passTheWait: @Sendable (inout LoopServices) -> Void = { services in
            // The wait that was asked for is noted and passes at once.
            let (schedule, clock) = (services.schedule, services.clock)
            services.schedule = { deadline, action in
                let wait = deadline - min(deadline, clock())
                guard (8_000_000_000...10_000_000_000).contains(wait) else { return schedule(deadline, action) }
                waits.withLock { $0.append(wait) }
                return schedule(clock(), action)
            }
        }
        let bench = try AgentBench(server, adjust: passTheWait)
        bench.start(.asking())
        #expect(bench.wait(for: "stream_1").text == "Yes")
        bench.stop()
        server.stop()
        #expect(waits.withLock { $0.count } == 1)
        #expect(server.requests.count == 2)
    }

    @Test func doesNotWaitLongerThanTenSeconds() throws {
        let server = try ScriptedServer([
            .readRequest, .send(Response.error("429 Too Many Requests", "wait", headers: "Retry-After: 11\r\n")),
        ])
        let bench = try AgentBench(server)
        bench.start(.asking())
        let ends = bench.wait(for: "stream_1").ends
        #expect(ends == [.failed(.agentFailed, "the model's server answered 429: wait")])
        bench.stop()
        server.stop()
        #expect(server.requests.count == 1)
    }

    @Test func reportsAServerThatIsNotThere() throws {
        let server = try ScriptedServer([])
        server.stop()
        let bench = try AgentBench(server)
        bench.start(.asking())
        guard case .failed(.agentFailed, let sentence)? = bench.wait(for: "stream_1").ends.first else {
            Issue.record("the run did not fail")
            return
        }
        #expect(sentence.hasPrefix("the model's server cannot be reached: "))
        bench.stop()
    }
}

struct TimeLimitTests {
    @Test func endsASilentModel() throws {
        let server = try ScriptedServer([.readRequest, .send(Response.streamHead + ": still thinking\n\n"), .readToEnd])
        let bench = try AgentBench(server) { $0.firstTokenTimeoutSeconds = 0.25 }
        bench.start(.asking())
        let ends = bench.wait(for: "stream_1").ends
        #expect(ends == [.failed(.agentTimeout, "the model did not begin to answer within 0.25 s")])
        // Stops only if the connection was closed.
        server.stop()
        bench.stop()
    }

    @Test func endsAModelThatStalls() throws {
        let server = try ScriptedServer([.readRequest, .send(Response.streamHead + Response.text("Ye")), .readToEnd])
        let bench = try AgentBench(server) {
            $0.firstTokenTimeoutSeconds = 30
            $0.stallTimeoutSeconds = 0.25
        }
        bench.start(.asking())
        let transcript = bench.wait(for: "stream_1")
        #expect(transcript.text == "Ye")
        #expect(transcript.ends == [.failed(.agentTimeout, "the model said nothing for 0.25 s")])
        server.stop()
        bench.stop()
    }

    @Test func doesNotWaitForAServerThatKeepsACompleteAnswerOpen() throws {
        let server = try ScriptedServer([
            .readRequest, .send(Response.streamHead + Response.text("Yes") + Response.done), .readToEnd,
        ])
        let bench = try AgentBench(server)
        bench.start(.asking())
        #expect(bench.wait(for: "stream_1").ends == [.finished(reason: "stop")])
        server.stop()
        bench.stop()
    }
}

struct CancelTests {
    @Test func closesTheConnectionInTheMiddleOfAnAnswer() throws {
        let closed = Gate()
        let server = try ScriptedServer([
            .readRequest, .send(Response.streamHead + Response.text("Ye")), .readToEnd, .tell(closed),
        ])
        let bench = try AgentBench(server)
        bench.start(.asking())
        _ = bench.wait(for: "stream_1") { !$0.text.isEmpty }
        bench.cancel("stream_1", "stream_1")
        #expect(closed.wait())
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        bench.cancel("stream_1")
        bench.stop()
        #expect(bench.transcript("stream_1").ends == [.cancelled])
        server.stop()
    }

    /// A server that only writes would get rid of one more token if the connection were merely closed.
    @Test func theVeryNextTokenIsRefused() throws {
        let cancelled = Gate()
        let refused = Gate()
        let server = try ScriptedServer([
            .readRequest, .send(Response.streamHead + Response.text("Ye")), .pause(cancelled),
            .sendInVain(Response.text("s"), refused),
        ])
        let bench = try AgentBench(server)
        bench.start(.asking())
        _ = bench.wait(for: "stream_1") { !$0.text.isEmpty }
        bench.cancel("stream_1")
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        cancelled.open()
        #expect(refused.wait())
        bench.stop()
        server.stop()
    }

    @Test func closesTheConnectionBeforeTheAnswerBegins() throws {
        let asked = Gate()
        let closed = Gate()
        let server = try ScriptedServer([.readRequest, .tell(asked), .readToEnd, .tell(closed)])
        let bench = try AgentBench(server)
        bench.start(.asking())
        #expect(asked.wait())
        bench.cancel("stream_1")
        #expect(closed.wait())
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        bench.stop()
        server.stop()
    }

    @Test func endsTheWaitForARetry() throws {
        let waiting = Gate()
        let server = try ScriptedServer([.readRequest, .send(failure)])
        let bench = try AgentBench(server) {
            $0.retryDelaySeconds = 7
        } adjust: { services in
            let (schedule, clock) = (services.schedule, services.clock)
            services.schedule = { deadline, action in
                if (6_500_000_000...7_000_000_000).contains(deadline - min(deadline, clock())) { waiting.open() }
                return schedule(deadline, action)
            }
        }
        bench.start(.asking())
        #expect(waiting.wait())
        bench.cancel("stream_1")
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        bench.stop()
        server.stop()
        #expect(server.requests.count == 1)
    }

    @Test func leavesOtherRunsAlone() throws {
        let gate = Gate()
        let server = try ScriptedServer([
            .readRequest, .send(Response.streamHead + Response.text("Be")), .pause(gate), .tell(gate),
            .send(Response.text("gun") + Response.stop() + Response.done),
        ])
        let bench = try AgentBench(server)
        bench.start(.asking(stream: "stream_1"), .asking(stream: "stream_2"))
        for stream in ["stream_1", "stream_2"] { _ = bench.wait(for: stream) { !$0.text.isEmpty } }
        bench.cancel("stream_1")
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        gate.open()
        #expect(bench.wait(for: "stream_2").text == "Begun")
        bench.stop()
        server.stop()
        #expect(bench.transcript("stream_1").text == "Be")
    }

    @Test func shutsDownInTheMiddleOfAnAnswer() throws {
        let server = try ScriptedServer([.readRequest, .send(Response.streamHead + Response.text("Ye")), .readToEnd])
        let bench = try AgentBench(server)
        bench.start(.asking())
        _ = bench.wait(for: "stream_1") { !$0.text.isEmpty }
        bench.stop()
        server.stop()
        #expect(bench.transcript("stream_1").ends.isEmpty)
    }
}

struct SecrecyTests {
    @Test(arguments: [
        [
            Step.readRequest,
            .send(Response.error("401 Unauthorized", "Incorrect key sk-very-secret: sk-very-secret is unknown")),
        ],
        [.readRequest, .send(Response.streamHead + #"data: {"error":"bad key sk-very-secret"}"# + "\n\n")],
    ])
    func keepsTheKeyOutOfEveryWord(_ script: [Step]) throws {
        let server = try ScriptedServer(script)
        let bench = try AgentBench(server) { $0.apiKey = "sk-very-secret" }
        bench.start(.asking())
        let transcript = bench.wait(for: "stream_1")
        guard case .failed(.agentFailed, let sentence)? = transcript.ends.first else {
            Issue.record("the run did not fail")
            return
        }
        #expect(sentence.contains("key …"))
        #expect(!"\(transcript)".contains("sk-very-secret"))
        bench.stop()
        server.stop()
        #expect(server.requests.first?.contains("sk-very-secret") == true)
    }

    @Test func keepsTheKeyOutOfAPrintedConfiguration() {
        let settings = ModelSettings(baseURL: "https://h", model: "m", apiKey: "sk-very-secret")
        let agents = [AgentConfiguration(agentType: "a", connector: .openAI(settings))]
        #expect("\(agents)".contains("m at https://h"))
        for printed in ["\(agents)", String(reflecting: agents), "\(settings)", String(reflecting: settings)] {
            #expect(!printed.contains("secret"))
        }
    }

    @Test func boundsAndFlattensAStrangersWords() {
        let secret = "0123456789"
        // The secret lies across the place where the message is cut.
        let message = String(repeating: "x", count: 295) + secret + "\n" + String(repeating: "y", count: 500)
        let shown = Redaction.publishable(message, hiding: secret)
        #expect(shown == String(repeating: "x", count: 295) + "… yy…")
        #expect(shown.count == 300)
        #expect(Redaction.publishable("two\r\nlines", hiding: nil) == "two  lines")
        // One character to a reader, and a thousand bytes.
        let marked = "e" + String(repeating: "\u{301}", count: 500)
        #expect(Redaction.publishable(marked, hiding: nil).unicodeScalars.count == 300)
    }
}
