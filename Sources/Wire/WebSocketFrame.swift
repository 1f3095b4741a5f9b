/// What a frame carries (RFC 6455 section 5.2).
public enum WebSocketOpcode: UInt8, Sendable {
    /// A further piece of a fragmented message.
    case continuation = 0x0
    /// UTF-8 text.
    case text = 0x1
    /// Any bytes.
    case binary = 0x2
    /// The end of the connection.
    case close = 0x8
    /// To be answered by a pong.
    case ping = 0x9
    /// The answer to a ping.
    case pong = 0xA

    /// Whether it is a control frame: at most 125 bytes, never fragmented, allowed between fragments (section 5.5).
    public var isControl: Bool { rawValue >= 0x8 }
}

/// Which end of the connection this is; only a client masks its frames (RFC 6455 section 5.1).
public enum WebSocketRole: Sendable {
    /// The end that was connected to.
    case server
    /// The end that connected.
    case client
}

/// Why a connection ends (RFC 6455 section 7.4).
public struct WebSocketCloseCode: RawRepresentable, Hashable, Sendable {
    /// The code as it stands in a close frame.
    public let rawValue: UInt16

    /// A code, valid or not.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// 1000: the purpose is fulfilled.
    public static let normalClosure = WebSocketCloseCode(rawValue: 1000)
    /// 1001: a server that goes down, a browser that leaves the page.
    public static let goingAway = WebSocketCloseCode(rawValue: 1001)
    /// 1002: the peer broke the protocol.
    public static let protocolError = WebSocketCloseCode(rawValue: 1002)
    /// 1003: a type of data that this end does not take.
    public static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
    /// 1005: a close frame without a code; never on the wire.
    public static let noStatusReceived = WebSocketCloseCode(rawValue: 1005)
    /// 1006: the connection ended without a close frame; never on the wire.
    public static let abnormalClosure = WebSocketCloseCode(rawValue: 1006)
    /// 1007: text that is not UTF-8.
    public static let invalidFramePayloadData = WebSocketCloseCode(rawValue: 1007)
    /// 1008: against this end's policy.
    public static let policyViolation = WebSocketCloseCode(rawValue: 1008)
    /// 1009: a larger message than this end takes.
    public static let messageTooBig = WebSocketCloseCode(rawValue: 1009)
    /// 1010: the client needs an extension that the server did not accept.
    public static let mandatoryExtension = WebSocketCloseCode(rawValue: 1010)
    /// 1011: the server failed.
    public static let internalError = WebSocketCloseCode(rawValue: 1011)
    /// 1012: the server restarts (IANA registry).
    public static let serviceRestart = WebSocketCloseCode(rawValue: 1012)
    /// 1013: overloaded, come back later (IANA registry).
    public static let tryAgainLater = WebSocketCloseCode(rawValue: 1013)

    /// Whether a close frame may carry it: the registered codes that are meant for it, and 3000 to 4999.
    public var isValidOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// A frame's header (RFC 6455 section 5.2), checked as far as it can be without knowing the message around it.
struct WebSocketFrameHeader {
    static let byteCountMax = 14
    static let controlPayloadBytesMax = 125

    let opcode: WebSocketOpcode
    let isFinal: Bool
    let payloadCount: UInt64
    let mask: WebSocketMask
    /// The header's own size.
    let byteCount: Int

    /// Reads the header at the start of the bytes, or returns `nil` until all of it is there. Faults of the first two
    /// bytes are thrown as soon as these are there.
    init?(_ bytes: UnsafeRawBufferPointer, receivedBy role: WebSocketRole) throws(WebSocketError) {
        guard bytes.count >= 2 else { return nil }
        let (first, second) = (bytes[0], bytes[1])
        guard first & 0x70 == 0 else { throw .protocolError("reserved bit set") }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { throw .protocolError("reserved opcode") }
        let isMasked = second & 0x80 != 0
        if isMasked != (role == .server) {
            throw .protocolError(isMasked ? "masked frame from a server" : "unmasked frame from a client")
        }
        let shortCount = second & 0x7F
        isFinal = first & 0x80 != 0
        if opcode.isControl, !isFinal || shortCount > Self.controlPayloadBytesMax {
            throw .protocolError("control frame fragmented or too long")
        }
        let extendedCount = shortCount == 126 ? 2 : shortCount == 127 ? 8 : 0
        byteCount = 2 + extendedCount + (isMasked ? 4 : 0)
        guard bytes.count >= byteCount else { return nil }
        if extendedCount == 0 {
            payloadCount = UInt64(shortCount)
        } else {
            payloadCount = bytes[2..<2 + extendedCount].reduce(0) { $0 << 8 | UInt64($1) }
            guard payloadCount > (extendedCount == 2 ? 125 : 0xFFFF), payloadCount >> 63 == 0 else {
                throw .protocolError("payload length not minimal or too large")
            }
        }
        let maskStart = 2 + extendedCount
        mask = isMasked ? WebSocketMask(bytes[maskStart..<maskStart + 4]) : .none
        self.opcode = opcode
    }
}

/// The key that a client's payload is combined with, and how far into the key the payload has come.
struct WebSocketMask {
    /// Unmasked: combining with it changes nothing.
    static let none = WebSocketMask(key: 0)

    /// The key's bytes, the next one lowest.
    private var key: UInt32

    /// - Parameter key: its first byte is the highest, as RFC 6455 writes it.
    init(key: UInt32) {
        self.key = key.byteSwapped
    }

    init(_ bytes: some Collection<UInt8>) {
        key = bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Masks, or unmasks, the next bytes in place, eight at a time.  // HOT
    mutating func apply(to bytes: UnsafeMutableRawBufferPointer) {
        guard key != 0 else { return }
        let wide = UInt64(key) << 32 | UInt64(key)
        var index = 0
        while index + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            bytes.storeBytes(of: word ^ wide.littleEndian, toByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < bytes.count {
            bytes[index] ^= UInt8(truncatingIfNeeded: key)
            key = key >> 8 | key << 24
            index += 1
        }
    }
}
