import CLinux
import Glibc

@testable import Reactor

/// A handler that writes down what it is told, and does what a test adds.
final class Recorder: LoopHandler {
    struct Numbered: Hashable, Sendable {
        let sender: Int
        let number: Int
    }

    struct Disconnect: Equatable {
        let id: ConnectionID
        let cause: DisconnectCause
    }

    var accepted: [ConnectionID] = []
    var received: [ConnectionID: [UInt8]] = [:]
    var writable: [ConnectionID] = []
    var disconnects: [Disconnect] = []
    var messages: [Numbered] = []
    var turns = 0
    var hasWork = false

    var onAccepted: (ConnectionID) -> Void = { _ in }
    var onReceived: (ConnectionID, UnsafeMutableRawBufferPointer) -> Void = { _, _ in }
    var onWritable: (ConnectionID) -> Void = { _ in }
    var onDisconnected: (ConnectionID) -> Void = { _ in }

    func accepted(_ id: ConnectionID, peer: PeerAddress) {
        accepted.append(id)
        onAccepted(id)
    }

    func received(_ id: ConnectionID, _ bytes: UnsafeMutableRawBufferPointer) {
        received[id, default: []] += bytes
        onReceived(id, bytes)
    }

    func writable(_ id: ConnectionID) {
        writable.append(id)
        onWritable(id)
    }

    func disconnected(_ id: ConnectionID, _ cause: DisconnectCause) {
        disconnects.append(Disconnect(id: id, cause: cause))
        onDisconnected(id)
    }

    func handle(_ message: Numbered) { messages.append(message) }

    func turnEnded() {
        turns += 1
        hasWork = false
    }

    func text(_ id: ConnectionID) -> String { String(decoding: received[id] ?? [], as: UTF8.self) }
}

/// A loop that the test turns by hand, on its own thread.
final class HandTurnedLoop {
    struct NothingHappened: Error {}

    let recorder = Recorder()
    let loop: EventLoop<Recorder>
    let port: UInt16

    init(port: UInt16 = 0, reusePort: Bool = false) throws {
        loop = try EventLoop(index: 0, mailbox: try Mailbox())
        loop.handler = recorder
        self.port = try loop.listen(host: "127.0.0.1", port: port, reusePort: reusePort)
    }

    /// One turn that does not sleep.
    func turnOnce() {
        loop.mailbox.submit { _ in }
        loop.turn()
    }

    /// Turns until the condition holds, and fails rather than hang.
    func turn(until condition: () -> Bool) throws {
        var isLate = false
        let limit = loop.schedule(at: loop.readClock() + 10_000_000_000) { isLate = true }
        while !condition() {
            if isLate { throw NothingHappened() }
            loop.turn()
        }
        loop.cancel(limit)
    }

    func connect() throws -> (Client, ConnectionID) {
        let before = recorder.accepted.count
        let client = try Client(port: port)
        try turn { recorder.accepted.count > before }
        return (client, recorder.accepted[before])
    }

    @discardableResult
    func write(_ id: ConnectionID, _ text: String) -> WriteResult { loop.write(id, Array(text.utf8)[...]) }
}

extension EventLoop {
    func write(_ id: ConnectionID, _ bytes: ArraySlice<UInt8>) -> WriteResult {
        bytes.withUnsafeBytes { bytes in
            let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            return withUnsafePointer(to: iovec(iov_base: base, iov_len: bytes.count)) {
                write(id, UnsafeBufferPointer(start: $0, count: 1))
            }
        }
    }
}

/// Runs a closure on a thread of its own; the test joins it.
func onThread(_ body: @escaping @Sendable () throws -> Void) throws -> SystemThread {
    try SystemThread(named: "test") {
        do { try body() } catch { fatalError("\(error)") }
    }
}
