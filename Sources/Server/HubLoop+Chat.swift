import Chat
import ChatProtocol
import Reactor
import Wire

/// How far a chat request over HTTP has come. Confined to its loop.
final class ChatExchange {
    enum Step {
        /// Asked for the session, or for a new one.
        case session
        /// Asked whether an answer runs that the request means.
        case attaching
        /// Sent the message.
        case sending
        /// Reads the answer's events.
        case watching
        /// Asked for the whole exchange, once it has ended.
        case reading
    }

    let request: ChatRequest
    var step = Step.session
    var session: SessionRecord?
    /// The exchange that is answered, once it is known.
    var exchange: ExchangeName?
    /// The answer's cursor; what it reads is not sent on while the client waits for one JSON document.
    var connection: Connection?
    /// The head of the event stream was sent.
    var hasBegun = false

    init(_ request: ChatRequest) { self.request = request }

    /// Who asks: the user that was named, else the session's.
    var user: UserID { request.userID ?? session?.userID ?? .anonymous }
}

// Chat over HTTP (seeds 000 and 001): a session is found or opened, the message is sent, the answer is watched. A GET
// attaches to an answer that runs, or that ended since the reader's last event; what it sends while the session answers
// the very same is not sent again, which the room's home decides, because two such may come at once.
extension HubLoop {
    func start(_ request: ChatRequest, on socket: Socket, _ stage: HTTPStage) {
        let chat = ChatExchange(request)
        stage.pending?.work = .chat(chat)
        if let sessionID = request.sessionID {
            ask(.getSession(sessionID), chat, socket)
        } else {
            begin(chat, socket)
        }
    }

    /// Without a session one is opened with the message; without a room that is made with it too.
    private func begin(_ chat: ChatExchange, _ socket: Socket) {
        chat.step = .sending
        let send = chat.request.send(in: chat.request.roomID ?? RoomID(""), session: nil)
        ask(chat.request.roomID == nil ? .begin(send) : .send(send), chat, socket)
    }

    /// The hub has answered a step.
    func advance(_ chat: ChatExchange, _ result: Result<Ack, HubError>, on socket: Socket, _ pending: PendingRequest) {
        switch (chat.step, result) {
        case (_, .failure(let error)):
            endWatching(chat)
            finish(Envelope.refusal(.hub(error), at: now.timestamp, path: pending.path), on: socket)
        case (.session, .success(.session(let session))): sessionFound(session, chat, socket, pending)
        case (.attaching, .success): nothingToAttach(chat, socket)
        case (.sending, .success(.sent(let receipt))): sent(receipt, chat, socket)
        case (.sending, .success(.begun(let session, let receipt))):
            chat.session = session
            sent(receipt, chat, socket)
        case (.watching, .success): read(chat, socket)
        case (.reading, .success(.exchange(let exchange))):
            finish(ChatRendering.json(exchange, at: now.timestamp, path: pending.path), on: socket)
        default: preconditionFailure("an acknowledgement of another request")
        }
    }

    private func sessionFound(
        _ session: SessionRecord, _ chat: ChatExchange, _ socket: Socket, _ pending: PendingRequest
    ) {
        chat.session = session
        let request = chat.request
        if let roomID = request.roomID, roomID != session.roomID {
            let error = HubError(.validationError, "`room_id` must be the session's room")
            return finish(Envelope.refusal(.hub(error), at: now.timestamp, path: pending.path), on: socket)
        }
        guard request.lastEventID != nil || request.text == nil else { return send(chat, socket) }
        watch(
            WatchRequest(
                sessionID: session.sessionID, streamID: request.lastStreamID, after: request.lastEventID),
            chat, socket, .attaching)
    }

    /// No such answer runs; 204 ends an `EventSource` for good.
    private func nothingToAttach(_ chat: ChatExchange, _ socket: Socket) {
        endWatching(chat)
        finish(ChatRendering.nothingToStream, on: socket)
    }

    private func send(_ chat: ChatExchange, _ socket: Socket) {
        guard let session = chat.session else { return }
        chat.step = .sending
        ask(.send(chat.request.send(in: session.roomID, session: session.sessionID)), chat, socket)
    }

    private func sent(_ receipt: SendReceipt, _ chat: ChatExchange, _ socket: Socket) {
        chat.exchange = .id(receipt.exchangeID)
        watch(WatchRequest(sessionID: session(of: chat), streamID: receipt.streamID), chat, socket, .watching)
    }

    // MARK: - Watching

    private func watch(_ request: WatchRequest, _ chat: ChatExchange, _ socket: Socket, _ step: ChatExchange.Step) {
        guard case .http(let stage) = socket.stage else { return }
        chat.step = step
        chat.connection = hub.watch(request, user: chat.user, from: nextQuestion(socket, stage), now: now)
    }

    /// The answer's first bytes are there: the head goes before them.
    func beginEvents(on socket: Socket, _ chat: ChatExchange) {
        chat.step = .watching
        socket.deadline = nil
        guard !chat.request.wantsJSON, !chat.hasBegun, case .http(let stage) = socket.stage else { return }
        chat.hasBegun = true
        // Ends with the connection: no chunk framing around the events.
        let head = ChatRendering.eventStream.adding(stage.pending?.sharing ?? [:])
        let bytes = HTTPResponseWriter.streamHead(head, date: now.timestamp, version: .http10, keepAlive: false)
        send(bytes + StreamEvent.retry, on: socket)
    }

    /// The last event was written.
    func eventsEnded(_ chat: ChatExchange, on socket: Socket) {
        guard chat.request.wantsJSON else {
            socket.closesWhenSent = true
            return
        }
        if chat.connection?.wasRemoved == true, case .http(let stage) = socket.stage, let pending = stage.pending {
            let error = HubError(.accessDenied, "Access denied: you are no longer a member of this room")
            return advance(chat, .failure(error), on: socket, pending)
        }
        read(chat, socket)
    }

    func endWatching(_ chat: ChatExchange) {
        if let connection = chat.connection { hub.closed(connection, now: now) }
        chat.connection = nil
    }

    // MARK: - One document

    private func read(_ chat: ChatExchange, _ socket: Socket) {
        let watched = chat.connection?.watched
        endWatching(chat)
        chat.step = .reading
        guard let roomID = chat.session?.roomID, let exchange = chat.exchange ?? watched.map(ExchangeName.stream) else {
            preconditionFailure("nothing was sent, and nothing watched")
        }
        ask(.exchange(roomID, exchange), chat, socket)
    }

    // MARK: - Asking

    private func ask(_ request: ClientRequest, _ chat: ChatExchange, _ socket: Socket) {
        guard case .http(let stage) = socket.stage else { return }
        hub.request(request, user: chat.user, from: nextQuestion(socket, stage), now: now)
    }

    private func session(of chat: ChatExchange) -> SessionID { chat.session?.sessionID ?? SessionID("") }

    /// The chat request that a socket waits with, if it is one.
    func chat(of socket: Socket) -> ChatExchange? {
        guard case .http(let stage) = socket.stage else { return nil }
        return stage.pending?.chat
    }
}
