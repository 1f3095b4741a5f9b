/// Writes HTTP/1.1 responses (RFC 9112).
public enum HTTPResponseWriter {
    /// Asks a client that expects it for its body.
    public static let continueResponse = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
    /// The end of a body in chunks.
    public static let lastChunk = Array("0\r\n\r\n".utf8)

    /// A whole response.
    ///
    /// - Parameter isHead: the request was HEAD; the body's size is told and the body left out.
    public static func response(
        _ head: HTTPResponseHead, body: [UInt8] = [], date: Timestamp, keepAlive: Bool, isHead: Bool = false
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256 + body.count)
        appendHead(head, date, keepAlive: keepAlive, to: &bytes)
        if !head.isBodiless {
            bytes.append(contentsOf: "Content-Length: ".utf8)
            appendDecimal(UInt64(body.count), to: &bytes)
            bytes.append(contentsOf: "\r\n".utf8)
        }
        bytes.append(contentsOf: "\r\n".utf8)
        if !head.isBodiless, !isHead { bytes.append(contentsOf: body) }
        return bytes
    }

    /// The head of a response whose body follows bit by bit: in chunks, or for HTTP/1.0 up to the connection's end.
    public static func streamHead(
        _ head: HTTPResponseHead, date: Timestamp, version: HTTPVersion, keepAlive: Bool
    ) -> [UInt8] {
        precondition(!head.isBodiless)
        let isChunked = version == .http11
        var bytes: [UInt8] = []
        appendHead(head, date, keepAlive: keepAlive && isChunked, to: &bytes)
        if isChunked { bytes.append(contentsOf: "Transfer-Encoding: chunked\r\n".utf8) }
        bytes.append(contentsOf: "\r\n".utf8)
        return bytes
    }

    /// Appends a piece of the body as one chunk; an empty piece writes nothing, as an empty chunk would be the last.
    public static func chunk(_ piece: [UInt8], into bytes: inout [UInt8]) {
        guard !piece.isEmpty else { return }
        bytes.append(contentsOf: String(piece.count, radix: 16).utf8)
        bytes.append(contentsOf: "\r\n".utf8)
        bytes.append(contentsOf: piece)
        bytes.append(contentsOf: "\r\n".utf8)
    }

    /// `Connection: close` is always told; `keep-alive` always too, since HTTP/1.0 clients need it.
    private static func appendHead(
        _ head: HTTPResponseHead, _ date: Timestamp, keepAlive: Bool, to bytes: inout [UInt8]
    ) {
        appendStatusLine(head, to: &bytes)
        bytes.append(contentsOf: "Date: \(date.httpDate)\r\n".utf8)
        bytes.append(contentsOf: "Connection: \(keepAlive ? "keep-alive" : "close")\r\n".utf8)
    }

    static func appendStatusLine(_ head: HTTPResponseHead, to bytes: inout [UInt8]) {
        precondition((100...999).contains(head.status))
        bytes.append(contentsOf: "HTTP/1.1 \(head.status) \(head.reasonPhrase)\r\n".utf8)
        for (name, value) in head.headers.fields {
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: ": ".utf8)
            bytes.append(contentsOf: value.utf8)
            bytes.append(contentsOf: "\r\n".utf8)
        }
    }
}
