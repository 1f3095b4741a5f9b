import Testing
import Wire

struct SSEParserTests {
    private func read(_ pieces: [[UInt8]]) -> [SSEEvent] {
        var parser = SSEParser()
        var events: [SSEEvent] = []
        for piece in pieces { try? parser.receive(piece) { events.append($0) } }
        return events
    }

    static let cases: [(String, [SSEEvent])] = [
        ("data: a\n\n", [plain("a")]), ("data: a\r\n\r\n", [plain("a")]), ("data: a\r\r", [plain("a")]),
        ("data: a\n\r\ndata: b\r\n\n", [plain("a"), plain("b")]),
        ("data: a\r\ndata: b\rdata: c\n\n", [plain("a\nb\nc")]),
        ("data:a\n\n", [plain("a")]), ("data:  a \n\n", [plain(" a ")]), ("data\n\n", [plain("")]),
        ("data\ndata\n\n", [plain("\n")]), ("data: a: b\n\n", [plain("a: b")]), ("data: é€😀\n\n", [plain("é€😀")]),
        (": comment\n\ndata: a\n: more\n\n", [plain("a")]), ("retry: 10\nunknown: 1\nDATA: a\n\n", []),
        ("event: x\ndata: a\n\ndata: b\n\n", [SSEEvent(event: "x", data: bytes("a"), id: nil), plain("b")]),
        ("event: x\n\ndata: a\n\n", [plain("a")]), ("event: x\nevent\ndata: a\n\n", [plain("a")]),
        (
            "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
            [plain("a", id: "1"), plain("b", id: "1"), plain("c")]
        ),
        ("id: 1\n\nid: a\0b\ndata: a\n\n", [plain("a", id: "1")]), ("data: cut off\n", []), ("data: cut off", []),
        ("\u{FEFF}data: a\n\n", [plain("a")]), ("\u{FEFF}\u{FEFF}data: a\n\n", []), ("\n\n\n", []),
        ("data: [DONE]\n\n\n", [plain("[DONE]")]),
    ]

    static func plain(_ data: String, id: String? = nil) -> SSEEvent {
        SSEEvent(event: nil, data: bytes(data), id: id)
    }

    @Test(arguments: cases) func readsHoweverTheBytesArrive(_ stream: String, _ events: [SSEEvent]) {
        expect(bytes(stream), reads: events, by: read)
    }

    @Test(arguments: [("data: 1234", nil), ("data: 12345", 10), ("data: 1\ndata: 2", nil), ("data: 1\ndata: 2345", 10)])
    func endsAtTheLimitAndNotBefore(_ stream: String, _ bytesMax: Int?) {
        let expected = bytesMax.map { SSEError.eventTooLarge(bytesMax: $0) }
        expect(bytes(stream), reads: expected) { pieces in
            var parser = SSEParser(eventBytesMax: 10)
            do throws(SSEError) {
                for piece in pieces { try parser.receive(piece) { _ in } }
                return nil
            } catch {
                return error
            }
        }
    }

    @Test func countsEachEventForItself() throws {
        var parser = SSEParser(eventBytesMax: 10)
        var count = 0
        try parser.receive(bytes(String(repeating: "data: 1234\n\n", count: 100))) { _ in count += 1 }
        #expect(count == 100)
    }
}
