/// Why a request does not open a WebSocket, and how to answer it.
public enum WebSocketHandshakeError: Error, Equatable, Sendable {
    /// Not GET over HTTP/1.1 with `Upgrade: websocket` and `Connection: Upgrade`: 426, which names what is needed.
    case notAnUpgrade
    /// Another `Sec-WebSocket-Version` than 13: 426 with the one that we speak (section 4.4).
    case unsupportedVersion
    /// `Sec-WebSocket-Key` missing, repeated or not 16 bytes in Base64: 400.
    case invalidKey

    /// The answer, without a body.
    public var response: HTTPResponseHead {
        switch self {
        // A 426 names the protocol that it asks for (RFC 9110 section 15.5.22).
        case .notAnUpgrade, .unsupportedVersion:
            HTTPResponseHead(
                status: 426,
                headers: ["Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"])
        case .invalidKey: HTTPResponseHead(status: 400)
        }
    }
}

/// The server's side of the opening handshake (RFC 6455 section 4.2). SHA-1, the one thing missing, is the caller's.
public struct WebSocketHandshake: Sendable {
    /// What the client sent, and wants to see hashed.
    public let key: String
    /// The subprotocols that the client offers, the one it likes best first.
    public let subprotocols: [String]

    /// Checks an opening request (section 4.2.1).
    public init(_ head: HTTPRequestHead) throws(WebSocketHandshakeError) {
        guard head.method == "GET", head.version == .http11, head.headers.contains("websocket", in: "Upgrade"),
            head.headers.contains("upgrade", in: "Connection")
        else { throw .notAnUpgrade }
        guard head.headers.all("Sec-WebSocket-Version") == ["13"] else { throw .unsupportedVersion }
        let keys = head.headers.all("Sec-WebSocket-Key")
        guard keys.count == 1, Base64.decode(keys[0])?.count == 16 else { throw .invalidKey }
        key = keys[0]
        subprotocols = head.headers.tokens("Sec-WebSocket-Protocol").filter { $0.utf8.allSatisfy(isTokenByte) }
    }

    /// What is to be hashed by SHA-1 and written in Base64 as `Sec-WebSocket-Accept` (section 4.2.2, 5.4).
    public static func acceptInput(_ key: String) -> [UInt8] {
        Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
    }

    /// The response that opens the connection; the first frame may follow it at once.
    public static func response(accept: String, subprotocol: String?, headers: HTTPHeaders = HTTPHeaders()) -> [UInt8] {
        var head = HTTPResponseHead(status: 101, headers: headers)
        head.headers.add("Upgrade", "websocket")
        head.headers.add("Connection", "Upgrade")
        head.headers.add("Sec-WebSocket-Accept", accept)
        if let subprotocol { head.headers.add("Sec-WebSocket-Protocol", subprotocol) }
        var bytes: [UInt8] = []
        HTTPResponseWriter.appendStatusLine(head, to: &bytes)
        bytes.append(contentsOf: "\r\n".utf8)
        return bytes
    }
}
