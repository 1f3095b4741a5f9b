// The shell around one loop's part of the hub: socket events go in, effects come out, and at the end of each turn
// every connection with something to send gets one gathered write.
//
// Invariant: `hub.effects` is empty between turns, and a connection stands in `hub.dirty` only within one.

import Agents
import Chat
import ChatProtocol
import Glibc
import Reactor
import Telemetry
import Wire

/// One loop of the server. Confined to its loop.
final class HubLoop: LoopHandler {
    typealias Message = LoopMessage

    /// The thread that runs the loop holds both.
    unowned let loop: EventLoop<HubLoop>
    let context: ServerContext
    let hub: Hub
    private(set) var agents: AgentHost!
    /// By descriptor.
    var sockets: [Socket?] = []
    private var plan = WritePlan()
    /// Of the broadcasts under way.
    private var plans: [WritePlan] = []
    private var batch = WriteBatch()
    /// The effects under way; its memory and the hub's take turns.
    private var effects: [Effect] = []
    /// What was refused for its origin or `Host`.
    var refusals = RefusalLog()
    private var limitLines = Sampler<String>()
    /// Whose pages have a piece to write, the one that waits longest first.
    var pagesToWrite: [ConnectionID] = []
    var historyReads = HistoryReads()
    var sweepRound = SweepRound()
    private var clock = Now(instant: 0, timestamp: Timestamp(milliseconds: 0))

    init(loop: EventLoop<HubLoop>, context: ServerContext) throws(AgentConfigurationError) {
        self.loop = loop
        self.context = context
        loop.usesRing = context.configuration.usesRing
        loop.acceptedDescriptorsMax = Int32(clamping: context.acceptedDescriptorsMax)
        var random = SystemRandomNumberGenerator()
        hub = Hub(index: loop.index, configuration: context.hub, gauges: context.gauges) { random.next() }
        agents = try AgentHost(
            agents: context.configuration.agents, defaultAgent: context.configuration.defaultAgent,
            services: LoopServices(loop) { $0.agents }, library: context.library)
        hub.start(now: now)
        sweep()
    }

    /// The loop's time with the wall clock beside it, read once per turn.
    var now: Now {
        if clock.instant != loop.now {
            clock = Now(instant: loop.now, timestamp: Timestamp(milliseconds: WallClock.milliseconds()))
        }
        return clock
    }

    func socket(_ id: ConnectionID) -> Socket? {
        let index = Int(id.descriptor)
        guard index < sockets.count, let socket = sockets[index], socket.id == id else { return nil }
        return socket
    }

    func connectionRef(_ id: ConnectionID) -> ConnectionRef {
        ConnectionRef(loop: loop.index, descriptor: id.descriptor, generation: id.generation)
    }

    func connectionID(_ ref: ConnectionRef) -> ConnectionID {
        ConnectionID(descriptor: ref.descriptor, generation: ref.generation)
    }

    // MARK: - LoopHandler

    func accepted(_ id: ConnectionID, peer: PeerAddress) {
        let index = Int(id.descriptor)
        while sockets.count <= index { sockets.append(nil) }
        let parser = HTTPRequestParser(limits: context.httpLimits)
        let socket = Socket(id: id, stage: .http(HTTPStage(parser: parser)), now: loop.now)
        socket.deadline = loop.now + context.requestNanoseconds
        sockets[index] = socket
    }

    func received(_ id: ConnectionID, _ bytes: UnsafeMutableRawBufferPointer) {
        guard let socket = socket(id) else { return }
        socket.lastReceivedAt = loop.now
        route(bytes, to: socket)
        guard self.socket(id) != nil, !account(socket) else { return }
        refuseToHold(socket)
    }

    /// Bytes to whatever the socket speaks now; an upgrade in the midst of them changes that.
    func route(_ bytes: UnsafeMutableRawBufferPointer, to socket: Socket) {
        switch socket.stage {
        case .http: receiveHTTP(bytes, on: socket)
        case .webSocket: receiveWebSocket(bytes, on: socket)
        case .echo: receiveEcho(bytes, on: socket)
        }
    }

    func writable(_ id: ConnectionID) {
        guard let socket = socket(id) else { return }
        socket.isBlocked = false
        sendUnsent(socket)
        if case .webSocket(let stage) = socket.stage { hub.markWritable(stage.connection) }
    }

    func disconnected(_ id: ConnectionID, _ cause: DisconnectCause) {
        guard let socket = socket(id) else { return }
        if cause == .endOfStream, owesAnswer(socket) {
            // The client has said all it wants to; it still reads.
            socket.closesWhenSent = true
            return loop.keepOpen(id)
        }
        forget(socket)
    }

    private func owesAnswer(_ socket: Socket) -> Bool {
        guard case .http(let stage) = socket.stage, !socket.closesWhenSent, stage.pending?.chat == nil else {
            return false
        }
        return stage.pending != nil || !socket.unsent.isEmpty
    }

    func handle(_ message: LoopMessage) {
        switch message {
        case .hub(let message): hub.received(message, now: now)
        case .stored(let ticket, let result): hub.stored(result, ticket: ticket, now: now)
        case .probed(let ref, let trouble, let microseconds):
            if let socket = asker(ref) { answerProbe(trouble, microseconds, on: socket) }
        case .writePages: writePages()
        case .restart(let answers): for answer in answers { hub.restart(answer, now: now) }
        case .drain:
            loop.stopListening()
            hub.drain(now: now)
        case .interruptStreams: hub.interruptStreams(now: now)
        case .stop: stopWhenAnswered(by: loop.now + Timeout.answers)
        }
    }

    var hasWork: Bool { hub.hasWork }

    func turnEnded() {
        // What one round causes on this very loop is done in the next; a chain of such rounds is short.
        for _ in 0..<16 {
            hub.turnEnded(now: now)
            perform()
            broadcast()
            for connection in hub.takeDirty() { flush(connection) }
            if !hub.hasWork { return }
        }
        _ = loop.schedule(at: loop.now) {}
    }

    // MARK: - Effects

    var isDraining: Bool { context.gauges.isDraining }

    private func perform() {
        while !hub.effects.isEmpty {
            swap(&effects, &hub.effects)
            for effect in effects { perform(effect) }
            effects.removeAll(keepingCapacity: true)
        }
    }

    private func perform(_ effect: Effect) {
        switch effect {
        case .post(let index, let message): context.mailboxes[index].post(.hub(message))
        case .storage(let request, let ticket, let user):
            let mailbox = loop.mailbox
            context.store.submit(request, for: user) { mailbox.post(.stored(ticket: ticket, $0)) }
        case .startAgent(let turn):
            Log.debug("agent started", ["stream_id": turn.streamID.text, "agent_type": turn.agentType])
            let agentType = turn.agentType
            agents.start(turn) { [unowned self] streamID, event in
                if case .ended(let end) = event { Self.log(end, of: agentType, for: streamID) }
                hub.agent(streamID, event, now: now)
            }
        case .cancelAgent(let streamID): agents.cancel(streamID)
        case .releaseTokens(let streamID, let count): agents.release(count, of: streamID)
        case .timer(let timer, let instant):
            _ = loop.schedule(at: instant) { [unowned self] in hub.timerFired(timer, now: now) }
        case .beginEvents(let ref):
            if let socket = asker(ref), let chat = chat(of: socket) { beginEvents(on: socket, chat) }
        case .refused(let code): refused(code)
        case .answerHTTP(let ref, let result) where ref.isNobody:
            if case .failure(let error) = result {
                Log.warning("an interrupted answer is not asked for again", ["reason": error.message])
            }
        case .answerHTTP(let ref, let result):
            if let socket = asker(ref) { answer(result, on: socket) }
            if historyReads.ended(ref) { startHistoryReads() }
        case .close(let ref, let code, let reason):
            if code == .tooManyConnections { limitHit("sockets_per_user") }
            if let socket = socket(connectionID(ref)) { closeWebSocket(socket, code, reason) }
        case .pauseReading(let ref): loop.pauseReading(connectionID(ref))
        case .resumeReading(let ref): resumeReading(connectionID(ref))
        }
    }

    private static func log(_ end: AgentEnd, of agentType: String, for streamID: StreamID) {
        switch end {
        case .failed(let code, let reason):
            Log.warning(
                "agent failed",
                ["stream_id": streamID.text, "agent_type": agentType, "code": code.rawValue, "reason": reason])
        case .finished(let reason): Log.debug("agent finished", ["stream_id": streamID.text, "reason": reason])
        case .cancelled: Log.debug("agent cancelled", ["stream_id": streamID.text])
        }
    }

    /// A limit that is hit is told now and then, with how often it was; other refusals only to those who look for a
    /// fault.
    private func refused(_ code: ErrorCode) {
        guard code.isLimit else { return Log.debug("refused", ["code": code.rawValue]) }
        limitHit(code.rawValue)
    }

    private func limitHit(_ name: String) {
        guard let count = limitLines.admit(name, at: loop.now) else { return }
        Log.warning("limit hit", ["code": name, "times": String(count)])
    }

    // MARK: - Writing

    /// Writes the same bytes to everybody who has caught up in a room, of all rooms at once. Nothing is touched of a
    /// receiver but its name.
    ///
    /// HOT
    private func broadcast() {
        let replicas = hub.takeBroadcasts()
        guard !replicas.isEmpty else { return }
        while plans.count < replicas.count { plans.append(WritePlan()) }
        for (number, replica) in replicas.enumerated() {
            let receivers = hub.plan(for: replica, into: &plans[number])
            if receivers.isEmpty { plans[number].reset() }
            plans[number].withPieces { batch.begin($0) }
            for ref in receivers { batch.add(connectionID(ref)) }
        }
        loop.write(&batch)
        var short = batch.short[...]
        for (number, replica) in replicas.enumerated() {
            let blocked = short.prefix { $0.group == number }
            short = short.dropFirst(blocked.count)
            broadcast(plans[number], of: replica, short: blocked)
            plans[number].reset()
        }
        let failed = batch.short.filter { if case .failed = $0.result { true } else { false } }
        batch.reset()
        for send in failed { if let socket = socket(send.id) { drop(socket) } }
    }

    private func broadcast(_ plan: WritePlan, of replica: Replica, short: ArraySlice<WriteBatch.Short>) {
        guard plan.bytes > 0 else { return }
        var wrote: [(ConnectionRef, wrote: Int)] = []
        for send in short {
            let count = if case .wrote(let count) = send.result { count } else { 0 }
            wrote.append((connectionRef(send.id), count))
            guard let socket = socket(send.id) else { continue }
            socket.isBlocked = true
            socket.lastProgressAt = loop.now
        }
        hub.broadcast(plan, of: replica, short: wrote)
    }

    /// Gives the kernel everything a connection has to send, up to a share, in one call.
    ///
    /// HOT
    private func flush(_ connection: Connection) {
        guard let socket = socket(connectionID(connection.ref)), !socket.isBlocked, socket.unsent.isEmpty
        else { return }
        // What an event stream still had to say when it was given up is not for the next request to read.
        guard connection.ref.question == 0 || chat(of: socket)?.connection === connection else { return }
        hub.plan(for: connection, into: &plan)
        guard plan.bytes > 0 else {
            hub.wrote(0, of: plan, to: connection)
            return flushed(connection, socket)
        }
        if let chat = chat(of: socket), chat.request.wantsJSON {
            hub.wrote(plan.bytes, of: plan, to: connection)
            return hub.markWritable(connection)
        }
        let result = plan.withPieces { loop.write(socket.id, $0) }
        switch result {
        case .wrote(let count):
            socket.lastProgressAt = loop.now
            hub.wrote(count, of: plan, to: connection)
            if count < plan.bytes {
                socket.isBlocked = true
            } else if plan.hasMore {
                hub.markWritable(connection)
            } else {
                flushed(connection, socket)
            }
        case .wouldBlock:
            hub.wrote(0, of: plan, to: connection)
            socket.isBlocked = true
        case .failed: drop(socket)
        }
    }

    private func flushed(_ connection: Connection, _ socket: Socket) {
        if connection.isOver, let chat = chat(of: socket), chat.connection === connection {
            eventsEnded(chat, on: socket)
        }
        sentAll(socket)
    }

    /// Writes bytes of an HTTP or echo socket, behind what it still has unsent.
    func send(_ bytes: [UInt8], on socket: Socket) {
        socket.unsent.append(bytes)
        sendUnsent(socket)
    }

    func sendUnsent(_ socket: Socket) {
        guard !socket.isBlocked, !socket.unsent.isEmpty else { return }
        let result = socket.unsent.withUnsafeBytes { bytes in
            let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            return withUnsafePointer(to: iovec(iov_base: base, iov_len: bytes.count)) { piece in
                loop.write(socket.id, UnsafeBufferPointer(start: piece, count: 1))
            }
        }
        switch result {
        case .wrote(let count):
            socket.lastProgressAt = loop.now
            socket.unsent.take(count)
            socket.isBlocked = !socket.unsent.isEmpty
        case .wouldBlock: socket.isBlocked = true
        case .failed: return drop(socket)
        }
        defer { _ = account(socket) }
        guard socket.unsent.isEmpty else { return loop.pauseReading(socket.id) }
        // A handshake's answer that the kernel could not take at once had stopped the reading.
        if case .webSocket(let stage) = socket.stage, !stage.connection.isReadingPaused {
            loop.resumeReading(socket.id)
        }
        sentAll(socket)
    }

    private func sentAll(_ socket: Socket) {
        switch socket.stage {
        case .webSocket(let stage):
            guard stage.isClosing else { return }
        case .http(let stage):
            if stage.pending?.history?.hasBegun == true { return writeLater(socket) }
            if !socket.closesWhenSent, stage.pending == nil {
                // After `100 Continue` the request's own deadline stays.
                socket.deadline = socket.deadline ?? loop.now + Timeout.keepAlive
                readHeld(of: socket, stage)
            }
        case .echo:
            if !socket.closesWhenSent { loop.resumeReading(socket.id) }
        }
        guard socket.closesWhenSent else { return }
        // The peer reads what we sent before it learns of the end; it has a moment to close by itself.
        loop.shutdownWrites(socket.id)
        loop.resumeReading(socket.id)
        socket.deadline = loop.now + Timeout.close
    }

    // MARK: - Ending

    /// Closes a socket that nothing more is to be said on.
    func drop(_ socket: Socket) {
        forget(socket)
        loop.close(socket.id)
    }

    func forget(_ socket: Socket) {
        sockets[Int(socket.id.descriptor)] = nil
        _ = context.memory.change(from: socket.accountedBytes, to: 0)
        socket.accountedBytes = 0
        if case .webSocket(let stage) = socket.stage, !stage.isClosing { hub.closed(stage.connection, now: now) }
        if let chat = chat(of: socket) { endWatching(chat) }
    }

    /// Requests over HTTP that wait for a commit get their answer before everything is closed.
    private func stopWhenAnswered(by deadline: UInt64) {
        let isWaiting = sockets.contains { socket in
            guard case .http(let stage)? = socket?.stage else { return false }
            return stage.pending != nil || socket?.unsent.isEmpty == false
        }
        guard isWaiting, loop.now < deadline else { return stop() }
        _ = loop.schedule(at: loop.now + Timeout.answers / 50) { [unowned self] in stopWhenAnswered(by: deadline) }
    }

    private func stop() {
        for case let socket? in sockets {
            if case .webSocket(let stage) = socket.stage, !stage.isClosing {
                // What waits to be sent goes before the Close, as far as the kernel takes it.
                flush(stage.connection)
                guard loop.isOpen(socket.id) else { continue }
                closeWebSocket(socket, .draining, "the server is stopping")
                flush(stage.connection)
            }
            loop.close(socket.id)
        }
        sockets = []
        agents.shutdown()
        loop.stop()
    }
}

// What connections hold, and whose answer is whose.
extension HubLoop {
    /// The socket whose request waits for the answer to this very question. A late answer finds nobody.
    func asker(_ ref: ConnectionRef) -> Socket? {
        guard let socket = socket(connectionID(ref)), case .http(let stage) = socket.stage, stage.pending != nil,
            stage.question == ref.question
        else { return nil }
        return socket
    }

    /// Names what a socket's request asks next.
    func nextQuestion(_ socket: Socket, _ stage: HTTPStage) -> ConnectionRef {
        stage.question &+= 1
        return ConnectionRef(
            loop: loop.index, descriptor: socket.id.descriptor, generation: socket.id.generation,
            question: stage.question)
    }

    /// Tells what a socket holds now; false if that is more than it may.
    func account(_ socket: Socket) -> Bool {
        guard self.socket(socket.id) === socket else { return true }
        let (old, held) = (socket.accountedBytes, socket.heldBytes)
        // Nearly always: what arrives is whole, and what is sent is taken.
        if old == 0, held == 0 { return true }
        socket.accountedBytes = held
        return context.memory.change(from: old, to: held)
    }

    /// A socket has received more than it may hold: what has not arrived whole is let go of, and its sender told.
    private func refuseToHold(_ socket: Socket) {
        switch socket.stage {
        case .http(let stage):
            if stage.hasBegun {
                refuse(.hub(.connectionMemoryFull), on: socket, stage)
            } else if !stage.held.isEmpty {
                // What was sent ahead is not taken: the connection ends behind the answer before it.
                stage.held = []
                stage.pending?.keepsAlive = false
                if stage.pending == nil { socket.closesWhenSent = true }
            }
        case .webSocket(let stage):
            stage.receiver = WebSocketReceiver(role: .server, messageBytesMax: 0)
            stage.held = HeldEvents()
            closeWebSocket(socket, .tryAgainLater, HubError.connectionMemoryFull.message)
        case .echo: drop(socket)
        }
        _ = account(socket)
    }
}

extension WritePlan {
    /// A `Span` is laid out as `struct iovec`.
    fileprivate func withPieces<Result>(_ body: (UnsafeBufferPointer<iovec>) -> Result) -> Result {
        spans.withUnsafeBufferPointer { $0.withMemoryRebound(to: iovec.self, body) }
    }
}

/// The wall clock, which the loops' time lacks.
enum WallClock {
    /// Unix milliseconds, UTC.
    static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// For measuring what took how long: monotonic microseconds.
    static func microseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
