/// Why bytes are not an HTTP message that we take. After it, the connection has no meaning left and is closed.
public struct HTTPParseError: Error, Equatable, Sendable {
    /// The status to answer a request with.
    public let status: Int
    /// For the log and the answer's body.
    public let reason: String

    /// An error of its parts.
    public init(_ status: Int, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}

/// How much of an HTTP message is read.
public struct HTTPLimits: Sendable {
    /// Start line and header section; also a trailer section. Over it 431.
    public var headBytesMax = 32 * 1024
    /// The start line's share of the head. Over it 414.
    public var startLineBytesMax = 8 * 1024
    /// Header lines. Over it 431.
    public var headerCountMax = 100
    /// The body without its chunk framing. Over it 413.
    public var bodyBytesMax = 1 << 20

    /// The defaults.
    public init() {}
}
