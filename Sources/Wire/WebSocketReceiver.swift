/// What a WebSocket peer sent.
public enum WebSocketEvent: Sendable, Equatable {
    /// A whole message of UTF-8 text, checked.
    case text([UInt8])
    /// A whole message of any bytes.
    case binary([UInt8])
    /// To be answered by a pong with the same bytes.
    case ping([UInt8])
    /// The answer to a ping.
    case pong([UInt8])
    /// The peer closes; nothing follows. The reason is UTF-8.
    case close(code: WebSocketCloseCode?, reason: [UInt8])
}

/// The peer's mistake that ends the connection, and the code to close with.
public struct WebSocketError: Error, Equatable, Sendable {
    /// What the close frame has to say.
    public let closeCode: WebSocketCloseCode
    /// For the log and the close frame.
    public let reason: String

    /// An error of its parts.
    public init(closeCode: WebSocketCloseCode, reason: String) {
        self.closeCode = closeCode
        self.reason = reason
    }

    static func protocolError(_ reason: String) -> WebSocketError {
        WebSocketError(closeCode: .protocolError, reason: reason)
    }

    static let invalidText = WebSocketError(closeCode: .invalidFramePayloadData, reason: "text is not UTF-8")
}

/// The receiving half of a WebSocket connection (RFC 6455), after the handshake.
///
/// Bytes go in as they come; they are unmasked where they lie. A frame that comes whole is copied once, into its event.
/// Only what is still incomplete is kept: the piece of a header, of a control frame, and of one message; each grows as
/// its bytes arrive, whatever length was announced. Between messages the receiver owns no heap memory.
/// Invariant: `message.count` plus what the frame still lacks is at most `messageBytesMax`.
public struct WebSocketReceiver: Sendable {
    private struct Frame {
        let opcode: WebSocketOpcode
        let isFinal: Bool
        var remainingCount: Int
        var mask: WebSocketMask
    }

    private let role: WebSocketRole
    private let messageBytesMax: Int
    private var headerPiece: [UInt8] = []
    private var frame: Frame?
    private var control: [UInt8] = []
    private var message: [UInt8] = []
    /// `text` or `binary` while a message is incomplete.
    private var messageOpcode: WebSocketOpcode?
    private var utf8 = UTF8Validator()

    /// Whether a close frame or an error ended the receiving; then all further bytes are ignored.
    public private(set) var isEnded = false

    /// What is kept of what is incomplete.
    public var heldBytes: Int { headerPiece.count + control.count + message.count }

    /// A receiver of a connection just opened.
    ///
    /// - Parameter messageBytesMax: a larger message fails at the header that shows it, before its payload is kept.
    public init(role: WebSocketRole, messageBytesMax: Int) {
        self.role = role
        self.messageBytesMax = messageBytesMax
    }

    /// Reads the next bytes, which it overwrites, and gives each event that they complete.  // HOT
    ///
    /// - Parameter sink: must not touch this receiver.
    /// - Throws: the reason to close; events before the mistake have been given.
    public mutating func receive(
        _ bytes: UnsafeMutableRawBufferPointer, _ sink: (WebSocketEvent) -> Void
    ) throws(WebSocketError) {
        do throws(WebSocketError) {
            var rest = bytes
            while !isEnded, try receiveFrame(&rest, sink) {}
            if isEnded { forget() }
        } catch {
            isEnded = true
            forget()
            throw error
        }
    }

    /// Reads on in one frame; false when the bytes ran out before its end.
    private mutating func receiveFrame(
        _ rest: inout UnsafeMutableRawBufferPointer, _ sink: (WebSocketEvent) -> Void
    ) throws(WebSocketError) -> Bool {
        if frame == nil {
            guard let header = try nextHeader(&rest) else { return false }
            frame = try begin(header)
        }
        let piece = rest.take(min(frame!.remainingCount, rest.count))
        frame!.mask.apply(to: piece)
        frame!.remainingCount -= piece.count
        let isComplete = frame!.remainingCount == 0
        if frame!.opcode.isControl {
            try receiveControl(frame!.opcode, UnsafeRawBufferPointer(piece), isComplete: isComplete, sink)
        } else {
            let isLast = isComplete && frame!.isFinal
            try receiveData(UnsafeRawBufferPointer(piece), isLast: isLast, sink)
        }
        if isComplete { frame = nil }
        return isComplete
    }

    private mutating func nextHeader(
        _ rest: inout UnsafeMutableRawBufferPointer
    ) throws(WebSocketError) -> WebSocketFrameHeader? {
        if headerPiece.isEmpty,
            let header = try WebSocketFrameHeader(UnsafeRawBufferPointer(rest), receivedBy: role)
        {
            _ = rest.take(header.byteCount)
            return header
        }
        while !rest.isEmpty {
            headerPiece.append(rest.take(1)[0])
            assert(headerPiece.count <= WebSocketFrameHeader.byteCountMax)
            let header = try headerPiece.withUnsafeBufferPointer { (piece) throws(WebSocketError) in
                try WebSocketFrameHeader(UnsafeRawBufferPointer(piece), receivedBy: role)
            }
            if let header {
                headerPiece = []
                return header
            }
        }
        return nil
    }

    /// Checks a header against the message it belongs to.
    private mutating func begin(_ header: WebSocketFrameHeader) throws(WebSocketError) -> Frame {
        if !header.opcode.isControl {
            if header.opcode == .continuation {
                guard messageOpcode != nil else { throw .protocolError("continuation of nothing") }
            } else {
                guard messageOpcode == nil else { throw .protocolError("message inside a fragmented message") }
                messageOpcode = header.opcode
            }
            guard header.payloadCount <= UInt64(messageBytesMax - message.count) else {
                throw WebSocketError(closeCode: .messageTooBig, reason: "message over \(messageBytesMax) bytes")
            }
        }
        return Frame(
            opcode: header.opcode, isFinal: header.isFinal, remainingCount: Int(header.payloadCount), mask: header.mask)
    }

    private mutating func receiveData(
        _ piece: UnsafeRawBufferPointer, isLast: Bool, _ sink: (WebSocketEvent) -> Void
    ) throws(WebSocketError) {
        let isText = messageOpcode == .text
        if isText {
            guard utf8.consume(piece), !isLast || utf8.isAtScalarBoundary else { throw .invalidText }
        }
        guard isLast else {
            message.append(contentsOf: piece)
            return
        }
        let whole = Self.whole(&message, piece)
        messageOpcode = nil
        sink(isText ? .text(whole) : .binary(whole))
    }

    private mutating func receiveControl(
        _ opcode: WebSocketOpcode, _ piece: UnsafeRawBufferPointer, isComplete: Bool, _ sink: (WebSocketEvent) -> Void
    ) throws(WebSocketError) {
        guard isComplete else {
            control.append(contentsOf: piece)
            return
        }
        let payload = Self.whole(&control, piece)
        switch opcode {
        case .ping: sink(.ping(payload))
        case .pong: sink(.pong(payload))
        case .close:
            let event = try closeEvent(payload)
            isEnded = true
            sink(event)
        case .continuation, .text, .binary: preconditionFailure("not a control frame")
        }
    }

    private func closeEvent(_ payload: [UInt8]) throws(WebSocketError) -> WebSocketEvent {
        if payload.isEmpty { return .close(code: nil, reason: []) }
        guard payload.count >= 2 else { throw .protocolError("close code cut off") }
        let code = WebSocketCloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
        guard code.isValidOnWire else { throw .protocolError("close code \(code.rawValue) is not allowed") }
        let reason = Array(payload[2...])
        var utf8 = UTF8Validator()
        guard reason.withUnsafeBytes({ utf8.consume($0) }), utf8.isAtScalarBoundary else { throw .invalidText }
        return .close(code: code, reason: reason)
    }

    /// What was kept and the last piece as one array; what was kept is given up.
    private static func whole(_ kept: inout [UInt8], _ last: UnsafeRawBufferPointer) -> [UInt8] {
        guard !kept.isEmpty else { return Array(last) }
        var whole: [UInt8] = []
        swap(&whole, &kept)
        whole.append(contentsOf: last)
        return whole
    }

    private mutating func forget() {
        (headerPiece, control, message) = ([], [], [])
    }
}
