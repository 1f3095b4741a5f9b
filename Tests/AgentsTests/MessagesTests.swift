import Chat
import ChatProtocol
import Testing
import Wire

@testable import Agents

/// Anthropic's events, as its servers write them.
private enum Event {
    static let start = event(
        "message_start",
        #""message":{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"#
            + #""usage":{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"#
            + #""output_tokens":1}}"#)
    static let ping = event("ping", nil)
    static let end = event("message_stop", nil)

    static func event(_ type: String, _ rest: String?) -> String {
        "event: \(type)\ndata: {\"type\":\"\(type)\"\(rest.map { "," + $0 } ?? "")}\n\n"
    }

    static func begin(_ index: Int, _ block: String) -> String {
        event("content_block_start", #""index":\#(index),"content_block":\#(block)"#)
    }

    static func delta(_ index: Int, _ delta: String) -> String {
        event("content_block_delta", #""index":\#(index),"delta":\#(delta)"#)
    }

    static func finish(_ index: Int) -> String { event("content_block_stop", #""index":\#(index)"#) }

    static func text(_ pieces: String..., index: Int = 0) -> String {
        begin(index, #"{"type":"text","text":""}"#)
            + pieces.map { delta(index, #"{"type":"text_delta","text":"\#($0)"}"#) }.joined() + finish(index)
    }

    static func stop(_ reason: String, outputTokens: Int = 12) -> String {
        event(
            "message_delta",
            #""delta":{"stop_reason":"\#(reason)","stop_sequence":null},"usage":{"output_tokens":\#(outputTokens)}"#)
    }

    static func error(_ type: String, _ message: String) -> String {
        event("error", #""error":{"type":"\#(type)","message":"\#(message)"},"request_id":"req_1""#)
    }
}

struct MessagesReaderTests {
    private func read(_ response: String, bytesEach count: Int = 1 << 20) throws(ModelError) -> Transcript {
        var reader = MessagesReader()
        var events: [AgentEvent] = []
        var rest = Array(response.utf8)[...]
        while !rest.isEmpty {
            try reader.read(Array(rest.prefix(count)), into: &events)
            rest = rest.dropFirst(count)
        }
        try reader.end(isCut: false, into: &events)
        events += reader.usage.map { [.usage($0)] } ?? []
        return Transcript(events + [.ended(.finished(reason: reader.finishReason ?? ""))])
    }

    @Test(arguments: [1, 7, 1 << 20]) func readsThinkingTextAndUsage(bytesEach count: Int) throws {
        let response =
            Event.start + Event.ping + Event.begin(0, #"{"type":"thinking","thinking":"","signature":""}"#)
            + Event.delta(0, #"{"type":"thinking_delta","thinking":"Hm"}"#)
            + Event.delta(0, #"{"type":"signature_delta","signature":"abc"}"#) + Event.finish(0)
            + Event.text("Grü", "ße 👋🏽", index: 1) + Event.stop("end_turn") + Event.end
        let transcript = try read(response, bytesEach: count)
        #expect(transcript.reasoning == "Hm")
        #expect(transcript.text == "Grüße 👋🏽")
        #expect(transcript.usage == Usage(promptTokens: 13, completionTokens: 12, totalTokens: 25, model: "m-1"))
        #expect(transcript.ends == [.finished(reason: "stop")])
    }

    @Test(arguments: [1, 7, 1 << 20]) func collectsToolCalls(bytesEach count: Int) throws {
        let response =
            Event.start + Event.text("Let me see.")
            + Event.begin(1, #"{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}"#)
            + Event.delta(1, #"{"type":"input_json_delta","partial_json":""}"#)
            + Event.delta(1, #"{"type":"input_json_delta","partial_json":"{\"city\": \"Kö"}"#)
            + Event.delta(1, #"{"type":"input_json_delta","partial_json":"ln\"}"}"#) + Event.finish(1)
            + Event.begin(2, #"{"type":"tool_use","id":"toolu_2","name":"time","input":{}}"#) + Event.finish(2)
            + Event.stop("tool_use") + Event.end
        let transcript = try read(response, bytesEach: count)
        #expect(
            transcript.toolCalls == [
                ["id": "toolu_1", "name": "weather", "arguments": ["city": "Köln"]],
                ["id": "toolu_2", "name": "time", "arguments": [:]],
            ])
        #expect(transcript.ends == [.finished(reason: "tool_calls")])
    }

    @Test(arguments: [
        ("end_turn", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"),
        ("stop_sequence", "stop_sequence"), ("refusal", "refusal"), ("pause_turn", "pause_turn"),
    ])
    func mapsTheStopReason(_ given: String, _ reason: String) throws {
        // Some servers close after the reason, without the last event.
        for end in ["", Event.end] {
            #expect(try read(Event.text("x") + Event.stop(given) + end).ends == [.finished(reason: reason)])
        }
    }

    @Test(arguments: [
        Event.event("new_event", #""data":{"x":1}"#), Event.ping, "data: {}\n\n", ": comment\n\n",
        Event.begin(1, #"{"type":"redacted_thinking","data":"abc"}"#) + Event.finish(1),
        Event.begin(1, #"{"type":"web_search_tool_result","tool_use_id":"a","content":[]}"#) + Event.finish(1),
        Event.delta(0, #"{"type":"citations_delta","citation":{}}"#),
        Event.delta(0, #"{"type":"input_json_delta","partial_json":"{"}"#),
    ])
    func toleratesWhatItDoesNotKnow(_ part: String) throws {
        let transcript = try read(Event.start + part + Event.text("x") + part + Event.stop("end_turn") + Event.end)
        #expect(transcript.text == "x")
        #expect(transcript.toolCalls.isEmpty)
    }

    @Test func countsWhatTheLastEventSays() throws {
        let usage = #""delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":20,"output_tokens":5}"#
        let transcript = try read(
            Event.start + Event.stop("end_turn", outputTokens: 3) + Event.event("message_delta", usage) + Event.end)
        #expect(transcript.usage == Usage(promptTokens: 24, completionTokens: 5, totalTokens: 29, model: "m-1"))
    }

    @Test func readsAWholeAnswer() throws {
        let transcript = try read(
            #"{"type":"message","model":"m","content":[{"type":"text","text":"Yes."},"#
                + #"{"type":"tool_use","id":"a","name":"f","input":{"x":1}}],"stop_reason":"end_turn","#
                + #""usage":{"input_tokens":1,"output_tokens":2}}"#)
        #expect(transcript.text == "Yes.")
        #expect(transcript.toolCalls == [["id": "a", "name": "f", "arguments": ["x": 1]]])
        #expect(transcript.usage == Usage(promptTokens: 1, completionTokens: 2, totalTokens: 3, model: "m"))
    }

    @Test(arguments: [
        ("", ModelError.cut), (Event.start, .cut), (Event.text("x"), .cut), ("data: [1]\n\n", .malformed),
        ("data: {\n\n", .malformed), (#"{"type":"message"}"#, .malformed),
        (Event.error("invalid_request_error", "no"), .reported("no", mayPass: false)),
        (Event.error("overloaded_error", "later"), .reported("later", mayPass: true)),
        (#"{"type":"error","error":{"type":"api_error","message":"oh"}}"#, .reported("oh", mayPass: true)),
    ])
    func refusesWhatIsNoMessage(_ response: String, _ error: ModelError) {
        #expect(throws: error) { try self.read(response) }
    }

    @Test func refusesAToolCallThatIsTooLarge() {
        let piece = String(repeating: "x", count: Limits.toolPayloadBytesMax)
        #expect(throws: ModelError.toolCallTooLarge) {
            try self.read(
                Event.begin(0, #"{"type":"tool_use","id":"a","name":"f","input":{}}"#)
                    + Event.delta(0, #"{"type":"input_json_delta","partial_json":"\#(piece)x"}"#))
        }
    }
}

struct MessagesRequestTests {
    private func message(_ role: String, _ text: String) -> JSONValue {
        ["role": .string(role), "content": .string(text)]
    }

    private func context(_ messages: (MessageRole, String)...) -> [ContextMessage] {
        messages.map { ContextMessage(role: $0.0, text: $0.1) }
    }

    private func body(_ turn: AgentTurn, _ settings: ModelSettings) throws -> JSONObject {
        try #require(try JSONValue(parsing: MessagesRequest.body(turn, settings)).object)
    }

    @Test func alternatesStrictly() throws {
        let settings = ModelSettings(baseURL: "http://h/v1", model: "m", systemPrompt: "Be brief.")
        let context = context(
            (.assistant, "An answer whose question is forgotten."), (.user, "One?"), (.user, "Or two?"),
            (.system, "Ann joined."), (.assistant, "1"), (.operator, "One."), (.assistant, ""), (.user, "Why?"))
        let body = try body(.asking("Please!", context: context), settings)
        #expect(
            body["messages"] == [
                message("user", "One?\n\nOr two?"), message("assistant", "1\n\nOne."),
                message("user", "Why?\n\nPlease!"),
            ])
        #expect(body["system"] == "Be brief.\n\nAnn joined.")
        #expect(body["max_tokens"] == 4096)
        #expect(body["stream"] == true)
    }

    @Test func takesParametersAndLeavesOutAnEmptyPrompt() throws {
        var settings = ModelSettings(baseURL: "http://h/v1", model: "m")
        settings.parameters = ["max_tokens": 7, "top_k": 5, "stream": false, "model": "other"]
        let expected: JSONObject = [
            "max_tokens": 7, "top_k": 5, "stream": true, "model": "m", "messages": [message("user", "Hello?")],
        ]
        #expect(try body(.asking(), settings) == expected)
    }
}

/// The runs differ from those of chat completions in request and reader only; the rest is tested there.
struct MessagesRunTests {
    private static let answer = Response.streamHead + Event.start + Event.text("Yes") + Event.stop("end_turn")

    private func bench(_ server: ScriptedServer, _ configure: (inout ModelSettings) -> Void = { _ in }) throws
        -> AgentBench
    {
        try AgentBench(server, configure: configure, connector: { .anthropic($0) })
    }

    @Test func asksWithItsHeadersAndReadsTheAnswer() throws {
        let server = try ScriptedServer([.readRequest, .send(Self.answer + Event.end)])
        let bench = try bench(server) {
            $0.apiKey = "secret-key"
            $0.systemPrompt = "You help {{ user_id }}."
        }
        bench.start(.asking())
        let transcript = bench.wait(for: "stream_1")
        #expect(transcript.text == "Yes")
        #expect(transcript.usage?.totalTokens == 25)
        #expect(transcript.ends == [.finished(reason: "stop")])
        bench.stop()
        server.stop()
        let parts = try #require(server.requests.first).split(separator: "\r\n", omittingEmptySubsequences: false)
        #expect(parts[0] == "POST /v1/messages HTTP/1.1")
        #expect(parts.contains("x-api-key: secret-key"))
        #expect(parts.contains("anthropic-version: 2023-06-01"))
        #expect(!parts.contains { $0.hasPrefix("Authorization") })
        #expect(try JSONValue(parsing: Array(parts.last!.utf8)).object?["system"] == "You help ann.")
    }

    @Test(arguments: [
        Response.error("529 Overloaded", "busy"), Response.streamHead + Event.error("overloaded_error", "busy"),
        Response.streamHead + Event.start + Event.ping + Event.error("overloaded_error", "busy"),
        Response.streamHead + Event.start,
    ])
    func asksAgainWhatMayPassBeforeTheFirstToken(_ response: String) throws {
        let server = try ScriptedServer([.readRequest, .send(response)], [.readRequest, .send(Self.answer)])
        let bench = try bench(server)
        bench.start(.asking())
        #expect(bench.wait(for: "stream_1").text == "Yes")
        bench.stop()
        server.stop()
        #expect(server.requests.count == 2)
    }

    @Test(arguments: [
        (Response.error("400 Bad Request", "no"), "the model's server answered 400: no"),
        (
            Response.streamHead + Event.error("invalid_request_error", "no"),
            "the model's server reported an error: no"
        ),
        (
            Response.streamHead + Event.text("Ye") + Event.error("overloaded_error", "busy"),
            "the model's server reported an error: busy"
        ),
    ])
    func failsForGoodOtherwise(_ response: String, _ sentence: String) throws {
        let server = try ScriptedServer([.readRequest, .send(response)])
        let bench = try bench(server)
        bench.start(.asking())
        #expect(bench.wait(for: "stream_1").ends == [.failed(.agentFailed, sentence)])
        bench.stop()
        server.stop()
        #expect(server.requests.count == 1)
    }

    @Test func closesTheConnectionWhenItIsCancelled() throws {
        let closed = Gate()
        let server = try ScriptedServer([
            .readRequest, .send(Response.streamHead + Event.text("Ye")), .readToEnd, .tell(closed),
        ])
        let bench = try bench(server)
        bench.start(.asking())
        _ = bench.wait(for: "stream_1") { !$0.text.isEmpty }
        bench.cancel("stream_1")
        #expect(closed.wait())
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        bench.stop()
        server.stop()
    }
}
