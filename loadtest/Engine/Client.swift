import CLinux
import Glibc
import Wire

/// A client's end of one WebSocket (RFC 6455). A subclass says what arrives. Confined to the main thread.
///
/// How it works: bytes are received into the engine's area, behind what the last read left of a frame, and frames are
/// taken out of it in place (`Client+Frames`). Nothing is copied or allocated for a frame that came whole.
///
/// Invariant: `descriptor` is open exactly while `state` is neither `idle` nor `closed`.
class Client {
    enum State {
        case idle, connecting, handshaking, open, closed
    }

    unowned let engine: Engine
    private(set) final var state = State.idle
    /// Counts the connections, so that events of an earlier one are told apart.
    private(set) final var generation: UInt32 = 0
    /// When `connect` was called.
    private(set) final var connectedAt: UInt64 = 0
    /// Whether only `read(atMost:)` reads, and not the arrival of bytes.
    final var isThrottled = false
    /// Of the kernel's buffer for what arrives, from the next `connect` on; `nil` for the kernel's own choice.
    final var receiveBufferBytes: Int?
    /// Bytes that the kernel has handed over.
    private(set) final var receivedBytes = 0
    private static let copiedBytesMax = 32 * 1024

    final var isOpen: Bool { state == .open }
    /// The beginning of a frame that was received.
    final var carry: [UInt8] = []
    /// Of the whole of that frame, as far as its header says.
    final var frameBytes = 0
    private var unsent: [UInt8] = []
    private var descriptor: Int32 = -1
    private var slot = 0
    private var request: [UInt8] = []

    init(_ engine: Engine) { self.engine = engine }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    // MARK: - For subclasses

    /// The handshake is done.
    func opened() {}
    /// A whole text message, valid during the call.
    func received(_ text: UnsafeRawBufferPointer) {}
    /// The connection ended without `close`. It may be connected again from a timer or at a turn's end.
    func ended(_ ending: Ending) { engine.fail("a connection ended: \(ending)") }

    // MARK: - Connecting

    /// Starts to connect.
    ///
    /// - Parameters:
    ///   - headers: further ones, each with its line's end.
    ///   - source: which of the machine's loopback addresses to connect from.
    final func connect(to address: ServerAddress, path: String, headers: String = "", source: Int = 0) {
        precondition(state == .idle || state == .closed)
        do throws(Failure) {
            descriptor = try address.connect(source: source, receiveBufferBytes: receiveBufferBytes)
        } catch {
            return engine.fail(error.reason)
        }
        generation &+= 1
        connectedAt = Clock.now()
        state = .connecting
        carry = []
        unsent = []
        slot = engine.add(self, descriptor)
        // Nothing caches here, so the key need not be random (section 1.3).
        request = Array(
            ("GET \(path) HTTP/1.1\r\nHost: \(address.authority)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(Self.key)\r\n\(headers)\r\n").utf8)
    }

    /// Ends the connection, without a word if `resets`; no `ended` follows.
    final func close(resets: Bool = false) {
        guard descriptor >= 0 else { return }
        if resets {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
        if state == .open { engine.openCount -= 1 }
        state = .closed
        engine.remove(slot: slot)
        Glibc.close(descriptor)
        descriptor = -1
        // A closed client among thousands keeps no memory.
        (carry, unsent, request, frameBytes) = ([], [], [], 0)
    }

    final func end(_ ending: Ending) {
        guard descriptor >= 0 else { return }
        close()
        ended(ending)
    }

    final func becomeOpen() {
        state = .open
        engine.openCount += 1
        opened()
    }

    // MARK: - Events

    final func ready(_ events: UInt32) {  // HOT
        if state == .connecting {
            var code: Int32 = 0
            var length = socklen_t(4)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
            guard code == 0 else { return end(.failed(errno: code)) }
            guard events & EPOLLOUT.rawValue != 0 else { return }
            state = .handshaking
            write(request)
            request = []
        } else if events & EPOLLOUT.rawValue != 0, !unsent.isEmpty {
            flush()
        }
        let reading = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue
        if events & reading != 0, !isThrottled || state == .handshaking { read() }
    }

    /// Receives until there is no more, or so many bytes.
    final func read(atMost limit: Int = .max) {  // HOT
        var left = limit
        while left > 0, state == .open || state == .handshaking {
            // What is left of a small frame goes before the new bytes; a large one is gathered where it is.
            let gathers = frameBytes > Self.copiedBytesMax
            let start = gathers ? 0 : carry.count
            if start > 0 { carry.withUnsafeBytes { engine.area.copyMemory(from: $0) } }
            let room = min(engine.area.count - start, left)
            let count = recv(descriptor, engine.area.baseAddress! + start, room, 0)
            guard count > 0 else {
                if count == 0 { return end(.endOfStream) }
                switch errno {
                case EAGAIN: return
                case EINTR: continue
                default: return end(.failed(errno: errno))
                }
            }
            engine.now = Clock.now()
            receivedBytes += count
            let bytes = UnsafeMutableRawBufferPointer(rebasing: engine.area[..<(start + count)])
            if gathers { gather(UnsafeRawBufferPointer(bytes)) } else { takeAndKeep(UnsafeRawBufferPointer(bytes)) }
            // Less than was asked for is all there was; what comes later is a new edge. (epoll(7), question 9)
            if count < room { return }
            left -= count
        }
    }

    private func takeAndKeep(_ bytes: UnsafeRawBufferPointer) {  // HOT
        let used = take(bytes)
        guard state == .open || state == .handshaking else { return }
        if used < bytes.count {
            carry = Array(bytes[used...])
        } else if !carry.isEmpty {
            (carry, frameBytes) = ([], 0)
        }
    }

    private func gather(_ bytes: UnsafeRawBufferPointer) {
        carry.append(contentsOf: bytes)
        guard carry.count >= frameBytes else { return }
        let whole = carry
        (carry, frameBytes) = ([], 0)
        whole.withUnsafeBytes(takeAndKeep)
    }

    // MARK: - Writing

    /// Sends a text message.
    final func send(_ text: [UInt8]) { send([text]) }

    /// Sends text messages, in one write.
    final func send(_ texts: [[UInt8]]) {
        engine.output.removeAll(keepingCapacity: true)
        for text in texts { append(.text, text) }
        write(engine.output)
    }

    final func sendPong(_ payload: [UInt8]) {
        engine.output.removeAll(keepingCapacity: true)
        append(.pong, payload)
        write(engine.output)
    }

    private func append(_ opcode: WebSocketOpcode, _ payload: [UInt8]) {
        let key = UInt32(truncatingIfNeeded: engine.random())
        WebSocketFrameWriter.frame(opcode: opcode, payload: payload, maskKey: key, into: &engine.output)
    }

    private func write(_ bytes: [UInt8]) {
        guard state == .open || state == .handshaking else { return }
        unsent.append(contentsOf: bytes)
        if unsent.count == bytes.count { flush() }
    }

    private func flush() {
        let count = Glibc.send(descriptor, unsent, unsent.count, Int32(MSG_NOSIGNAL))
        // An error shows when reading, too.
        guard count > 0 else { return }
        if count == unsent.count { unsent.removeAll(keepingCapacity: true) } else { unsent.removeFirst(count) }
    }
}

/// Why a connection ended without us.
enum Ending: CustomStringConvertible {
    /// The server refused the upgrade, by its answer's first line.
    case refused(String)
    /// The server said so.
    case closed(code: UInt16, reason: String)
    case endOfStream
    /// By `errno`.
    case failed(errno: Int32)
    /// What came is no WebSocket of a server, or none that this client reads.
    case notWebSocket(String)

    var description: String {
        switch self {
        case .refused(let line): "the server answered '\(line)'"
        case .closed(let code, let reason): "closed with \(code)\(reason.isEmpty ? "" : ", \(reason)")"
        case .endOfStream: "without a close frame"
        case .failed(let code): String(cString: strerror(code))
        case .notWebSocket(let what): what
        }
    }
}
