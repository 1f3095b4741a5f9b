import Chat
import ChatProtocol
import Testing
import Wire

@testable import Agents

/// A stream's chunks and the tool calls that they amount to.
struct ToolCallCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Each an entry of `delta.tool_calls`, in a chunk of its own.
    let fragments: [String]
    let calls: [JSONObject]

    private static let weather: JSONObject = ["id": "call_a", "name": "weather", "arguments": ["city": "Köln"]]
    private static let time: JSONObject = ["id": "call_b", "name": "time", "arguments": [:]]

    static let all: [ToolCallCase] = [
        ToolCallCase(
            testDescription: "one call in fragments",
            fragments: [
                #"{"index":0,"id":"call_a","type":"function","function":{"name":"weather","arguments":""}}"#,
                #"{"index":0,"function":{"arguments":"{\"ci"}}"#,
                #"{"index":0,"function":{"arguments":"ty\":\"Köln\"}"}}"#,
            ],
            calls: [weather]),
        ToolCallCase(
            testDescription: "parallel calls by index",
            fragments: [
                #"{"index":0,"id":"call_a","function":{"name":"weather","arguments":"{\"city\":"}}"#,
                #"{"index":0,"function":{"arguments":"\"Köln\"}"}}"#,
                #"{"index":1,"id":"call_b","function":{"name":"time","arguments":""}}"#,
                #"{"index":1,"function":{"arguments":"{}"}}"#,
            ],
            calls: [weather, time]),
        ToolCallCase(
            testDescription: "whole calls without an index",
            fragments: [
                #"{"id":"call_a","function":{"name":"weather","arguments":"{\"city\":\"Köln\"}"}}"#,
                #"{"id":"call_b","function":{"name":"time","arguments":"{}"}}"#,
            ],
            calls: [weather, time]),
        ToolCallCase(
            testDescription: "fragments without an index",
            fragments: [
                #"{"id":"call_a","function":{"name":"weather","arguments":"{\"city\":"}}"#,
                #"{"function":{"arguments":"\"Köln\"}"}}"#,
            ],
            calls: [weather]),
        ToolCallCase(
            testDescription: "every call at index 0",
            fragments: [
                #"{"index":0,"id":"call_a","function":{"name":"weather","arguments":"{\"city\":\"Köln\"}"}}"#,
                #"{"index":0,"id":"call_b","function":{"name":"time","arguments":"{}"}}"#,
            ],
            calls: [weather, time]),
        ToolCallCase(
            testDescription: "calls without ids, arguments as JSON",
            fragments: [
                #"{"function":{"name":"weather","arguments":{"city":"Köln"}}}"#, #"{"function":{"name":"time"}}"#,
            ],
            calls: [
                ["id": "call_0", "name": "weather", "arguments": ["city": "Köln"]],
                ["id": "call_1", "name": "time", "arguments": [:]],
            ]),
        ToolCallCase(
            testDescription: "arguments that are not JSON",
            fragments: [#"{"index":0,"id":"call_a","function":{"name":"weather","arguments":"{city"}}"#],
            calls: [["id": "call_a", "name": "weather", "arguments": "{city"]]),
    ]
}

struct ChatCompletionReaderTests {
    /// Reads a response, all at once or byte by byte.
    private func read(_ response: String, bytesEach count: Int) throws(ModelError) -> Transcript {
        var reader = ChatCompletionReader()
        var events: [AgentEvent] = []
        var rest = Array(response.utf8)[...]
        while !rest.isEmpty {
            try reader.read(Array(rest.prefix(count)), into: &events)
            rest = rest.dropFirst(count)
        }
        try reader.end(isCut: false, into: &events)
        return Transcript(events)
    }

    @Test(arguments: ToolCallCase.all, [1, 7, 1 << 20])
    func collectsToolCalls(_ example: ToolCallCase, bytesEach count: Int) throws {
        for reason in ["tool_calls", "stop"] {
            let chunks = example.fragments.map { Response.chunk(delta: #"{"tool_calls":[\#($0)]}"#) }
            let transcript = try read(chunks.joined() + Response.stop(reason) + Response.done, bytesEach: count)
            #expect(transcript.toolCalls == example.calls)
        }
        let together = Response.chunk(delta: #"{"tool_calls":[\#(example.fragments.joined(separator: ","))]}"#)
        #expect(try read(together + Response.done, bytesEach: count).toolCalls == example.calls)
    }

    @Test func givesACallAsSoonAsTheNextBegins() throws {
        var reader = ChatCompletionReader()
        var events: [AgentEvent] = []
        for index in 0...1 {
            let chunk = Response.chunk(
                delta: #"{"tool_calls":[{"index":\#(index),"id":"c\#(index)","function":{"name":"f","arguments":""}}]}"#
            )
            try reader.read(Array(chunk.utf8), into: &events)
            #expect(events.count == index)
        }
        #expect(reader.tokenCount == 2)
    }

    @Test(arguments: [
        (
            #"[{"index":0,"id":"a"},{"index":1,"id":"b"},{"index":0,"function":{"arguments":"x"}}]"#,
            ModelError.toolCallOutOfOrder
        ),
        (#"["x"]"#, .malformed),
    ])
    func refusesToolCalls(_ fragments: String, _ error: ModelError) {
        #expect(throws: error) {
            try self.read(Response.chunk(delta: #"{"tool_calls":\#(fragments)}"#) + Response.stop(), bytesEach: 1 << 20)
        }
    }

    @Test(arguments: [
        ("", ModelError.cut), ("\n\n", .cut), (": ping\n\n", .cut), (Response.text("x"), .cut),
        ("data: 1\n\n", .malformed), ("data: {\n\n", .malformed), ("{", .malformed), (#"{"error":null"#, .malformed),
        (#"data: {"error":{"message":"no"}}"# + "\n\n", .reported("no", mayPass: false)),
        (#"{"error":"no"}"#, .reported("no", mayPass: false)),
        (#"data: {"error":{}}"# + "\n\n", .reported("", mayPass: false)),
    ])
    func refusesWhatIsNoCompletion(_ response: String, _ error: ModelError) {
        #expect(throws: error) { try self.read(response, bytesEach: 1 << 16) }
    }

    @Test func refusesMoreThanAnAnswerHolds() {
        let filler = String(repeating: "x", count: Limits.toolPayloadBytesMax + 1)
        for arguments in ["\"\(filler)\"", "{\"x\":\"\(filler)\"}"] {
            let call = #"[{"index":0,"function":{"name":"f","arguments":\#(arguments)}}]"#
            #expect(throws: ModelError.toolCallTooLarge) {
                try self.read(Response.chunk(delta: #"{"tool_calls":\#(call)}"#) + Response.stop(), bytesEach: 1 << 16)
            }
        }
        let endless = String(repeating: " ", count: AnswerFraming.wholeBytesMax)
        for start in ["data: ", "{", " "] {
            #expect(throws: ModelError.tooLarge) { try self.read(start + endless, bytesEach: 1 << 16) }
        }
    }

    @Test func cutsAWholeAnswerShort() {
        var reader = ChatCompletionReader()
        var events: [AgentEvent] = []
        #expect(throws: ModelError.cut) {
            try reader.read(Array(#"{"choices":[]}"#.utf8), into: &events)
            try reader.end(isCut: true, into: &events)
        }
    }

    @Test(arguments: [
        #"data: {"choices":[{"index":1,"delta":{"content":"other"}},{"index":0,"delta":{"content":"x"}}]}"#,
        #"data: {"choices":[{"delta":{"content":"x","role":"assistant"}}],"obfuscation":"abc"}"#,
        #"data:{"choices":[{"index":0,"delta":{"refusal":"x","content":null}}]}"#,
        "\u{FEFF}: a comment\r\nevent: message\r\ndata: {\"choices\":[\r\ndata: {\"delta\":{\"content\":\"x\"}}]}\r",
    ])
    func toleratesDialects(_ chunk: String) throws {
        for count in [1, 1 << 20] {
            #expect(try read(chunk + "\n\n" + Response.stop(), bytesEach: count).text == "x")
        }
    }

    @Test(arguments: [
        "\u{FEFF}" + Response.text("x") + Response.done,
        "\u{FEFF} \u{0B}" + #"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}"#,
    ])
    func readsBehindAMarkHoweverItArrives(_ response: String) throws {
        for count in [1, 2, 4, 1 << 20] { #expect(try read(response, bytesEach: count).text == "x") }
    }

    @Test func saysNothingAfterTheEnd() throws {
        #expect(try read(Response.text("x") + Response.done + Response.text("y"), bytesEach: 1 << 20).text == "x")
    }

    @Test func keepsTheLastUsage() throws {
        var reader = ChatCompletionReader()
        var events: [AgentEvent] = []
        let chunk = #"data: {"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"# + "\n\n"
        try reader.read(Array((chunk + Response.usage + Response.text("x")).utf8), into: &events)
        #expect(reader.usage == Usage(promptTokens: 9, completionTokens: 2, totalTokens: 11, model: "m-1"))
    }

    @Test func leavesOutStreamOptionsForServersThatRefuseThem() throws {
        var settings = ModelSettings(baseURL: "http://h", model: "m")
        settings.parameters = ["stream_options": nil]
        let body = try JSONValue(parsing: ChatCompletionRequest.body(.asking(), settings)).object
        #expect(body?["stream_options"] == nil)
        #expect(body?["stream"] == true)
    }
}
