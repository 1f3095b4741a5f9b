import ChatProtocol
import Testing
import Wire

@testable import Server

@Suite struct HistoryPageTests {
    private func exchange(_ texts: String..., answer: String = "Based on recent research...") -> ExchangeRecord {
        var exchange = ExchangeRecord(
            exchangeID: ExchangeID("exchange_1"), streamID: StreamID("stream_1"), roomID: RoomID("room_a1b2c3d4"),
            sessionID: SessionID("session_xyz789"), userID: UserID("user_123"), agentType: "research_paper",
            startedAt: noon)
        exchange.status = .completed
        exchange.messages = texts.map {
            MessageRecord(messageID: nil, userID: exchange.userID, role: .user, text: $0, timestamp: noon)
        }
        exchange.text = answer
        exchange.usage = Usage(promptTokens: 150, completionTokens: 300, model: "gpt-4")
        exchange.endedAt = Timestamp(milliseconds: noon.milliseconds + 1250)
        return exchange
    }

    private func rows(_ document: [UInt8]) throws -> [JSONObject] {
        let data = try JSONValue(parsing: document).object?["data"]?.object
        return data?["history"]?.array?.compactMap { $0.object } ?? []
    }

    @Test func aHistoryHasTheSeedsRowsWithOurFieldsBeside() {
        var page = HistoryPage(limit: 20, offset: 19, total: 20, at: noon)
        page.add([exchange("What are the", "latest treatments?")], next: nil)
        #expect(
            String(decoding: page.takePiece(), as: UTF8.self) == """
                {"success":true,"message":"History retrieved successfully","data":{"history":[{\
                "exchange_id":"exchange_1","user_id":"user_123","session_id":"session_xyz789",\
                "room_id":"room_a1b2c3d4","agent_type":"research_paper","status":"completed",\
                "user_input":"What are the\\nlatest treatments?","agent_response":"Based on recent research...",\
                "timestamp":"2025-01-26T10:30:00.000Z",\
                "metadata":{"tokens_used":450,"response_time_ms":1250,"model":"gpt-4"}}],\
                "total":20,"page":1,"page_size":20},"timestamp":"2025-01-26T10:30:00.000Z"}
                """)
        #expect(page.isOver && page.rest(of: HistoryFilter()) == nil)
    }

    @Test(arguments: [nil, Usage(promptTokens: .max, completionTokens: .max), Usage(totalTokens: -1)])
    func aRowHasNoCountsWithoutPlausibleUsage(_ usage: Usage?) throws {
        var running = exchange("?")
        running.status = .streaming
        running.usage = usage
        running.endedAt = nil
        var page = HistoryPage(limit: 1, offset: 0, total: 1, at: noon)
        page.add([running], next: nil)
        #expect(
            try rows(page.takePiece()).first?["metadata"]
                == ["tokens_used": nil, "response_time_ms": nil, "model": nil])
    }

    @Test(arguments: [1, 100, 1 << 16], [JSONPieces.longBytes, JSONPieces.longBytes + 1, 100_000])
    func howeverItIsCutThePiecesMakeTheSameDocument(pieceBytes: Int, textBytes: Int) throws {
        // The step of the escaping falls in the midst of characters and of escapes.
        let text = String(repeating: "a\u{1}\"\\é😀", count: textBytes / 10 + 1)
        let texts = [String(text.unicodeScalars.prefix(textBytes / 2)), text]
        let (first, second) = (exchange(texts[0], answer: texts[1]), exchange("", texts[1], answer: ""))
        var page = HistoryPage(limit: 50, offset: 0, total: 7, at: noon)
        var document: [UInt8] = []
        page.add([first], next: 41)
        while case let piece = page.takePiece(pieceBytes), !piece.isEmpty { document += piece }
        #expect(!page.isOver && page.heldBytes == 0)
        page.add([second], next: nil)
        while case let piece = page.takePiece(pieceBytes), !piece.isEmpty { document += piece }
        #expect(page.isOver)
        let rows = try rows(document)
        #expect(rows.map { $0["user_input"]?.string } == [texts[0], "\n" + texts[1]])
        #expect(rows.map { $0["agent_response"]?.string } == [texts[1], ""])
    }

    @Test func thePieceOfAPageIsBoundedInEncodedBytesAndItsMemoryInPlainOnes() {
        var page = HistoryPage(limit: 50, offset: 0, total: 1, at: noon)
        let plain = 1 << 20
        page.add([exchange("?", answer: String(repeating: "\u{1}", count: plain))], next: nil)
        #expect(page.heldBytes < plain + 2_000)
        var encoded = 0
        while case let piece = page.takePiece(), !piece.isEmpty {
            #expect(piece.count <= HistoryPage.pieceBytes + 6 * JSONPieces.stepBytes)
            encoded += piece.count
        }
        #expect(encoded > 6 * plain && page.heldBytes == 0)
    }

    @Test func theRestOfAPageIsWhatItsLimitLeaves() {
        var page = HistoryPage(limit: 3, offset: 5, total: 9, at: noon)
        let filter = HistoryFilter(roomID: RoomID("room_1"))
        page.add([exchange("?"), exchange("?")], next: 17)
        let rest = page.rest(of: filter)
        #expect(rest?.limit == 1 && rest?.filter.beforeRow == 17 && rest?.filter.roomID == filter.roomID)
        page.add([exchange("?")], next: nil)
        #expect(page.rest(of: filter) == nil)
    }
}
