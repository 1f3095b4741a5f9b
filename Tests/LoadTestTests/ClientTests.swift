import CLinux
import Glibc
import Testing

@testable import loadtest

/// The client's reading, over a real socket.
struct ClientTests {
    private static let large = String(repeating: "large ", count: 200_000)

    @Test(arguments: [1, 7, 5000, 1 << 20]) func framesAreReadHoweverTheyArrive(bytesAtOnce: Int) throws {
        let few = ["", "a", String(repeating: "b", count: 125), String(repeating: "c", count: 126), "é"]
        let texts = few + (bytesAtOnce < 1000 ? [] : [String(repeating: "d", count: 65_536), Self.large, "last"])
        let peer = try Peer()
        peer.write(texts.map(frame).reduce([], +), atOnce: bytesAtOnce)
        try peer.engine.run("all messages", within: 20) {
            peer.writeOn()
            return peer.client.texts.count == texts.count
        }
        #expect(peer.client.texts == texts)
    }

    @Test func aPingIsAnswered() throws {
        let peer = try Peer()
        peer.write([0x89, 2, 0x68, 0x69], atOnce: 4)
        var answer: [UInt8] = []
        try peer.engine.run("a pong", within: 5) {
            peer.writeOn()
            answer += peer.read()
            return answer.count >= 8
        }
        // Masked with a key: two bytes of header, four of key, the payload.
        #expect(Array(answer[0..<2]) == [0x8A, 0x82])
        #expect([answer[6] ^ answer[2], answer[7] ^ answer[3]] == [0x68, 0x69])
    }

    @Test(arguments: [
        ([0x88, 4, 0x0F, 0xA2, 0x68, 0x69], "closed with 4002, hi"),
        ([0x81, 0x80, 0, 0, 0, 0], "a masked frame"),
        ([0x01, 0], "a frame that begins with 1"),
        ([0x81, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0], "a message of"),
    ])
    func whatEndsAConnectionIsSaid(bytes: [UInt8], words: String) throws {
        let peer = try Peer()
        peer.write(bytes, atOnce: bytes.count)
        try peer.engine.run("the end", within: 5) {
            peer.writeOn()
            return peer.client.ending != nil
        }
        #expect(peer.client.ending?.contains(words) == true, "\(peer.client.ending ?? "")")
        #expect(!peer.client.isOpen)
    }

    @Test func aThrottledClientReadsWhatItMay() throws {
        let peer = try Peer()
        peer.client.isThrottled = true
        peer.write(frame(String(repeating: "e", count: 98)) + frame("f"), atOnce: 1000)
        peer.writeOn()
        try peer.engine.run(seconds: 0.02)
        #expect(peer.client.texts.isEmpty)
        peer.client.read(atMost: 60)
        #expect(peer.client.texts.isEmpty)
        peer.client.read(atMost: 40)
        #expect(peer.client.texts.count == 1)
        peer.client.read()
        #expect(peer.client.texts.count == 2)
    }

    private func frame(_ text: String) -> [UInt8] {
        let count = text.utf8.count
        let length: [UInt8]
        switch count {
        case ...125: length = [UInt8(count)]
        case ...65_535: length = [126] + (0..<2).map { UInt8(truncatingIfNeeded: count >> (8 - 8 * $0)) }
        default: length = [127] + (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
        }
        return [0x81] + length + Array(text.utf8)
    }
}

private final class Recorder: Client {
    var texts: [String] = []
    var ending: String?

    override func received(_ text: UnsafeRawBufferPointer) { texts.append(String(decoding: text, as: UTF8.self)) }
    override func ended(_ ending: Ending) { self.ending = "\(ending)" }
}

/// A server that has shaken hands with one client, and writes what it is told to.
private final class Peer {
    let engine: Engine
    let client: Recorder
    private let descriptor: Int32
    private var unsent: ArraySlice<UInt8> = []
    private var atOnce = 1

    init() throws {
        engine = try Engine()
        client = Recorder(engine)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bind(listener, address, length)
                _ = listen(listener, 1)
                _ = getsockname(listener, address, &length)
            }
        }
        let url = "ws://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        client.connect(to: try ServerAddress(url: url), path: "/")
        descriptor = accept(listener, nil, nil)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        let response = """
            HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n
            """
        write(Array(response.utf8), atOnce: 1000)
        try engine.run("the handshake", within: 5) {
            writeOn()
            return client.isOpen
        }
        _ = read()
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8], atOnce: Int) { (unsent, self.atOnce) = (bytes[...], atOnce) }

    /// Writes the next piece; a socket that is full gets it later.
    func writeOn() {
        guard !unsent.isEmpty else { return }
        let piece = Array(unsent.prefix(atOnce))
        let count = send(descriptor, piece, piece.count, 0)
        if count > 0 { unsent = unsent.dropFirst(count) }
    }

    func read() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(0, count)))
    }
}
