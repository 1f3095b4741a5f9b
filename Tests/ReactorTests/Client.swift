import CLinux
import Glibc

@testable import Reactor

/// A blocking loopback socket whose calls give up after five seconds.
final class Client: Sendable {
    let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let address = PeerAddress(host: "127.0.0.1", port: port)!
        guard address.withSocketAddress({ connect(descriptor, $0, $1) }) == 0 else { throw SystemError("connect") }
    }

    deinit { Glibc.close(descriptor) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw SystemError("send") }
            sent += count
        }
    }

    /// Exactly so many bytes, or fewer if the stream ends before.
    func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let received = recv(descriptor, &bytes, count, Int32(MSG_WAITALL))
        guard received >= 0 else { throw SystemError("recv") }
        return Array(bytes[..<received])
    }

    func receiveText(_ count: Int) throws -> String {
        String(decoding: try receive(count), as: UTF8.self)
    }

    func shutdownWrites() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends the connection with a reset. The descriptor stays open, so that it does not name another's socket.
    func reset() {
        // Connecting a TCP socket to AF_UNSPEC disconnects it; with SO_LINGER 0 the peer gets a reset.
        Socket.discardOnClose(descriptor)
        var nowhere = sockaddr()
        connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }
}
