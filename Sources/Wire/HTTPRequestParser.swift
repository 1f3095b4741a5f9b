/// A piece of a request.
public enum HTTPRequestEvent: Sendable {
    /// All but the body.
    case head(HTTPRequestHead)
    /// A piece of the body.
    case body([UInt8])
    /// The request is complete.
    case end
}

/// Reads HTTP/1.1 requests (RFC 9112) one at a time, however their bytes arrive.
///
/// What two readers could understand differently is refused, since a proxy in front of us may be the other one.
/// Between requests the parser owns no heap memory.
public struct HTTPRequestParser: Sendable {
    private let limits: HTTPLimits
    private var line = HTTPLineReader()
    private var startLineBudget = 0
    private var headBudget = 0
    private var requestLine: HTTPRequestLine?
    private var headers = HTTPHeaders()
    /// Bytes of the head so far, also while the body is read.
    private var headBytes = 0
    private var body: HTTPBodyReader?
    private var failure: HTTPParseError?
    /// The path of the request whose line was read last, until it ends; also of one that was refused.
    public private(set) var path: String?
    /// The head of the request whose body is being read, until it ends; also where the body was refused.
    public private(set) var head: HTTPRequestHead?

    /// A parser before its first request.
    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        startRequest()
    }

    /// Whether nothing of a request has come yet; empty lines are none of it.
    public var isIdle: Bool { requestLine == nil && body == nil && line.isAtLineStart }

    /// What is kept of a request, without the body, which is the caller's.
    public var heldBytes: Int { isIdle ? 0 : headBytes }

    /// Reads the next bytes up to the end of the request, and gives what they complete.
    ///
    /// - Returns: how many bytes were read: all of them, or those up to `.end`; the rest belongs to the next request,
    ///   or to another protocol.
    /// - Throws: the status to answer with before closing; again at each further call.
    public mutating func receive(
        _ bytes: UnsafeRawBufferPointer, _ sink: (HTTPRequestEvent) -> Void
    ) throws(HTTPParseError) -> Int {
        if let failure { throw failure }
        do throws(HTTPParseError) {
            var rest = bytes
            while !rest.isEmpty {
                let before = rest.count
                let head = body == nil ? try nextHead(&rest) : nil
                headBytes += before - rest.count
                if let head {
                    self.head = head
                    body = try HTTPBodyReader(head.isChunked ? .chunked : .length(head.contentLength ?? 0), limits)
                    sink(.head(head))
                }
                while let piece = try body?.next(&rest) { sink(.body(piece)) }
                if let body, body.isEnded {
                    startRequest()
                    path = nil
                    self.head = nil
                    sink(.end)
                    break
                }
            }
            return bytes.count - rest.count
        } catch {
            startRequest()
            failure = error
            throw error
        }
    }

    private mutating func startRequest() {
        line = HTTPLineReader()
        startLineBudget = min(limits.startLineBytesMax, limits.headBytesMax)
        headBudget = limits.headBytesMax - startLineBudget
        requestLine = nil
        headers = HTTPHeaders()
        headBytes = 0
        body = nil
    }

    /// Reads one line of the head; the last one gives the head.
    private mutating func nextHead(_ rest: inout UnsafeRawBufferPointer) throws(HTTPParseError) -> HTTPRequestHead? {
        guard let requestLine else {
            let line = try line.next(
                &rest, budget: &startLineBudget, over: HTTPParseError(414, "request line too long"))
            // An empty line before a request is the end of a body that an old client has miscounted (section 2.2).
            guard let line, !line.isEmpty else { return nil }
            self.requestLine = try HTTPRequestLine(line)
            path = self.requestLine?.target.path
            headBudget += startLineBudget
            return nil
        }
        let line = try line.next(
            &rest, budget: &headBudget, over: HTTPParseError(431, "head over \(limits.headBytesMax) bytes"))
        guard let line else { return nil }
        if line.isEmpty { return try HTTPRequestHead(requestLine, headers) }
        try headers.add(line: line, countMax: limits.headerCountMax)
        return nil
    }
}
