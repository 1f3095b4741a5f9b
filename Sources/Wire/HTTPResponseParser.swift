/// A piece of a response.
public enum HTTPResponseEvent: Sendable {
    /// All but the body.
    case head(HTTPResponseHead)
    /// A piece of the body.
    case body([UInt8])
    /// The response is complete.
    case end
}

/// Reads HTTP/1.1 responses one at a time, however their bytes arrive; for clients of ours.
public struct HTTPResponseParser: Sendable {
    private let limits: HTTPLimits
    private let isHead: Bool
    private var line = HTTPLineReader()
    private var budget: Int
    private var status: Int?
    private var version = HTTPVersion.http11
    private var headers = HTTPHeaders()
    private var body: HTTPBodyReader?

    /// A parser before its first response.
    ///
    /// - Parameter isHead: the requests are HEAD, so no body follows, whatever the headers say.
    public init(limits: HTTPLimits = HTTPLimits(), isHead: Bool = false) {
        self.limits = limits
        self.isHead = isHead
        budget = limits.headBytesMax
    }

    /// Reads the next bytes up to the end of the response, and gives what they complete.
    ///
    /// - Returns: how many bytes were read: all of them, or those up to `.end`. `100 Continue` is passed over.
    /// - Throws: the fault; the connection is of no further use.
    public mutating func receive(
        _ bytes: UnsafeRawBufferPointer, _ sink: (HTTPResponseEvent) -> Void
    ) throws(HTTPParseError) -> Int {
        var rest = bytes
        while !rest.isEmpty {
            if body == nil, let head = try nextHead(&rest) {
                body = try HTTPBodyReader(framing(head), limits)
                sink(.head(head))
            }
            while let piece = try body?.next(&rest) { sink(.body(piece)) }
            if let body, body.isEnded {
                startResponse()
                sink(.end)
                break
            }
        }
        return bytes.count - rest.count
    }

    /// The connection has ended: gives the end of a body that lasts until then.
    ///
    /// - Throws: when the end came inside a response.
    public mutating func receiveEnd(_ sink: (HTTPResponseEvent) -> Void) throws(HTTPParseError) {
        if let body, body.endsWithConnection {
            startResponse()
            sink(.end)
        } else if body != nil || status != nil || !line.isAtLineStart {
            throw HTTPParseError(400, "connection ended inside a response")
        }
    }

    private mutating func startResponse() {
        budget = limits.headBytesMax
        status = nil
        headers = HTTPHeaders()
        body = nil
    }

    private mutating func nextHead(_ rest: inout UnsafeRawBufferPointer) throws(HTTPParseError) -> HTTPResponseHead? {
        let line = try line.next(
            &rest, budget: &budget, over: HTTPParseError(431, "head over \(limits.headBytesMax) bytes"))
        guard let line else { return nil }
        guard let status else {
            (version, self.status) = try statusLine(line)
            return nil
        }
        guard line.isEmpty else {
            try headers.add(line: line, countMax: limits.headerCountMax)
            return nil
        }
        let head = HTTPResponseHead(status: status, headers: headers)
        if (100..<200).contains(status), status != 101 {
            startResponse()
            return nil
        }
        return head
    }

    private func statusLine(_ line: [UInt8]) throws(HTTPParseError) -> (HTTPVersion, Int) {
        let digits = line.dropFirst(9).prefix(3)
        let isHTTP11 = line.starts(with: "HTTP/1.1 ".utf8)
        guard isHTTP11 || line.starts(with: "HTTP/1.0 ".utf8), digits.count == 3, digits.allSatisfy(isDigit),
            digits.first! != UInt8(ascii: "0"), line.count == 12 || line[12] == 0x20, line.allSatisfy(isFieldValueByte)
        else { throw HTTPParseError(400, "malformed status line") }
        return (isHTTP11 ? .http11 : .http10, digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) })
    }

    private func framing(_ head: HTTPResponseHead) throws(HTTPParseError) -> HTTPBodyFraming {
        let framing = try HTTPFraming(head.headers, version)
        if isHead || head.isBodiless { return .length(0) }
        if framing.isChunked { return .chunked }
        return framing.contentLength.map { .length($0) } ?? .untilClose
    }
}
