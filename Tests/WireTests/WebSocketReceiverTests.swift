import Testing
import Wire

struct WebSocketReceiverTests {
    struct Reading: Equatable {
        var events: [WebSocketEvent] = []
        var closeCode: WebSocketCloseCode?
    }

    static let key: UInt32 = 0x37FA_213D
    static let bytesMax = 70_000

    /// A frame as a client sends it, every bit at the test's will.
    static func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        let opcode = WebSocketOpcode(rawValue: first & 0x0F)!
        WebSocketFrameWriter.frame(opcode: opcode, payload: payload, fin: first & 0x80 != 0, maskKey: key, into: &bytes)
        return bytes
    }

    static func read(_ pieces: [[UInt8]], _ role: WebSocketRole = .server, bytesMax: Int = bytesMax) -> Reading {
        var receiver = WebSocketReceiver(role: role, messageBytesMax: bytesMax)
        var reading = Reading()
        for piece in pieces {
            var piece = piece
            do throws(WebSocketError) {
                try piece.withUnsafeMutableBufferPointer { (buffer) throws(WebSocketError) in
                    try receiver.receive(UnsafeMutableRawBufferPointer(buffer)) { reading.events.append($0) }
                }
            } catch {
                reading.closeCode = error.closeCode
            }
        }
        return reading
    }

    static let messages: [([UInt8], [WebSocketEvent])] = [
        (frame(0x81, bytes("Hello")), [.text(bytes("Hello"))]), (frame(0x82, [0xFF, 0x00]), [.binary([0xFF, 0x00])]),
        (frame(0x81, []), [.text([])]), (frame(0x82, []), [.binary([])]),
        // RFC 6455 section 5.7: a single-frame masked text message.
        ([0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58], [.text(bytes("Hello"))]),
        (frame(0x01, bytes("Hel")) + frame(0x80, bytes("lo")), [.text(bytes("Hello"))]),
        (frame(0x02, []) + frame(0x00, [1]) + frame(0x00, []) + frame(0x80, []), [.binary([1])]),
        // A scalar, and control frames, across fragments.
        (
            frame(0x01, [0xC3]) + frame(0x89, [7]) + frame(0x8A, []) + frame(0x80, [0xA9]),
            [.ping([7]), .pong([]), .text(bytes("é"))]
        ),
        (
            frame(0x81, bytes("a")) + frame(0x82, [1, 2, 3, 4, 5, 6, 7, 8, 9]) + frame(0x81, bytes("b")),
            [.text(bytes("a")), .binary([1, 2, 3, 4, 5, 6, 7, 8, 9]), .text(bytes("b"))]
        ),
        (frame(0x89, Array(0..<125)), [.ping(Array(0..<125))]), (frame(0x88, []), [.close(code: nil, reason: [])]),
        (frame(0x88, [0x03, 0xE8]), [.close(code: .normalClosure, reason: [])]),
        (frame(0x88, [0x0F, 0xA0] + bytes("é")), [.close(code: .init(rawValue: 4000), reason: bytes("é"))]),
        (frame(0x88, [0x03, 0xE8]) + frame(0x81, bytes("late")), [.close(code: .normalClosure, reason: [])]),
        (frame(0x88, [0x03, 0xE8]) + [0xFF, 0xFF, 0xFF], [.close(code: .normalClosure, reason: [])]),
    ]

    @Test func tellsWhatItKeepsOfWhatIsIncomplete() throws {
        var receiver = WebSocketReceiver(role: .server, messageBytesMax: Self.bytesMax)
        func receive(_ bytes: ArraySlice<UInt8>) throws -> Int {
            var bytes = Array(bytes)
            try bytes.withUnsafeMutableBytes { try receiver.receive($0) { _ in } }
            return receiver.heldBytes
        }
        let ping = Self.frame(0x89, Array(0..<100))
        let (first, last) = (Self.frame(0x01, bytes("0123456789")), Self.frame(0x80, bytes("a")))
        #expect(try receive(first[..<4]) == 4, "a piece of the header")
        #expect(try receive(first[4..<9]) == 3, "and of the message")
        #expect(try receive(first[9...]) == 10)
        #expect(try receive(ping[..<56]) == 60, "a piece of a control frame inside")
        #expect(try receive(ping[56...]) == 10)
        #expect(try receive(last[...]) == 0)
    }

    @Test(arguments: messages) func readsHoweverTheBytesArrive(_ stream: [UInt8], _ events: [WebSocketEvent]) {
        expect(stream, reads: Reading(events: events)) { Self.read($0) }
    }

    @Test(arguments: [125, 126, 127, 65_535, 65_536, 70_000]) func readsEveryLengthForm(_ count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 % 128) }
        expect(Self.frame(0x81, payload), reads: Reading(events: [.text(payload)])) { Self.read($0) }
    }

    static let mistakes: [([UInt8], WebSocketCloseCode)] = [
        ([0xC1, 0x80], .protocolError), ([0xA1, 0x80], .protocolError), ([0x91, 0x80], .protocolError),
        ([0x83, 0x80], .protocolError), ([0x8B, 0x80], .protocolError), ([0x8F, 0x80], .protocolError),
        ([0x81, 0x05], .protocolError), ([0x09, 0x80], .protocolError), ([0x08, 0x80], .protocolError),
        ([0x89, 0xFE], .protocolError), ([0x88, 0xFF], .protocolError),
        ([0x82, 0xFE, 0x00, 0x7D, 0, 0, 0, 0], .protocolError),
        ([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0], .protocolError),
        ([0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .protocolError),
        (frame(0x80, []), .protocolError), (frame(0x00, [1]), .protocolError),
        (frame(0x01, []) + frame(0x81, []), .protocolError), (frame(0x02, []) + frame(0x01, []), .protocolError),
        (frame(0x81, [0xC3]), .invalidFramePayloadData), (frame(0x81, [0x41, 0xFF]), .invalidFramePayloadData),
        (frame(0x01, [0xF4, 0x90]), .invalidFramePayloadData),
        (frame(0x01, [0xED]) + frame(0x00, [0xA0]), .invalidFramePayloadData),
        (frame(0x88, [0x03]), .protocolError), (frame(0x88, [0x03, 0xE8, 0xC3]), .invalidFramePayloadData),
        ([0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], .messageTooBig),
    ]

    @Test(arguments: mistakes) func namesTheMistakeAndReadsNothingAfterIt(
        _ stream: [UInt8], _ closeCode: WebSocketCloseCode
    ) {
        let expected = Reading(events: [.pong([1])], closeCode: closeCode)
        expect(Self.frame(0x8A, [1]) + stream + Self.frame(0x81, bytes("late")), reads: expected) { Self.read($0) }
    }

    @Test func refusesAHeaderBeforeItsPayloadComes() {
        #expect(
            Self.read([Array(Self.frame(0x82, Array(repeating: 0, count: 11)).prefix(6))], bytesMax: 10).closeCode
                == .messageTooBig)
        #expect(Self.read([[0xC1, 0x80]]).closeCode == .protocolError)
    }

    @Test func refusesTextAtTheByteThatProvesItInvalid() {
        let announced = Self.frame(0x81, bytes("é") + [0xF4, 0x90] + bytes("more to come"))
        #expect(Self.read([Array(announced.prefix(9))]).closeCode == nil)
        #expect(Self.read([Array(announced.prefix(10))]).closeCode == .invalidFramePayloadData)
    }

    @Test func takesAMessageOfTheLimitAndNoneOver() {
        let five = Array(repeating: UInt8(1), count: 5)
        let atLimit = Self.frame(0x02, five) + Self.frame(0x80, five)
        let over = Self.frame(0x02, five) + Self.frame(0x80, five + [1])
        expect(atLimit, reads: Reading(events: [.binary(five + five)])) { Self.read($0, bytesMax: 10) }
        expect(over, reads: Reading(closeCode: .messageTooBig)) { Self.read($0, bytesMax: 10) }
        expect(atLimit + atLimit, reads: Reading(events: [.binary(five + five), .binary(five + five)])) {
            Self.read($0, bytesMax: 10)
        }
    }

    @Test func readsAsAClientWhatAServerWrites() {
        let stream = WebSocketFrameWriter.frame(text: bytes("é")) + WebSocketFrameWriter.ping([1])
        expect(stream, reads: Reading(events: [.text(bytes("é")), .ping([1])])) { Self.read($0, .client) }
        expect(Self.frame(0x81, []), reads: Reading(closeCode: .protocolError)) { Self.read($0, .client) }
    }

    @Test func allowsTheCloseCodesThatMayBeSent() {
        let allowed = (0...UInt16.max).filter { WebSocketCloseCode(rawValue: $0).isValidOnWire }
        #expect(allowed == Array(1000...1003) + Array(1007...1014) + Array(3000...4999))
        for code: UInt16 in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            let frame = Self.frame(0x88, [UInt8(code >> 8), UInt8(code & 0xFF)])
            #expect(Self.read([frame]) == Reading(closeCode: .protocolError))
        }
    }

    /// Thousands of idle connections must not each keep a buffer.
    @Test func ownsNoMemoryBetweenMessages() throws {
        var receiver = WebSocketReceiver(role: .server, messageBytesMax: 1000)
        let stream = Self.frame(0x01, bytes("Hel")) + Self.frame(0x89, [1, 2]) + Self.frame(0x80, bytes("lo"))
        for byte in stream {
            var piece = [byte]
            try piece.withUnsafeMutableBytes { try receiver.receive($0) { _ in } }
        }
        let buffers = Mirror(reflecting: receiver).children.compactMap { $0.value as? [UInt8] }
        #expect(buffers.count == 3 && buffers.allSatisfy { $0.capacity == 0 })
    }

    @Test func ignoresEverythingOnceEnded() {
        var receiver = WebSocketReceiver(role: .server, messageBytesMax: 10)
        var close = Self.frame(0x88, [])
        close.withUnsafeMutableBytes { bytes in try? receiver.receive(bytes) { _ in } }
        #expect(receiver.isEnded)
    }
}

struct WebSocketFrameWriterTests {
    /// RFC 6455 section 5.7.
    @Test func writesTheFramesOfTheRFC() {
        #expect(WebSocketFrameWriter.frame(text: bytes("Hello")) == [0x81, 0x05] + bytes("Hello"))
        let masked: [UInt8] = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        #expect(WebSocketFrameWriter.frame(text: bytes("Hello"), maskKey: 0x37FA_213D) == masked)
        #expect(WebSocketFrameWriter.ping(bytes("Hello")) == [0x89, 0x05] + bytes("Hello"))
        #expect(WebSocketFrameWriter.pong() == [0x8A, 0x00])
    }

    @Test(
        arguments: [
            (0, [0x82, 0]), (125, [0x82, 125]), (126, [0x82, 126, 0, 126]), (65_535, [0x82, 126, 0xFF, 0xFF]),
            (65_536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])]) func writesTheShortestLength(_ count: Int, _ header: [UInt8])
    {
        var bytes: [UInt8] = []
        WebSocketFrameWriter.header(opcode: .binary, payloadCount: count, into: &bytes)
        #expect(bytes == header)
        #expect(WebSocketFrameWriter.frame(binary: Array(repeating: 7, count: count)).count == header.count + count)
    }

    @Test func writesFragments() {
        var bytes: [UInt8] = []
        WebSocketFrameWriter.header(opcode: .text, payloadCount: 1, fin: false, into: &bytes)
        #expect(bytes == [0x01, 0x01])
    }

    @Test func cutsACloseReasonBetweenCharacters() {
        let close = WebSocketFrameWriter.close(.goingAway, reason: String(repeating: "é", count: 100))
        #expect(close.count == 2 + 2 + 122 && close[1] == 124 && close[2...3] == [0x03, 0xE9])
        #expect(WebSocketFrameWriter.close(nil) == [0x88, 0x00])
    }
}
