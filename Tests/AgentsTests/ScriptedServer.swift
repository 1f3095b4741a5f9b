import Dispatch
import Glibc
import Reactor
import Synchronization

/// Two threads meet here: one waits until the other has signalled. A wait that lasts too long fails the test instead
/// of hanging it.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }

    func wait() -> Bool { semaphore.wait(timeout: .now() + .seconds(60)) == .success }
}

/// What a scripted server does with one connection, step by step.
enum Step: Sendable {
    /// Reads one request with its body and remembers it.
    case readRequest
    case send(String)
    case sendBytes([UInt8])
    /// Sends without looking whether anybody is still there, and opens the gate if that is refused.
    case sendInVain(String, Gate)
    /// Goes on when the gate opens.
    case pause(Gate)
    /// Opens the gate.
    case tell(Gate)
    /// Reads until the client has closed the connection.
    case readToEnd
    /// Throws the connection away with a reset.
    case reset
}

/// An HTTP server of a few raw sockets: the n-th connection follows the n-th script, and the last script serves all
/// connections after it. A script's end closes the connection.
final class ScriptedServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let scripts: [[Step]]
    private let received = Lock<[String]>([])
    private let accepting: WorkerThread
    private let serving = Lock<[WorkerThread]>([])

    init(_ scripts: [Step]...) throws {
        self.scripts = scripts
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 128) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        precondition(isBound)
        port = UInt16(bigEndian: address.sin_port)
        accepting = try WorkerThread(name: "test-accept")
        accepting.submit { [weak self] in
            var count = 0
            while case let connection = accept(listener, nil, nil), connection >= 0 {
                guard let self else { return }
                self.serve(connection, self.scripts[min(count, self.scripts.count - 1)])
                count += 1
            }
        }
    }

    var baseURL: String { "http://127.0.0.1:\(port)/v1" }
    /// The requests so far, head and body.
    var requests: [String] { received.withLock { $0 } }

    /// Ends the threads; every script has to be able to end.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        accepting.shutdown()
        for thread in serving.withLock({ $0 }) { thread.shutdown() }
        close(listener)
    }

    private func serve(_ connection: Int32, _ script: [Step]) {
        guard let thread = try? WorkerThread(name: "test-serve") else { return }
        serving.withLock { $0.append(thread) }
        thread.submit { [self] in
            for step in script { perform(step, connection) }
            close(connection)
        }
    }

    private func perform(_ step: Step, _ connection: Int32) {
        switch step {
        case .readRequest: readRequest(connection)
        case .send(let text): _ = send(connection, Array(text.utf8))
        case .sendBytes(let bytes): _ = send(connection, bytes)
        case .sendInVain(let text, let refused): if !send(connection, Array(text.utf8)) { refused.open() }
        case .pause(let gate): _ = gate.wait()
        case .tell(let gate): gate.open()
        case .readToEnd:
            var byte: UInt8 = 0
            while recv(connection, &byte, 1, 0) > 0 {}
        case .reset:
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(connection, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
    }

    /// False if the kernel refused.
    private func send(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private func readRequest(_ connection: Int32) {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard recv(connection, &byte, 1, 0) == 1 else { return }
            bytes.append(byte)
        }
        let lines = String(decoding: bytes, as: UTF8.self).lowercased().split(separator: "\r\n")
        let length = lines.first { $0.hasPrefix("content-length:") }.flatMap { Int($0.dropFirst(16)) } ?? 0
        for _ in 0..<length {
            guard recv(connection, &byte, 1, 0) == 1 else { return }
            bytes.append(byte)
        }
        received.withLock { [bytes] in $0.append(String(decoding: bytes, as: UTF8.self)) }
    }
}

/// Responses, as servers write them.
enum Response {
    /// A stream that ends where the connection does.
    static let streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    static let chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    static let done = "data: [DONE]\n\n"

    static func whole(_ status: String, _ body: String, headers: String = "") -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
            + "\(headers)\r\n\(body)"
    }

    static func error(_ status: String, _ message: String, headers: String = "") -> String {
        whole(
            status, #"{"error":{"message":"\#(message)","type":"some_error","param":null,"code":null}}"#,
            headers: headers)
    }

    static func chunk(delta: String, finish: String = "null") -> String {
        #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":"#
            + #"[{"index":0,"delta":\#(delta),"logprobs":null,"finish_reason":\#(finish)}],"usage":null}"# + "\n\n"
    }

    static func text(_ text: String) -> String { chunk(delta: #"{"content":"\#(text)"}"#) }

    static func stop(_ reason: String = "stop") -> String { chunk(delta: "{}", finish: "\"\(reason)\"") }

    static let usage =
        #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],"#
        + #""usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"# + "\n\n"

    /// Chunked transfer coding, in pieces of so many bytes.
    static func chunked(_ text: String, bytesEach count: Int) -> [UInt8] {
        var rest = Array(text.utf8)[...]
        var result: [UInt8] = []
        while !rest.isEmpty {
            let piece = rest.prefix(count)
            result += Array(String(piece.count, radix: 16).utf8) + Array("\r\n".utf8) + piece + Array("\r\n".utf8)
            rest = rest.dropFirst(count)
        }
        return result + Array("0\r\n\r\n".utf8)
    }
}
