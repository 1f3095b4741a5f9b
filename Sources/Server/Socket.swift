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
    var unsent = OutgoingBytes()
    /// What the node's connections have been told that this one holds.
    var accountedBytes = 0
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

    /// What it holds outside the hub.
    var heldBytes: Int {
        let held =
            switch stage {
            case .http(let stage): stage.heldBytes
            case .webSocket(let stage): stage.receiver.heldBytes + stage.held.heldBytes
            case .echo(let stage): stage.receiver.heldBytes
            }
        return unsent.heldBytes + held
    }
}

/// An HTTP connection between or in requests. Confined to its loop.
final class HTTPStage {
    var parser: HTTPRequestParser
    var head: HTTPRequestHead?
    var body: [UInt8] = []
    /// The request that the hub is answering; nothing more is parsed until then.
    var pending: PendingRequest?
    /// Counts requests and what each asks of the hub, so that a late answer is told from the one that is waited for.
    var question: UInt32 = 0
    /// Bytes that arrived behind the pending request.
    var held: [UInt8] = []
    var isReadingHeld = false

    /// A part of a request has arrived.
    var hasBegun: Bool { head != nil || !parser.isIdle }

    var heldBytes: Int { parser.heldBytes + body.count + held.count + (pending?.history?.heldBytes ?? 0) }

    init(parser: HTTPRequestParser) { self.parser = parser }

    /// Lets go of a request that will not be read to its end.
    func forgetRequest() {
        parser = HTTPRequestParser()
        head = nil
        body = []
    }
}

/// What is needed to answer a request once the hub has decided.
struct PendingRequest {
    /// Who goes on with the request.
    enum Work {
        /// It is answered in the turn in which it came.
        case immediate
        case command(RouteRendering)
        /// Rows are read and sent part by part.
        case history(HistoryAnswer)
        /// A chat request takes several steps.
        case chat(ChatExchange)
        /// A probe waits for the store.
        case probe(HealthProbe)
    }

    var work = Work.immediate
    let path: String
    let version: HTTPVersion
    var keepsAlive: Bool
    let wantsBody: Bool
    /// What lets the page behind the request read the answer.
    let sharing: HTTPHeaders

    var history: HistoryAnswer? { if case .history(let answer) = work { answer } else { nil } }
    var chat: ChatExchange? { if case .chat(let chat) = work { chat } else { nil } }
    var probe: HealthProbe? { if case .probe(let probe) = work { probe } else { nil } }
}

/// A WebSocket of the hub. Confined to its loop.
final class WebSocketStage {
    var receiver: WebSocketReceiver
    let connection: Connection
    /// What arrived while the hub had enough to do, and the fault behind it.
    var held = HeldEvents()
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
