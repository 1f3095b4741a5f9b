import ChatProtocol
import Testing
import Wire

/// The page for client authors says what the code does.
@Suite struct CatalogueTests {
    private static func lines() throws -> [Substring] {
        String(decoding: try GoldenFrames.bytes("../README.md"), as: UTF8.self).split(separator: "\n")
    }

    private static func examples() throws -> [JSONObject] {
        try lines().filter { $0.hasPrefix("{") }.map {
            try #require(try JSONValue(parsing: Array($0.utf8)).object)
        }
    }

    @Test func everyClientFrameIsShownByAnExampleThatDecodes() throws {
        var shown: Set<ClientFrameType> = []
        for example in try Self.examples() {
            guard let type = example["type"]?.string.flatMap(ClientFrameType.init) else { continue }
            let frame = try ClientFrame.decode(JSONValue.object(example).compact, offersSynthetic: true)
            #expect(frame.type == type)
            if case .send(let send) = frame.request, send.agentType == "synthetic" {
                #expect(throws: Never.self) { try SyntheticScript(parsing: send.text) }
            }
            shown.insert(type)
        }
        #expect(shown == Set(ClientFrameType.allCases))
    }

    @Test(arguments: ErrorCode.allCases)
    func everyErrorCodeIsExplained(_ code: ErrorCode) throws {
        #expect(try Self.lines().contains { $0.hasPrefix("| `") && $0.contains("`\(code.rawValue)`") })
    }

    @Test func everyServerFrameIsExplained() throws {
        let page = try Self.lines().joined(separator: "\n")
        for name in try GoldenFrames.names(in: "valid", prefix: "server-") {
            let type = try #require(try GoldenFrames.value("valid/\(name)").object?["type"]?.string)
            #expect(page.contains("`\(type)`") || page.contains("\"type\": \"\(type)\""), "\(type)")
        }
    }
}
