import Wire

/// A client's end of a WebSocket (RFC 6455). Confined to the main thread.
final class WebSocketClient {
    /// The opening handshake is done.
    private(set) var isOpen = false
    /// A whole text message.
    var received: ([UInt8]) -> Void = { _ in }

    private static let messageBytesMax = 4 << 20
    private let driver: Driver
    private let link: Link
    private var response = HTTPResponseParser()
    private var receiver = WebSocketReceiver(role: .client, messageBytesMax: messageBytesMax)

    /// Connects and asks for the upgrade.
    init(_ driver: Driver, port: UInt16, path: String) throws(Failure) {
        self.driver = driver
        link = try driver.connect(to: port)
        link.received = { [unowned self] in receive($0) }
        // Nothing caches here, so the key need not be random (section 1.3).
        let key = Base64.encode(Array("hubbub load test".utf8))
        link.send(
            Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nUpgrade: websocket\r\n".utf8)
                + Array("Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ".utf8) + key
                + Array("\r\n\r\n".utf8))
    }

    /// Sends text messages, in one write.
    func send(_ messages: [UInt8]...) { send(messages) }

    /// Sends text messages, in one write.
    func send(_ messages: [[UInt8]]) {
        var bytes: [UInt8] = []
        for message in messages {
            WebSocketFrameWriter.frame(
                opcode: .text, payload: message, maskKey: UInt32.random(in: 1 ... .max), into: &bytes)
        }
        link.send(bytes)
    }

    private func receive(_ bytes: UnsafeMutableRawBufferPointer) {  // HOT
        var rest = bytes
        if !isOpen {
            guard let count = readResponse(UnsafeRawBufferPointer(rest)) else { return }
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
        }
        do throws(WebSocketError) {
            try receiver.receive(rest) { event in
                switch event {
                case .text(let message): received(message)
                case .close(let code, let reason):
                    driver.fail("closed: \(code?.rawValue ?? 0) \(String(decoding: reason, as: UTF8.self))")
                // A run is shorter than two heartbeats, so no pong is owed.
                case .ping, .pong: break
                case .binary: driver.fail("a binary message arrived")
                }
            }
        } catch { driver.fail("not a WebSocket: \(error.reason)") }
    }

    /// Reads the handshake's response; returns its size once it is whole.
    private func readResponse(_ bytes: UnsafeRawBufferPointer) -> Int? {
        do throws(HTTPParseError) {
            let count = try response.receive(bytes) { event in
                switch event {
                case .head(let head) where head.status != 101: driver.fail("refused with status \(head.status)")
                case .head, .body: break
                case .end: isOpen = true
                }
            }
            return isOpen ? count : nil
        } catch {
            driver.fail("not HTTP: \(error)")
            return nil
        }
    }
}
