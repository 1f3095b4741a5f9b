import Chat
import ChatProtocol
import Reactor
import Wire

/// How long each business of a socket may take, in nanoseconds.
enum Timeout {
    /// Between two requests of one connection.
    static let keepAlive: UInt64 = 75_000_000_000
    /// From our `Close` frame, or the end of our bytes, to the peer's.
    static let close: UInt64 = 5_000_000_000
    /// Between two comments of an event stream that has nothing to say.
    static let comment: UInt64 = 15_000_000_000
    /// For the store's answer to a probe; whoever asks gives up soon after.
    static let probe: UInt64 = 2_000_000_000
    /// For requests that wait when the server stops.
    static let answers: UInt64 = 1_000_000_000
}

// Within a second, one coarse look at every socket instead of a timer for each; a few at a time.
extension HubLoop {
    func sweep() {
        let (places, pause) = sweepRound.slice(of: sockets.count)
        for place in places {
            guard let socket = sockets[place] else { continue }
            if let deadline = socket.deadline, loop.now >= deadline {
                expire(socket)
            } else if isStuck(socket) {
                // The kernel is full, so no Close frame would get through; the client resumes.
                drop(socket)
            } else if case .webSocket(let stage) = socket.stage, !stage.isClosing, !socket.isBlocked {
                beat(socket, stage)
            } else if let chat = chat(of: socket) {
                keepAlive(socket, chat)
            }
        }
        _ = loop.schedule(at: loop.now + pause) { [unowned self] in sweep() }
    }

    /// A comment now and then keeps proxies from taking an event stream for dead.
    private func keepAlive(_ socket: Socket, _ chat: ChatExchange) {
        guard chat.hasBegun, let connection = chat.connection, loop.now >= socket.lastProgressAt + Timeout.comment
        else { return }
        hub.control(StreamEvent.comment("ping"), on: connection)
    }

    private func expire(_ socket: Socket) {
        if case .http(let stage) = socket.stage, !socket.closesWhenSent {
            if stage.pending?.probe != nil { return giveUpProbe(on: socket) }
            if stage.hasBegun { return timeOut(socket, stage) }
        }
        drop(socket)
    }

    private func isStuck(_ socket: Socket) -> Bool {
        socket.isBlocked
            && loop.now >= socket.lastProgressAt + UInt64(context.limits.noProgressSeconds) * 1_000_000_000
    }

    /// A ping after a heartbeat's silence in both directions; two without an answer end the connection. A reader that
    /// stands still would not get them: it has the time that `isStuck` gives it.
    private func beat(_ socket: Socket, _ stage: WebSocketStage) {
        let lastSign = max(
            socket.lastReceivedAt, socket.lastProgressAt, stage.connection.lastBroadcastAt, stage.lastPingAt)
        guard loop.now >= lastSign + UInt64(context.limits.heartbeatSeconds) * 1_000_000_000 else { return }
        guard stage.unansweredPings < 2 else {
            return closeWebSocket(socket, .noHeartbeat, "two heartbeats went unanswered")
        }
        stage.unansweredPings += 1
        stage.lastPingAt = loop.now
        hub.control(WebSocketFrameWriter.ping(), on: stage.connection)
    }
}
