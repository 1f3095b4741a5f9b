import Chat
import ChatProtocol
import Reactor
import Storage
import Wire

// HTTP/1.1 (RFC 9112): one request of a connection at a time, answered in order; what a client sends ahead is held.
extension HubLoop {
    func receiveHTTP(_ bytes: UnsafeMutableRawBufferPointer, on socket: Socket) {
        guard case .http(let stage) = socket.stage, !socket.closesWhenSent else { return }
        guard stage.pending == nil, socket.unsent.isEmpty else { return hold(bytes[...], on: socket, stage) }
        var rest = bytes[...]
        while !rest.isEmpty, case .http(let stage) = socket.stage {
            let hadBegun = stage.hasBegun
            var isComplete = false
            var awaitsContinue = false
            do throws(HTTPParseError) {
                let count = try stage.parser.receive(UnsafeRawBufferPointer(rebasing: rest)) { event in
                    switch event {
                    case .head(let head):
                        stage.head = head
                        awaitsContinue = head.expectsContinue
                    case .body(let piece): stage.body += piece
                    case .end: isComplete = true
                    }
                }
                rest = rest.dropFirst(count)
            } catch {
                return refuse(.unreadable(error), on: socket, stage)
            }
            // Empty lines begin no request, so they do not move the deadline either.
            if !hadBegun, stage.hasBegun { socket.deadline = loop.now + context.requestNanoseconds }
            guard isComplete, let head = stage.head else {
                if awaitsContinue { send(HTTPResponseWriter.continueResponse, on: socket) }
                return
            }
            let request = HTTPRequest(head: head, body: stage.body)
            stage.head = nil
            stage.body = []
            handle(request, on: socket, stage)
            guard loop.isOpen(socket.id), !socket.closesWhenSent else { return }
            if case .http = socket.stage, stage.pending != nil || !socket.unsent.isEmpty {
                return hold(rest, on: socket, stage)
            }
        }
        guard !rest.isEmpty else { return }
        route(UnsafeMutableRawBufferPointer(rebasing: rest), to: socket)
    }

    /// Keeps what came behind a request that is being answered; the kernel keeps the rest.
    private func hold(_ rest: Slice<UnsafeMutableRawBufferPointer>, on socket: Socket, _ stage: HTTPStage) {
        stage.held += rest
        loop.pauseReading(socket.id)
    }

    /// Answers a request that will not be read to its end, and closes behind the answer.
    func refuse(_ fault: RouteFault, on socket: Socket, _ stage: HTTPStage) {
        let path = stage.parser.path ?? ""
        let sharing = stage.parser.head.map(context.router.originRule.sharing(with:)) ?? [:]
        stage.forgetRequest()
        stage.pending = PendingRequest(
            path: path, version: .http11, keepsAlive: false, wantsBody: true, sharing: sharing)
        finish(Envelope.refusal(fault, at: now.timestamp, path: path), on: socket)
    }

    private func handle(_ request: HTTPRequest, on socket: Socket, _ stage: HTTPStage) {
        let routed = context.router.route(request, at: now.timestamp)
        stage.pending = PendingRequest(
            path: request.head.path, version: request.head.version, keepsAlive: request.head.keepAlive && !isDraining,
            wantsBody: request.head.method != "HEAD", sharing: context.router.originRule.sharing(with: request.head))
        stage.question &+= 1
        socket.deadline = nil
        switch routed {
        case .respond(let response): finish(response, on: socket)
        case .refused(let cause, let response):
            refusals.log(cause, request.head, now: loop.now)
            finish(response, on: socket)
        case .command(let user, let command, let render):
            stage.pending?.work = work(of: command, user, render)
            if stage.pending?.history != nil { return readHistory(for: socket) }
            hub.request(command, user: user, from: nextQuestion(socket, stage), now: now)
        case .webSocket: upgrade(request.head, on: socket, toEcho: false)
        case .webSocketEcho: upgrade(request.head, on: socket, toEcho: true)
        case .chat(let request): start(request, on: socket, stage)
        case .health(.alive): finish(Health.alive, on: socket)
        case .health(let probe): ask(probe, of: socket, stage)
        }
    }

    private func work(of command: ClientRequest, _ user: UserID, _ render: RouteRendering) -> PendingRequest.Work {
        guard case .historyPage(let filter, let limit, let offset) = command else { return .command(render) }
        return .history(HistoryAnswer(filter, limit: limit, offset: offset, user: user))
    }

    /// A probe asks whether the store writes and reads; the sweep answers one that waits for too long.
    private func ask(_ probe: HealthProbe, of socket: Socket, _ stage: HTTPStage) {
        stage.pending?.work = .probe(probe)
        socket.deadline = loop.now + Timeout.probe
        let mailbox = loop.mailbox
        let ref = nextQuestion(socket, stage)
        let began = WallClock.microseconds()
        context.store.check { trouble in
            mailbox.post(.probed(ref, trouble, microseconds: Int(WallClock.microseconds() - began)))
        }
    }

    func answerProbe(_ trouble: StorageTrouble?, _ microseconds: Int, on socket: Socket) {
        guard case .http(let stage) = socket.stage, let probe = stage.pending?.probe else { return }
        let report = HealthReport(
            storageMicroseconds: microseconds, storageTrouble: trouble, activeSessions: context.gauges.sessionCount,
            activeStreams: context.gauges.streamCount, streamCapacity: context.limits.streamsPerNode,
            isDraining: isDraining)
        switch probe {
        case .ready: finish(report.readiness, on: socket)
        case .alive, .detailed: finish(report.response(at: now.timestamp), on: socket)
        }
    }

    /// The store has not answered a probe in time, which is an answer too.
    func giveUpProbe(on socket: Socket) {
        let silence = StorageTrouble(reason: "the store does not answer", seconds: Int(Timeout.probe / 1_000_000_000))
        answerProbe(context.store.trouble ?? silence, Int(Timeout.probe / 1000), on: socket)
    }

    // MARK: - Answering

    /// The hub has decided.
    func answer(_ result: Result<Ack, HubError>, on socket: Socket) {
        guard case .http(let stage) = socket.stage, let pending = stage.pending else { return }
        switch pending.work {
        case .command(let rendering):
            finish(rendering.response(for: result, at: now.timestamp, path: pending.path), on: socket)
        case .history(let answer): advance(answer, result, on: socket, stage, pending)
        case .chat(let chat): advance(chat, result, on: socket, pending)
        case .immediate, .probe: preconditionFailure("an answer to what was not asked")
        }
    }

    /// Answers the request that is pending, and goes on with the next one.
    func finish(_ response: HTTPResponse, on socket: Socket) {
        guard case .http(let stage) = socket.stage, let pending = stage.pending else { return }
        guard context.memory.hasRoom(for: response.body.count) else {
            return finish(
                Envelope.refusal(.hub(.connectionMemoryFull), at: now.timestamp, path: pending.path), on: socket)
        }
        stage.pending = nil
        // A slow reader takes what time it needs; the sweep looks at its progress.
        socket.deadline = nil
        socket.closesWhenSent = !pending.keepsAlive
        send(
            HTTPResponseWriter.response(
                response.head.adding(pending.sharing), body: response.body, date: now.timestamp,
                keepAlive: pending.keepsAlive, isHead: !pending.wantsBody),
            on: socket)
    }

    /// Everything was written: what the client sent ahead has its turn, then the kernel's bytes.
    func readHeld(of socket: Socket, _ stage: HTTPStage) {
        guard !stage.isReadingHeld else { return }
        // Each held request may be answered at once, so this goes round here instead of recursing.
        stage.isReadingHeld = true
        defer { stage.isReadingHeld = false }
        while !stage.held.isEmpty, stage.pending == nil, socket.unsent.isEmpty, !socket.closesWhenSent {
            var held = stage.held
            stage.held = []
            held.withUnsafeMutableBytes { route($0, to: socket) }
        }
        if stage.pending == nil, socket.unsent.isEmpty, !socket.closesWhenSent { loop.resumeReading(socket.id) }
    }

    /// The peer was too slow to send its request.
    func timeOut(_ socket: Socket, _ stage: HTTPStage) {
        refuse(.unreadable(HTTPParseError(408, "the request took too long to arrive")), on: socket, stage)
    }
}
