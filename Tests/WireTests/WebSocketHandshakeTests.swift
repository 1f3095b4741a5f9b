import Testing
import Wire

struct WebSocketHandshakeTests {
    /// RFC 6455 section 1.3.
    static let valid = [
        "Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: chat, bearer.a.b-c", "Sec-WebSocket-Protocol: last",
    ]

    private func handshake(
        _ fields: [String], start: String = "GET /ws HTTP/1.1"
    ) throws -> Result<WebSocketHandshake, WebSocketHandshakeError> {
        let head = try requestHead(([start, "Host: a"] + fields).joined(separator: "\r\n") + "\r\n\r\n")
        return Result { () throws(WebSocketHandshakeError) in try WebSocketHandshake(head) }
    }

    @Test func takesTheRequestOfTheRFC() throws {
        let handshake = try handshake(Self.valid).get()
        #expect(handshake.key == "dGhlIHNhbXBsZSBub25jZQ==")
        #expect(handshake.subprotocols == ["chat", "bearer.a.b-c", "last"])
        #expect(text(WebSocketHandshake.acceptInput("k")) == "k258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    }

    @Test(arguments: [
        ("Upgrade: h2c", WebSocketHandshakeError.notAnUpgrade), ("Connection: close", .notAnUpgrade),
        ("Sec-WebSocket-Version: 8", .unsupportedVersion), ("Sec-WebSocket-Key: dGhlIHNhbXBsZQ==", .invalidKey),
        ("Sec-WebSocket-Key: not Base64 at all", .invalidKey),
    ]) func refusesOtherRequests(_ changed: String, _ error: WebSocketHandshakeError) throws {
        let name = changed.prefix { $0 != ":" }
        let others = Self.valid.filter { !$0.hasPrefix(name + ":") }
        for fields in [others + [changed], others] {
            #expect(throws: error) { try handshake(fields).get() }
        }
    }

    @Test(arguments: ["POST /ws HTTP/1.1", "GET /ws HTTP/1.0"]) func refusesOtherRequestLines(_ start: String) throws {
        #expect(throws: WebSocketHandshakeError.notAnUpgrade) { try handshake(Self.valid, start: start).get() }
    }

    @Test func namesTheVersionItSpeaks() {
        for error in [WebSocketHandshakeError.unsupportedVersion, .notAnUpgrade] {
            #expect(error.response.status == 426)
            #expect(error.response.headers.first("Sec-WebSocket-Version") == "13")
            #expect(error.response.headers.first("Upgrade") == "websocket")
        }
        #expect(WebSocketHandshakeError.invalidKey.response.status == 400)
    }

    @Test func writesTheResponse() {
        let head =
            "HTTP/1.1 101 Switching Protocols\r\n"
            + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x=\r\n"
        #expect(text(WebSocketHandshake.response(accept: "x=", subprotocol: nil)) == head + "\r\n")
        let chosen = WebSocketHandshake.response(accept: "x=", subprotocol: "chat")
        #expect(text(chosen) == head + "Sec-WebSocket-Protocol: chat\r\n\r\n")
    }
}
