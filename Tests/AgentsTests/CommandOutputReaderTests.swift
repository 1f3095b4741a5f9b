import Chat
import ChatProtocol
import Testing
import Wire

@testable import Agents

struct CommandOutputReaderTests {
    private func read(_ output: [UInt8], bytesEach count: Int = 1 << 20) throws(CommandError) -> Transcript {
        var reader = CommandOutputReader()
        var events: [AgentEvent] = []
        var rest = output[...]
        while !rest.isEmpty {
            try reader.read(Array(rest.prefix(count)), into: &events)
            rest = rest.dropFirst(count)
        }
        try reader.end(into: &events)
        return Transcript(events + (reader.finishReason.map { [.ended(.finished(reason: $0))] } ?? []))
    }

    @Test(arguments: [1, 7, 1 << 20]) func readsEveryKindOfLine(bytesEach count: Int) throws {
        let output = """
            {"type":"reasoning","delta":"Hm"}\r
            {"type":"text","delta":"Grüße 👋🏽 "}

            {"type":"tool_call","id":"c","name":"weather","arguments":{"city":"Köln"},"note":1}
            {"type":"tool_result","id":"c","name":"weather","result":["rain"]}
            {"type":"tool_call","name":"time"}
            {"type":"action","action":"open_page","url":"/papers/1"}
             {"type":"text","delta":"ende","unknown":null}
            {"type":"usage","prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"model":"m"}
            {"type":"finished"}
            """
        let transcript = try read(Array(output.utf8), bytesEach: count)
        #expect(transcript.reasoning == "Hm")
        #expect(transcript.text == "Grüße 👋🏽 ende")
        #expect(
            transcript.toolCalls == [
                ["id": "c", "name": "weather", "arguments": ["city": "Köln"], "note": 1],
                ["id": "c", "name": "weather", "result": ["rain"]],
                ["id": "call_1", "name": "time", "arguments": [:]],
                ["action": "open_page", "url": "/papers/1"],
            ])
        #expect(transcript.usage == Usage(promptTokens: 9, completionTokens: 2, totalTokens: 11, model: "m"))
        #expect(transcript.ends == [.finished(reason: "stop")])
    }

    @Test(arguments: [
        "\n{\"type\":\"text\",\"delta\":\"y\"}\n", "\nrubbish", "\n" + String(repeating: "x", count: 2 << 20),
    ])
    func passesOverWhatFollowsTheEnd(_ rest: String) throws {
        let output = #"{"type":"text","delta":"x"}"# + "\n" + #"{"type":"finished","finish_reason":"length"}"# + rest
        let transcript = try read(Array(output.utf8), bytesEach: 1 << 16)
        #expect(transcript.text == "x")
        #expect(transcript.ends == [.finished(reason: "length")])
    }

    @Test(arguments: [
        ("hello", CommandError.notAnObject, "the agent wrote a line that is not a JSON object"),
        ("[1]", .notAnObject, "the agent wrote a line that is not a JSON object"),
        (#"{"type":"text","#, .notAnObject, "the agent wrote a line that is not a JSON object"),
        ("{}", .unknownType(nil), "the agent wrote a line without a type"),
        (#"{"type":"txt"}"#, .unknownType("txt"), "the agent wrote a line of the unknown type \"txt\""),
        (
            #"{"type":"text"}"#, .badField(type: "text", field: "delta"),
            "the agent wrote a line of type text without a good delta"
        ),
        (
            #"{"type":"reasoning","delta":1}"#, .badField(type: "reasoning", field: "delta"),
            "the agent wrote a line of type reasoning without a good delta"
        ),
        (
            #"{"type":"tool_call","arguments":{}}"#, .badField(type: "tool_call", field: "name"),
            "the agent wrote a line of type tool_call without a good name"
        ),
        (
            #"{"type":"tool_result"}"#, .badField(type: "tool_result", field: "result"),
            "the agent wrote a line of type tool_result without a good result"
        ),
        (
            #"{"type":"action"}"#, .badField(type: "action", field: "action"),
            "the agent wrote a line of type action without a good action"
        ),
        (
            #"{"type":"usage","total_tokens":"7"}"#, .badField(type: "usage", field: "total_tokens"),
            "the agent wrote a line of type usage without a good total_tokens"
        ),
        (
            #"{"type":"error","message":"no\nluck"}"#, .reported("no\nluck"), "the agent reported an error: no luck"
        ),
    ])
    func refuses(_ line: String, _ error: CommandError, _ sentence: String) {
        for count in [1, 1 << 20] {
            #expect(throws: error) { try self.read(Array((line + "\n").utf8), bytesEach: count) }
        }
        #expect(error.sentence == sentence)
    }

    @Test func refusesWhatIsNotUTF8() {
        let line = Array(#"{"type":"text","delta":""#.utf8) + [0xC3, 0x28] + Array("\"}\n".utf8)
        #expect(throws: CommandError.notAnObject) { try self.read(line) }
    }

    @Test(arguments: [0, 1]) func readsALineUpToItsLimit(beyond: Int) throws {
        let frame = #"{"type":"text","delta":""}"#
        let filler = String(repeating: "x", count: CommandOutputReader.lineBytesMax - frame.utf8.count + beyond)
        let line = Array(#"{"type":"text","delta":"\#(filler)"}"#.utf8) + [0x0A]
        if beyond == 0 {
            #expect(try read(line, bytesEach: 1 << 14).text == filler)
        } else {
            #expect(throws: CommandError.lineTooLong) { try self.read(line, bytesEach: 1 << 14) }
        }
    }

    @Test func refusesAFloodOfNothing() {
        let line = Array((#"{"type":"text","delta":""}"# + String(repeating: " ", count: 1 << 19) + "\n").utf8)
        var reader = CommandOutputReader()
        var events: [AgentEvent] = []
        #expect(throws: CommandError.tooLarge) { while true { try reader.read(line, into: &events) } }
    }
}
