import Chat
import ChatProtocol
import Reactor
import Telemetry
import Wire

// WebSockets (RFC 6455): the upgrade, what arrives, and the close handshake.
extension HubLoop {
    /// Answers a handshake and turns the connection into a WebSocket of the hub, or into an echo.
    func upgrade(_ head: HTTPRequestHead, on socket: Socket, toEcho: Bool) {
        let handshake: WebSocketHandshake
        do throws(WebSocketHandshakeError) {
            handshake = try WebSocketHandshake(head)
        } catch {
            return finish(HTTPResponse(status: error.response.status, headers: error.response.headers), on: socket)
        }
        let protocols = handshake.subprotocols
        guard toEcho || protocols.isEmpty || protocols.contains(Self.subprotocol) else {
            let error = HubError(.validationError, "the subprotocol is `\(Self.subprotocol)`")
            return finish(Envelope.refusal(.hub(error), at: now.timestamp, path: "/ws"), on: socket)
        }
        let user: UserID
        switch Identity.decide(webSocket: head) {
        case .success(let decided): user = decided
        case .failure(let error):
            return finish(Envelope.refusal(.hub(error), at: now.timestamp, path: "/ws"), on: socket)
        }
        let accept = String(
            decoding: Base64.encode(SHA1.digest(WebSocketHandshake.acceptInput(handshake.key))), as: UTF8.self)
        let chosen = protocols.contains(Self.subprotocol) ? Self.subprotocol : nil
        send(WebSocketHandshake.response(accept: accept, subprotocol: chosen), on: socket)
        // A client that is gone already must not become one of its user's sockets.
        guard loop.isOpen(socket.id) else { return }
        // A request before this one may have stopped the reading.
        if socket.unsent.isEmpty { loop.resumeReading(socket.id) }
        let receiver = WebSocketReceiver(
            role: .server, messageBytesMax: context.limits.webSocketMessageBytesMax)
        socket.deadline = nil
        if toEcho {
            socket.stage = .echo(EchoStage(receiver: receiver))
            return
        }
        let ref = connectionRef(socket.id)
        let connection = hub.opened(ref, user: user, now: now)
        socket.stage = .webSocket(WebSocketStage(receiver: receiver, connection: connection))
        guard !context.router.originRule.allows(head) else { return }
        refusals.log(.page, head, now: loop.now)
        closeWebSocket(socket, .originRefused, "this page's origin is not allowed; the hub's --origins may list it")
    }

    private static let subprotocol = "hubbub.v1"

    // MARK: - Receiving

    func receiveWebSocket(_ bytes: UnsafeMutableRawBufferPointer, on socket: Socket) {
        guard case .webSocket(let stage) = socket.stage, !stage.isClosing else { return }
        stage.unansweredPings = 0
        do throws(WebSocketError) {
            try stage.receiver.receive(bytes) { stage.held.append($0) }
        } catch { stage.fault = error }
        handleHeld(on: socket, stage)
    }

    /// Takes from what arrived as much as the hub wants at present.
    private func handleHeld(on socket: Socket, _ stage: WebSocketStage) {
        while !stage.isClosing, !stage.connection.isReadingPaused, let event = stage.held.popFirst() {
            handle(event, on: socket, stage)
        }
        if stage.isClosing { stage.held = HeldEvents() }
        guard !stage.isClosing, stage.held.isEmpty else { return }
        if let fault = stage.fault { closeWebSocket(socket, fault.closeCode, fault.reason) }
    }

    /// The hub wants more of a connection: first what is held, then the kernel's bytes.
    func resumeReading(_ id: ConnectionID) {
        guard let socket = socket(id), case .webSocket(let stage) = socket.stage else { return }
        handleHeld(on: socket, stage)
        _ = account(socket)
        if !stage.connection.isReadingPaused { loop.resumeReading(id) }
    }

    private func handle(_ event: WebSocketEvent, on socket: Socket, _ stage: WebSocketStage) {
        switch event {
        case .text(let bytes): hub.received(bytes, on: stage.connection, now: now)
        case .binary: closeWebSocket(socket, .unsupportedData, "frames are text")
        case .ping(let payload): hub.control(WebSocketFrameWriter.pong(payload), on: stage.connection)
        case .pong: break
        case .close(let code, _): closeWebSocket(socket, code ?? .normalClosure, "")
        }
    }

    // MARK: - Closing

    /// Sends a `Close` frame behind the frame that is being written, and ends the connection's part in the hub.
    func closeWebSocket(_ socket: Socket, _ code: WebSocketCloseCode, _ reason: String) {
        switch socket.stage {
        case .webSocket(let stage):
            guard !stage.isClosing else { return }
            stage.isClosing = true
            let frame = WebSocketFrameWriter.close(code, reason: reason)
            hub.finish(stage.connection, with: frame, now: now)
        case .echo: socket.unsent.append(WebSocketFrameWriter.close(code, reason: reason))
        case .http: return drop(socket)
        }
        socket.closesWhenSent = true
        socket.deadline = loop.now + Timeout.close
        sendUnsent(socket)
    }

    // MARK: - Echo

    func receiveEcho(_ bytes: UnsafeMutableRawBufferPointer, on socket: Socket) {
        guard case .echo(let stage) = socket.stage, !socket.closesWhenSent else { return }
        var answers: [UInt8] = []
        var ending: (WebSocketCloseCode, String)?
        do throws(WebSocketError) {
            try stage.receiver.receive(bytes) { event in
                switch event {
                case .text(let bytes): answers += WebSocketFrameWriter.frame(text: bytes)
                case .binary(let bytes): answers += WebSocketFrameWriter.frame(binary: bytes)
                case .ping(let payload): answers += WebSocketFrameWriter.pong(payload)
                case .pong: break
                case .close(let code, _): ending = (code ?? .normalClosure, "")
                }
            }
        } catch { ending = (error.closeCode, error.reason) }
        if !answers.isEmpty { send(answers, on: socket) }
        if let ending { closeWebSocket(socket, ending.0, ending.1) }
    }
}
