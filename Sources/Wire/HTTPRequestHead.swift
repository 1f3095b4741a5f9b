/// The versions of HTTP that are read here.
public enum HTTPVersion: Sendable {
    /// HTTP/1.0.
    case http10
    /// HTTP/1.1.
    case http11
}

/// A request without its body, checked and taken apart (RFC 9112 section 3).
public struct HTTPRequestHead: Sendable {
    /// Any token, in the case in which it came.
    public let method: String
    /// As it came.
    public let target: String
    /// The target's path, decoded; it has no NUL, no `.` or `..` segment, and all its slashes were written as such.
    public let path: String
    /// The target's parameters, decoded, in order; `+` is a space.
    public let query: [(name: String, value: String)]
    /// The version that the client speaks.
    public let version: HTTPVersion
    /// The header fields.
    public let headers: HTTPHeaders
    /// Host and port: of the target, if it names them, else of the `Host` header; empty if HTTP/1.0 names none.
    public let host: String
    /// The body's announced size; `nil` when it comes in chunks or there is none.
    public let contentLength: Int?
    /// Whether the body comes in chunks.
    public let isChunked: Bool
    /// Whether the connection may serve a further request.
    public let keepAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body.
    public let expectsContinue: Bool

    /// The first value of a parameter.
    public func query(_ name: String) -> String? {
        query.first { $0.name.hasSameBytes(as: name) }?.value
    }

    init(_ line: HTTPRequestLine, _ headers: HTTPHeaders) throws(HTTPParseError) {
        method = line.method
        target = line.target.target
        path = line.target.path
        query = line.target.query
        version = line.version
        self.headers = headers
        let hostHeader = try Self.host(headers, line.version)
        host = line.target.authority ?? hostHeader
        let framing = try HTTPFraming(headers, line.version)
        contentLength = framing.contentLength
        isChunked = framing.isChunked
        keepAlive =
            !headers.contains("close", in: "Connection")
            && (line.version == .http11 || headers.contains("keep-alive", in: "Connection"))
        expectsContinue = try Self.expectsContinue(headers, line.version)
    }

    private static func host(_ headers: HTTPHeaders, _ version: HTTPVersion) throws(HTTPParseError) -> String {
        let hosts = headers.all("Host")
        if hosts.isEmpty, version == .http10 { return "" }
        guard hosts.count == 1, HTTPRequestTarget.isAuthority(hosts[0].utf8) else {
            throw HTTPParseError(400, "missing, repeated or malformed Host")
        }
        return hosts[0]
    }

    private static func expectsContinue(
        _ headers: HTTPHeaders, _ version: HTTPVersion
    ) throws(HTTPParseError) -> Bool {
        let expectations = headers.tokens("Expect")
        guard expectations.allSatisfy({ equalsIgnoringCase($0, "100-continue") }) else {
            throw HTTPParseError(417, "unknown expectation")
        }
        return !expectations.isEmpty && version == .http11
    }
}

/// How the headers say where the body ends (RFC 9112 section 6.3). What two readers could see differently is refused.
struct HTTPFraming {
    let contentLength: Int?
    let isChunked: Bool

    init(_ headers: HTTPHeaders, _ version: HTTPVersion) throws(HTTPParseError) {
        let codings = headers.all("Transfer-Encoding")
        let lengths = headers.all("Content-Length")
        if !codings.isEmpty {
            guard lengths.isEmpty else { throw HTTPParseError(400, "both Content-Length and Transfer-Encoding") }
            guard version == .http11 else { throw HTTPParseError(400, "Transfer-Encoding in HTTP/1.0") }
            guard codings.count == 1, equalsIgnoringCase(codings[0], "chunked") else {
                throw HTTPParseError(501, "transfer coding other than chunked")
            }
        }
        guard lengths.count <= 1 else { throw HTTPParseError(400, "repeated Content-Length") }
        isChunked = !codings.isEmpty
        contentLength = try lengths.first.map { (text) throws(HTTPParseError) -> Int in
            guard !text.isEmpty, text.utf8.allSatisfy(isDigit) else {
                throw HTTPParseError(400, "malformed Content-Length")
            }
            guard let length = Int(text) else { throw HTTPParseError(413, "Content-Length too large") }
            return length
        }
    }
}
