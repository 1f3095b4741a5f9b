/// Writes WebSocket frames (RFC 6455 section 5.2): unmasked as a server's, or masked with a key as a client's.
public enum WebSocketFrameWriter {
    /// A control frame's payload can have no more bytes.
    public static let controlPayloadBytesMax = WebSocketFrameHeader.controlPayloadBytesMax

    /// Appends a frame's header, for a payload that is written after it.
    public static func header(
        opcode: WebSocketOpcode, payloadCount: Int, fin: Bool = true, maskKey: UInt32? = nil, into bytes: inout [UInt8]
    ) {
        precondition(!opcode.isControl || fin && payloadCount <= controlPayloadBytesMax)
        bytes.append((fin ? 0x80 : 0) | opcode.rawValue)
        let maskBit: UInt8 = maskKey == nil ? 0 : 0x80
        if payloadCount <= 125 {
            bytes.append(maskBit | UInt8(payloadCount))
        } else if payloadCount <= 0xFFFF {
            bytes.append(maskBit | 126)
            appendBigEndian(UInt16(payloadCount), to: &bytes)
        } else {
            bytes.append(maskBit | 127)
            appendBigEndian(UInt64(payloadCount), to: &bytes)
        }
        if let maskKey { appendBigEndian(maskKey, to: &bytes) }
    }

    /// Appends a whole frame.
    ///
    /// - Parameter maskKey: a client's, new and unpredictable each time (section 5.3); its first byte is the highest.
    public static func frame(
        opcode: WebSocketOpcode, payload: [UInt8], fin: Bool = true, maskKey: UInt32? = nil, into bytes: inout [UInt8]
    ) {
        bytes.reserveCapacity(bytes.count + WebSocketFrameHeader.byteCountMax + payload.count)
        header(opcode: opcode, payloadCount: payload.count, fin: fin, maskKey: maskKey, into: &bytes)
        bytes.append(contentsOf: payload)
        guard let maskKey else { return }
        var mask = WebSocketMask(key: maskKey)
        bytes.withUnsafeMutableBytes { all in
            mask.apply(to: UnsafeMutableRawBufferPointer(rebasing: all.suffix(payload.count)))
        }
    }

    /// A text message in one frame.
    public static func frame(text: [UInt8], maskKey: UInt32? = nil) -> [UInt8] {
        frame(.text, text, maskKey)
    }

    /// A binary message in one frame.
    public static func frame(binary: [UInt8], maskKey: UInt32? = nil) -> [UInt8] {
        frame(.binary, binary, maskKey)
    }

    /// A ping, of at most 125 bytes.
    public static func ping(_ payload: [UInt8] = [], maskKey: UInt32? = nil) -> [UInt8] {
        frame(.ping, payload, maskKey)
    }

    /// A pong, of at most 125 bytes.
    public static func pong(_ payload: [UInt8] = [], maskKey: UInt32? = nil) -> [UInt8] {
        frame(.pong, payload, maskKey)
    }

    /// A close frame; a reason of more than 123 bytes is cut, between two characters.
    public static func close(_ code: WebSocketCloseCode?, reason: String = "", maskKey: UInt32? = nil) -> [UInt8] {
        guard let code else { return frame(.close, [], maskKey) }
        precondition(code.isValidOnWire)
        var payload: [UInt8] = []
        appendBigEndian(code.rawValue, to: &payload)
        for scalar in reason.unicodeScalars {
            guard payload.count + UTF8.width(scalar) <= controlPayloadBytesMax else { break }
            payload.append(contentsOf: UTF8.encode(scalar)!)
        }
        return frame(.close, payload, maskKey)
    }

    private static func frame(_ opcode: WebSocketOpcode, _ payload: [UInt8], _ maskKey: UInt32?) -> [UInt8] {
        var bytes: [UInt8] = []
        frame(opcode: opcode, payload: payload, maskKey: maskKey, into: &bytes)
        return bytes
    }

    private static func appendBigEndian(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
