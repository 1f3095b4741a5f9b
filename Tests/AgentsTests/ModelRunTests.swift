import Chat
import ChatProtocol
import Reactor
import Testing
import Wire

@testable import Agents

/// One answer of a server and what becomes of it.
struct AnswerCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let script: [Step]
    var text = ""
    var reasoning = ""
    var usage: Usage?
    let end: AgentEnd

    private static let malformed = AgentEnd.failed(
        .agentFailed, "the model's server sent something that is not an answer")
    private static let cut = AgentEnd.failed(
        .agentFailed, "the connection to the model's server was cut before the answer was complete")

    private static func stream(_ parts: String...) -> [Step] {
        [.readRequest, .send(Response.streamHead + parts.joined())]
    }

    static let all: [AnswerCase] = [
        AnswerCase(
            testDescription: "a stream with usage",
            script: stream(
                Response.chunk(delta: #"{"role":"assistant","content":""}"#), Response.text("Hel"), Response.text("lo"),
                Response.stop(), Response.usage, Response.done),
            text: "Hello", usage: Usage(promptTokens: 9, completionTokens: 2, totalTokens: 11, model: "m-1"),
            end: .finished(reason: "stop")),
        AnswerCase(
            testDescription: "reasoning under either name",
            script: stream(
                Response.chunk(delta: #"{"reasoning_content":"Hm"}"#),
                Response.chunk(delta: #"{"reasoning":", well"}"#),
                Response.text("Yes"), Response.stop("length"), Response.done),
            text: "Yes", reasoning: "Hm, well", end: .finished(reason: "length")),
        AnswerCase(
            testDescription: "a finish reason without [DONE]", script: stream(Response.text("Yes"), Response.stop()),
            text: "Yes", end: .finished(reason: "stop")),
        AnswerCase(
            testDescription: "[DONE] without a finish reason", script: stream(Response.text("Yes"), Response.done),
            text: "Yes", end: .finished(reason: "stop")),
        AnswerCase(
            testDescription: "a whole answer from a server that ignores stream",
            script: [
                .readRequest,
                .send(
                    Response.whole(
                        "200 OK",
                        #"{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Yes."},"#
                            + #""finish_reason":"stop"}],"#
                            + #""usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#
                    )),
            ],
            text: "Yes.", usage: Usage(promptTokens: 1, completionTokens: 2, totalTokens: 3, model: "m"),
            end: .finished(reason: "stop")),
        AnswerCase(
            testDescription: "chunked transfer at odd bytes",
            script: [
                .readRequest, .send(Response.chunkedHead),
                .sendBytes(
                    Response.chunked(
                        Response.text("Grüße 👋🏽 ") + Response.text(#"\ud83d\ude00"#) + Response.stop() + Response.done,
                        bytesEach: 3)),
                .readToEnd,
            ],
            text: "Grüße 👋🏽 😀", end: .finished(reason: "stop")),
        AnswerCase(
            testDescription: "an error in the stream",
            script: stream(Response.text("Ye"), #"data: {"error":{"message":"out of memory"}}"# + "\n\n"),
            text: "Ye", end: .failed(.agentFailed, "the model's server reported an error: out of memory")),
        AnswerCase(
            testDescription: "a connection cut after a token", script: stream(Response.text("Ye")), text: "Ye",
            end: cut),
        AnswerCase(
            testDescription: "a connection reset after a token",
            script: stream(Response.text("Ye")) + [.reset], text: "Ye", end: cut),
        AnswerCase(
            testDescription: "a chunked stream cut after a token",
            script: [
                .readRequest, .send(Response.chunkedHead),
                .sendBytes(Response.chunked(Response.text("Ye"), bytesEach: 7).dropLast(5)),
            ],
            text: "Ye", end: cut),
        AnswerCase(
            testDescription: "broken JSON", script: stream(Response.text("Ye"), "data: {\"choices\"\n\n"), text: "Ye",
            end: malformed),
        AnswerCase(
            testDescription: "broken UTF-8",
            script: stream(Response.text("Ye"))
                + [
                    .sendBytes(Array(#"data: {"choices":[{"delta":{"content":""#.utf8) + [0xC3, 0x28]),
                    .send("\"}}]}\n\n"),
                ],
            text: "Ye", end: malformed),
        AnswerCase(
            testDescription: "401 with the server's words",
            script: [.readRequest, .send(Response.error("401 Unauthorized", "No such key"))],
            end: .failed(.agentFailed, "the model's server answered 401: No such key")),
        AnswerCase(
            testDescription: "404 without JSON",
            script: [.readRequest, .send("HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>")],
            end: .failed(.agentFailed, "the model's server answered 404")),
        AnswerCase(
            testDescription: "a redirect, which is not followed",
            script: [
                .readRequest, .send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
            ],
            end: .failed(.agentFailed, "the model's server answered 302")),
    ]
}

struct ModelRunTests {
    @Test(arguments: AnswerCase.all) func endsAsTheServerAnswers(_ example: AnswerCase) throws {
        let server = try ScriptedServer(example.script)
        let bench = try AgentBench(server) { $0.retries = 0 }
        bench.start(.asking())
        _ = bench.wait(for: "stream_1")
        bench.stop()
        server.stop()
        let transcript = bench.transcript("stream_1")
        #expect(transcript.text == example.text)
        #expect(transcript.reasoning == example.reasoning)
        #expect(transcript.usage == example.usage)
        #expect(transcript.ends == [example.end])
        #expect(server.requests.count == 1)
    }

    @Test func refusesHeadersWithoutEnd() throws {
        let filler = String(repeating: "X-Filler: 0123456789012345678901\r\n", count: 4096)
        let server = try ScriptedServer([.readRequest, .send("HTTP/1.1 200 OK\r\n" + filler), .readToEnd])
        let bench = try AgentBench(server)
        bench.start(.asking())
        let ends = bench.wait(for: "stream_1").ends
        #expect(ends == [.failed(.agentFailed, "the model's server sent more than an answer can hold")])
        bench.stop()
        server.stop()
    }

    @Test func sendsTheConversationWithItsParameters() throws {
        let server = try ScriptedServer([.readRequest, .send(Response.streamHead + Response.stop() + Response.done)])
        let bench = try AgentBench(server) {
            $0.baseURL += "/"
            $0.apiKey = "secret-key"
            $0.systemPrompt = "Be brief."
            $0.parameters = ["temperature": 0.5, "model": "not this one"]
        }
        let context = [
            ContextMessage(role: .user, text: "One?"), ContextMessage(role: .assistant, text: "1"),
            ContextMessage(role: .operator, text: "One."),
        ]
        bench.start(.asking("Two \"quoted\"?", context: context))
        _ = bench.wait(for: "stream_1")
        bench.stop()
        server.stop()
        let request = try #require(server.requests.first)
        let parts = request.split(separator: "\r\n", omittingEmptySubsequences: false)
        #expect(parts[0] == "POST /v1/chat/completions HTTP/1.1")
        #expect(parts.contains("Authorization: Bearer secret-key"))
        #expect(parts.contains("Content-Type: application/json"))
        #expect(!request.contains("Expect:"))
        let expected: JSONValue = [
            "temperature": 0.5, "model": "some-model", "stream": true, "stream_options": ["include_usage": true],
            "messages": [
                ["role": "system", "content": "Be brief."], ["role": "user", "content": "One?"],
                ["role": "assistant", "content": "1"], ["role": "assistant", "content": "One."],
                ["role": "user", "content": "Two \"quoted\"?"],
            ],
        ]
        #expect(try JSONValue(parsing: Array(parts.last!.utf8)) == expected)
    }

    @Test func passesTokensOnAsTheyArrive() throws {
        let first = Gate()
        let second = Gate()
        let server = try ScriptedServer([
            .readRequest, .pause(first), .send(Response.streamHead + Response.text("Slow ")), .pause(second),
            .send(Response.text("but sure") + Response.stop() + Response.done),
        ])
        let bench = try AgentBench(server)
        bench.start(.asking())
        first.open()
        #expect(bench.wait(for: "stream_1") { !$0.text.isEmpty }.text == "Slow ")
        second.open()
        #expect(bench.wait(for: "stream_1").pieces == ["Slow ", "but sure"])
        bench.stop()
        server.stop()
    }

    @Test func joinsCharactersThatArriveInHalves() throws {
        let bytes = Array((Response.text("é👩‍👩‍👧") + Response.stop() + Response.done).utf8)
        let start = bytes.firstIndex(of: 0xC3)! + 1
        let server = try ScriptedServer(
            [.readRequest, .send(Response.streamHead)] + bytes[..<start].map { Step.sendBytes([$0]) }
                + [.sendBytes(Array(bytes[start..<start + 3]))] + bytes[(start + 3)...].map { Step.sendBytes([$0]) })
        let bench = try AgentBench(server)
        bench.start(.asking())
        let transcript = bench.wait(for: "stream_1")
        #expect(transcript.pieces == ["é👩‍👩‍👧"])
        #expect(transcript.ends == [.finished(reason: "stop")])
        bench.stop()
        server.stop()
    }

    @Test func keepsTheConnectionForTheNextTurn() throws {
        let answer: [Step] = [
            .readRequest, .send(Response.chunkedHead),
            .sendBytes(Response.chunked(Response.text("Yes") + Response.stop() + Response.done, bytesEach: 50)),
        ]
        let server = try ScriptedServer(answer + answer, [.reset])
        let bench = try AgentBench(server)
        for stream in ["stream_1", "stream_2"] {
            bench.start(.asking(stream: stream))
            #expect(bench.wait(for: stream).ends == [.finished(reason: "stop")])
        }
        bench.stop()
        server.stop()
    }

    @Test func servesManyRunsAtOnce() throws {
        let gate = Gate()
        let server = try ScriptedServer([
            .readRequest, .send(Response.streamHead + Response.text("Be")), .pause(gate), .tell(gate),
            .send(Response.text("gun") + Response.stop() + Response.done),
        ])
        let bench = try AgentBench(server)
        let streams = (1...32).map { "stream_\($0)" }
        bench.start(streams.map { .asking(stream: $0) })
        for stream in streams { #expect(bench.wait(for: stream) { !$0.text.isEmpty }.text == "Be") }
        gate.open()
        for stream in streams {
            let transcript = bench.wait(for: stream)
            #expect(transcript.text == "Begun")
            #expect(transcript.ends == [.finished(reason: "stop")])
        }
        bench.stop()
        server.stop()
    }
}
