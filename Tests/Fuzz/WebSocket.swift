/// However the bytes are cut, the same events are read: those that the RFC's rules give, read on the whole stream.
///
/// The first byte says which end reads, and how the rest is cut.
func fuzzWebSocket(_ input: UnsafeRawBufferPointer) {
    guard let (first, stream) = input.cutting else { return }
    let role: WebSocketRole = first & 1 == 0 ? .client : .server
    let whole = ReadFrames(stream, role, by: 0)
    check(whole == ReadFrames(stream, role, by: first >> 1 | first << 7), "the pieces change what is read")
    check(whole == ReadFrames(stream, role, by: 1), "single bytes change what is read")
    for event in whole.events { check(event) }
    compare(whole, with: StandardFrames(Array(stream), role))
}

private func check(_ event: WebSocketEvent) {
    switch event {
    case .text(let text): check(text.count <= messageBytesMax && isUTF8(text), "a bad text")
    case .binary(let binary): check(binary.count <= messageBytesMax, "a message over the limit")
    case .ping(let payload), .pong(let payload): check(payload.count <= 125, "a control frame over the limit")
    case .close(let code, let reason): check(code?.isValidOnWire != false && isUTF8(reason), "a bad close")
    }
}

/// Inside the frame that the stream's end cuts off, the receiver sees faults that the reference does not look for.
private func compare(_ read: ReadFrames, with standard: StandardFrames) {
    check(read.events == standard.events, "\(read.events) instead of \(standard.events)")
    if let code = standard.closeCode {
        check(read.closeCode == code, "\(read.closeCode.map { "\($0)" } ?? "nothing") instead of \(code)")
    } else if read.closeCode != nil {
        check(standard.isCutOff, "an error without a fault")
    }
}

/// What completes a character that was cut off, whichever it is.
let textEnds: [[UInt8]] = [
    [0x80], [0xA0], [0x90], [0x80, 0x80], [0xA0, 0x80], [0x90, 0x80], [0x80, 0x80, 0x80], [0x90, 0x80, 0x80],
]

private func isUTF8(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

private let messageBytesMax = 300

private struct ReadFrames: Equatable {
    var events: [WebSocketEvent] = []
    var closeCode: UInt16?

    init(_ stream: UnsafeRawBufferPointer, _ role: WebSocketRole, by rule: UInt8) {
        var receiver = WebSocketReceiver(role: role, messageBytesMax: messageBytesMax)
        // The receiver unmasks in place.
        var bytes = Array(stream)
        var events: [WebSocketEvent] = []
        closeCode = bytes.withUnsafeMutableBytes { buffer -> UInt16? in
            for range in Pieces(buffer.count, by: rule) {
                do throws(WebSocketError) {
                    let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[range])
                    try receiver.receive(piece) { events.append($0) }
                } catch {
                    check(receiver.isEnded, "an error that does not end the connection")
                    return error.closeCode.rawValue
                }
            }
            return nil
        }
        self.events = events
    }
}

/// RFC 6455 sections 5.2 to 5.6 and 8.1, frame by frame, on the whole stream.
private struct StandardFrames {
    var events: [WebSocketEvent] = []
    var closeCode: UInt16?
    /// The stream ends inside a frame.
    var isCutOff = false
    private var message: [UInt8] = []
    private var isText: Bool?

    init(_ stream: [UInt8], _ role: WebSocketRole) {
        var rest = stream[...]
        while !rest.isEmpty, closeCode == nil {
            guard let frame = StandardFrame(&rest, role) else {
                isCutOff = true
                return
            }
            closeCode = take(frame)
            if case .close = events.last { return }
        }
    }

    private mutating func take(_ frame: StandardFrame) -> UInt16? {
        guard frame.isAllowed else { return 1002 }
        switch frame.opcode {
        case 0, 1, 2: return takeData(frame)
        case 8: return takeClose(frame.payload)
        case 9: events.append(.ping(frame.payload))
        default: events.append(.pong(frame.payload))
        }
        return nil
    }

    private mutating func takeData(_ frame: StandardFrame) -> UInt16? {
        guard (frame.opcode == 0) == (isText != nil) else { return 1002 }
        guard frame.announcedCount <= UInt64(messageBytesMax - message.count) else { return 1009 }
        let isText = self.isText ?? (frame.opcode == 1)
        self.isText = isText
        message += frame.payload
        if isText, !Self.canBegin(text: message, isWhole: frame.isFinal) { return 1007 }
        guard frame.isFinal else { return nil }
        events.append(isText ? .text(message) : .binary(message))
        (self.isText, message) = (nil, [])
        return nil
    }

    private mutating func takeClose(_ payload: [UInt8]) -> UInt16? {
        guard !payload.isEmpty else {
            events.append(.close(code: nil, reason: []))
            return nil
        }
        guard payload.count >= 2 else { return 1002 }
        let code = WebSocketCloseCode(rawValue: UInt16(payload[0]) * 256 + UInt16(payload[1]))
        guard code.isValidOnWire else { return 1002 }
        let reason = Array(payload[2...])
        guard isUTF8(reason) else { return 1007 }
        events.append(.close(code: code, reason: reason))
        return nil
    }

    /// Whether some text begins with these bytes: they are text with a few more behind them, or without.
    private static func canBegin(text: [UInt8], isWhole: Bool) -> Bool {
        if isUTF8(text) { return true }
        if isWhole { return false }
        return textEnds.contains { isUTF8(text + $0) }
    }
}

private struct StandardFrame {
    let opcode: UInt8
    let isFinal: Bool
    let announcedCount: UInt64
    let payload: [UInt8]
    let isAllowed: Bool

    /// Takes a frame off the front; `nil` if it is not all there. What is against the rules needs not be there.
    init?(_ rest: inout ArraySlice<UInt8>, _ role: WebSocketRole) {
        guard rest.count >= 2 else { return nil }
        let (first, second) = (rest[rest.startIndex], rest[rest.startIndex + 1])
        (opcode, isFinal) = (first & 0x0F, first & 0x80 != 0)
        let (isMasked, short) = (second & 0x80 != 0, Int(second & 0x7F))
        let isKnown = [0, 1, 2, 8, 9, 10].contains(opcode) && first & 0x70 == 0
        guard isKnown, isMasked == (role == .server), opcode < 8 || (isFinal && short <= 125) else {
            (announcedCount, payload, isAllowed) = (0, [], false)
            return
        }
        let lengthCount = short == 126 ? 2 : short == 127 ? 8 : 0
        let headerCount = 2 + lengthCount + (isMasked ? 4 : 0)
        guard rest.count >= headerCount else { return nil }
        let header = Array(rest.prefix(headerCount))
        let long = header[2..<2 + lengthCount].reduce(UInt64(0)) { $0 * 256 + UInt64($1) }
        announcedCount = lengthCount == 0 ? UInt64(short) : long
        guard lengthCount == 0 || long > (lengthCount == 2 ? 125 : 65_535), long < 1 << 63 else {
            (payload, isAllowed) = ([], false)
            return
        }
        isAllowed = true
        // A message that is too large is refused at its header.
        let count = announcedCount > UInt64(messageBytesMax) && opcode < 8 ? 0 : Int(announcedCount)
        guard rest.count >= headerCount + count else { return nil }
        let key = isMasked ? Array(header.suffix(4)) : [0, 0, 0, 0]
        payload = rest.dropFirst(headerCount).prefix(count).enumerated().map { $1 ^ key[$0 % 4] }
        rest = rest.dropFirst(headerCount + count)
    }
}
