import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct PreviewTests {
    let scratch = Scratch()

    /// Texts around the length of a preview, of scalars of one to four bytes, and with the one that ends a C string.
    private static let texts: [String] = {
        let lengths = [-1, 0, 1, 2, 5_000].map { Limits.previewCharactersMax + $0 }
        let scalars = ["a", "\u{E9}", "\u{4E2D}", "\u{1F44B}", "\u{0}", "e\u{301}"]
        return ["", "a\u{0}b", "a\n"]
            + scalars.flatMap { scalar in lengths.map { String(repeating: scalar, count: $0) } }
            + ["a", "aa", "aaa"].map { $0 + String(repeating: "\u{1F44B}", count: 5_000) }
    }()

    private func lastMessage(_ exchange: ExchangeRecord) -> [UInt8] {
        var writer = JSONWriter()
        writer.lastMessage(exchange)
        return writer.bytes
    }

    /// Compares the newest exchange as a list has it with all of it: they must show the same.
    private func expectSamePreview(_ store: MessageStore, _ about: Comment) throws {
        let listed = try #require(
            store.answer(.listRooms(UserID("ada"), RoomPage())).rooms?.first?.lastExchange, about)
        let whole = try #require(store.answer(.history(limit: 1)).history?.last, about)
        #expect(lastMessage(listed) == lastMessage(whole), about)
        for text in [listed.text] + listed.messages.map(\.text) {
            #expect(text.unicodeScalars.count <= previewBytes, about)
        }
        #expect(
            listed.messages.map { Array($0.text.unicodeScalars.prefix(Limits.previewCharactersMax + 1)) }
                == whole.messages.map { Array($0.text.unicodeScalars.prefix(Limits.previewCharactersMax + 1)) }, about)
        #expect(listed.events.isEmpty && listed.reasoning == nil && listed.messages.allSatisfy { $0.metadata == nil })
    }

    @Test func aListShowsTheStartOfLongTextsAsOfWholeOnes() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        for (number, text) in Self.texts.enumerated() {
            let exchange = "e\(number)"
            let about: Comment = "\(text.unicodeScalars.count) scalars that start with \(text.unicodeScalars.prefix(2))"
            #expect(store.answer(.message(text, exchange: exchange)).isStored)
            #expect(store.answer(.message("and \(text)", exchange: exchange, opens: false, at: 2)).isStored)
            try expectSamePreview(store, about)
            #expect(store.answer(.finish(exchange, text)).isStored)
            try expectSamePreview(store, about)
        }
    }

    @Test func aListShowsTheStartOfAResponseThatGrows() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        #expect(store.answer(.message("q", exchange: "e")).isStored)
        var length = 0
        for piece in ["a", "\u{0}", String(repeating: "\u{1F44B}", count: 197), "b", "c", "d", "\u{E9}"] + Self.texts {
            let segment = StorageRequest.segment("e", length, piece, reasoning: (length, piece), events: [["n": 1]])
            #expect(store.answer(segment).isStored)
            length += piece.utf8.count
            try expectSamePreview(store, "\(length) bytes")
        }
    }
}
