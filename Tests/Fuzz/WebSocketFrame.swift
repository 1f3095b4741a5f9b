/// A header is read alike however much lies behind it, and is the one way to write what it says. A mask applied in
/// pieces is the mask applied byte by byte.
func fuzzWebSocketFrame(_ input: UnsafeRawBufferPointer) {
    guard let (first, bytes) = input.cutting else { return }
    let role: WebSocketRole = first & 1 == 0 ? .client : .server
    let whole = ReadHeader(bytes, role)
    for count in 0..<bytes.count {
        let part = ReadHeader(bytes.piece(0..<count), role)
        check(part == .incomplete || part == whole, "more bytes change a header")
    }
    if case .header(let header) = whole { check(header, begins: bytes) }
    checkMask(bytes, by: first >> 1 | first << 7)
}

/// What a peer writes is read again: messages in fragments, control frames between them, masked or not.
func fuzzWebSocketWriter(_ input: UnsafeRawBufferPointer) {
    var recipe = Recipe(input)
    let (rule, role) = (recipe.byte(), recipe.byte() & 1 == 0 ? WebSocketRole.client : .server)
    var writer = MessageWriter(recipe, masks: role == .server)
    while !writer.recipe.isEmpty, writer.expected.count < 8, !writer.isClosed { writer.next() }
    var receiver = WebSocketReceiver(role: role, messageBytesMax: 1 << 16)
    var events: [WebSocketEvent] = []
    var stream = writer.stream
    stream.withUnsafeMutableBytes { buffer in
        for range in Pieces(buffer.count, by: rule) {
            do throws(WebSocketError) {
                try receiver.receive(UnsafeMutableRawBufferPointer(rebasing: buffer[range])) { events.append($0) }
            } catch {
                check(false, "the writer's own frame is refused: \(error.reason)")
            }
        }
    }
    check(events == writer.expected && receiver.isEnded == writer.isClosed, "other events than were written")
}

private enum ReadHeader: Equatable {
    case incomplete
    case header(WebSocketFrameHeader)
    case fault(UInt16)

    init(_ bytes: UnsafeRawBufferPointer, _ role: WebSocketRole) {
        do throws(WebSocketError) {
            let header = try WebSocketFrameHeader(bytes, receivedBy: role)
            self = header.map { .header($0) } ?? .incomplete
        } catch {
            self = .fault(error.closeCode.rawValue)
        }
    }

    static func == (left: ReadHeader, right: ReadHeader) -> Bool {
        switch (left, right) {
        case (.incomplete, .incomplete): true
        case (.header(let left), .header(let right)):
            left.opcode == right.opcode && left.isFinal == right.isFinal && left.payloadCount == right.payloadCount
                && left.byteCount == right.byteCount
        case (.fault(let left), .fault(let right)): left == right
        default: false
        }
    }
}

private func check(_ header: WebSocketFrameHeader, begins bytes: UnsafeRawBufferPointer) {
    check(header.byteCount <= WebSocketFrameHeader.byteCountMax && header.byteCount <= bytes.count, "too long a header")
    guard let count = Int(exactly: header.payloadCount) else { return check(false, "a payload over 2^63 bytes") }
    let start = bytes.prefix(header.byteCount)
    let key = start[1] & 0x80 == 0 ? nil : start.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    var written: [UInt8] = []
    WebSocketFrameWriter.header(
        opcode: header.opcode, payloadCount: count, fin: header.isFinal, maskKey: key, into: &written)
    check(written.elementsEqual(start), "a header that the writer writes otherwise")
}

private func checkMask(_ bytes: UnsafeRawBufferPointer, by rule: UInt8) {
    guard bytes.count >= 4 else { return }
    let key = Array(bytes.prefix(4))
    let expected = bytes.enumerated().map { $1 ^ key[$0 % 4] }
    var mask = WebSocketMask(key)
    var masked = Array(bytes)
    masked.withUnsafeMutableBytes { buffer in
        for range in Pieces(buffer.count, by: rule) {
            mask.apply(to: UnsafeMutableRawBufferPointer(rebasing: buffer[range]))
        }
    }
    check(masked == expected, "a payload unmasked wrongly")
}

/// Writes what the recipe says, and notes what a reader must see.
private struct MessageWriter {
    private(set) var recipe: Recipe
    private(set) var stream: [UInt8] = []
    private(set) var expected: [WebSocketEvent] = []
    private(set) var isClosed = false
    private let masks: Bool

    init(_ recipe: Recipe, masks: Bool) {
        self.recipe = recipe
        self.masks = masks
    }

    mutating func next() {
        let choice = recipe.byte()
        switch choice & 7 {
        case 0, 1, 2: message(.text, Array(recipe.text().utf8), fragments: Int(choice >> 5))
        case 3, 4: message(.binary, recipe.bytes(), fragments: Int(choice >> 5))
        case 5, 6: control(isPing: choice & 7 == 5)
        default: close()
        }
    }

    private mutating func key() -> UInt32? { masks ? UInt32(truncatingIfNeeded: recipe.word()) : nil }

    /// In so many further fragments, and sometimes with control frames between them.
    private mutating func message(_ opcode: WebSocketOpcode, _ payload: [UInt8], fragments: Int) {
        let payload = fragments == 7 ? Array(repeatElement(payload, count: 4).joined()) : payload
        var rest = payload[...]
        for index in 0..<fragments {
            let piece = rest.prefix(Int(recipe.byte()))
            rest = rest.dropFirst(piece.count)
            frame(index == 0 ? opcode : .continuation, Array(piece), fin: false)
            if piece.count & 1 == 1 { control(isPing: true) }
        }
        frame(fragments == 0 ? opcode : .continuation, Array(rest), fin: true)
        expected.append(opcode == .text ? .text(payload) : .binary(payload))
    }

    private mutating func control(isPing: Bool) {
        let payload = Array(recipe.bytes().prefix(WebSocketFrameWriter.controlPayloadBytesMax))
        frame(isPing ? .ping : .pong, payload, fin: true)
        expected.append(isPing ? .ping(payload) : .pong(payload))
    }

    private mutating func close() {
        let code = WebSocketCloseCode(rawValue: UInt16(truncatingIfNeeded: 1000 + recipe.word() % 4000))
        let reason = recipe.text()
        let isValid = code.isValidOnWire
        stream += WebSocketFrameWriter.close(isValid ? code : nil, reason: reason, maskKey: key())
        var cut = ""
        for scalar in reason.unicodeScalars {
            guard cut.utf8.count + UTF8.width(scalar) <= 123 else { break }
            cut.unicodeScalars.append(scalar)
        }
        expected.append(.close(code: isValid ? code : nil, reason: isValid ? Array(cut.utf8) : []))
        isClosed = true
    }

    private mutating func frame(_ opcode: WebSocketOpcode, _ payload: [UInt8], fin: Bool) {
        WebSocketFrameWriter.frame(opcode: opcode, payload: payload, fin: fin, maskKey: key(), into: &stream)
    }
}
