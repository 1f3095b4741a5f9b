import Chat
import Reactor
import Wire

/// One accepted socket as the server's shell sees it. Confined to its loop.
final class Socket {
    enum Stage {
        case http(HTTPStage)
        case webSocket(WebSocketStage)
        /// `/ws/echo` of `--diagnostics`.
        case echo(EchoStage)
    }

    let id: ConnectionID
    var stage: Stage
    /// Bytes of HTTP responses and echoes that the kernel has not taken yet. A WebSocket of the hub sends from its
    /// outbox alone.
    var unsent: [UInt8] = []
    /// The kernel is full; `writable` will come.
    var isBlocked = false
    /// Close once everything is written.
    var closesWhenSent = false
    var lastReceivedAt: UInt64
    /// When the kernel last took bytes.
    var lastProgressAt: UInt64
    /// When this socket's present business must be over: a request's arrival, an idle wait, a close handshake.
    var deadline: UInt64?

    init(id: ConnectionID, stage: Stage, now: UInt64) {
        self.id = id
        self.stage = stage
        lastReceivedAt = now
        lastProgressAt = now
    }
}

/// An HTTP connection between or in requests. Confined to its loop.
final class HTTPStage {
    var parser: HTTPRequestParser
    var head: HTTPRequestHead?
    var body: [UInt8] = []
    /// The request that the hub is answering; nothing more is parsed until then.
    var pending: PendingRequest?
    /// Bytes that arrived behind the pending request.
    var held: [UInt8] = []
    var isReadingHeld = false

    /// A part of a request has arrived.
    var hasBegun: Bool { head != nil || !parser.isIdle }

    init(parser: HTTPRequestParser) { self.parser = parser }
}

/// What is needed to answer a request once the hub has decided.
struct PendingRequest {
    let rendering: RouteRendering?
    let path: String
    let keepsAlive: Bool
    let wantsBody: Bool
    /// What lets the page behind the request read the answer.
    let sharing: HTTPHeaders
    /// A chat request takes several steps.
    var chat: ChatExchange?
    /// A probe waits for the store.
    var probe: HealthProbe?
}

/// A WebSocket of the hub. Confined to its loop.
final class WebSocketStage {
    var receiver: WebSocketReceiver
    let connection: Connection
    /// What arrived while the hub had enough to do, the next event last, and the fault behind it.
    var held: [WebSocketEvent] = []
    var fault: WebSocketError?
    /// Pings since anything was received.
    var unansweredPings = 0
    var lastPingAt: UInt64 = 0
    /// Our `Close` frame is on its way or sent.
    var isClosing = false

    init(receiver: WebSocketReceiver, connection: Connection) {
        self.receiver = receiver
        self.connection = connection
    }
}

/// A WebSocket that gets back what it sends. Confined to its loop.
final class EchoStage {
    var receiver: WebSocketReceiver

    init(receiver: WebSocketReceiver) { self.receiver = receiver }
}
