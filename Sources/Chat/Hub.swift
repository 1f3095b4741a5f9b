// One loop's part of the hub: the homes of the rooms and users whose slot this loop has, the replicas of the rooms
// that its sockets watch, and those sockets. Everything that happens enters here as an event with its time; what is to
// be done leaves as effects. Loops talk by `HubMessage`s, which arrive in order from each loop; a message to the own
// loop goes through the same door, so a hub of one loop behaves like one of many.
//
// Invariant: when an entry point returns, `inbox` is empty and every touched room stands in `touched`.

import ChatProtocol
import Wire

/// One loop's part of the hub. Confined to its loop.
public final class Hub {
    let index: Int
    let configuration: HubConfiguration
    let gauges: NodeGauges
    private let random: () -> UInt64

    /// What the shell is to do, in order; the shell empties it.
    public var effects: [Effect] = []
    /// Connections with something to send; the shell drains them at the end of a turn.
    public var dirty: [Connection] = []
    /// Replicas whose caught-up readers lack something; the shell broadcasts it at the end of a turn.
    var dirtyReplicas: [Replica] = []

    var connections: [ConnectionRef: Connection] = [:]
    var users: [UserID: User] = [:]
    var rooms: [RoomID: Room] = [:]
    var replicas: [RoomID: Replica] = [:]
    /// Streams that have not ended.
    var streams: [StreamID: (room: Room, turn: Turn)] = [:]
    /// The rooms of the sessions that are in memory.
    var sessionRooms: [SessionID: Room] = [:]
    /// Rooms nobody uses, with the time since when, oldest first; see `Hub+Memory`.
    var idleRooms = IdleRooms()
    /// Turns whose tokens wait for the end of the window; see `Hub+Window`.
    var heldBack: [(room: Room, turn: Turn)] = []
    var memoryBytes = 0
    var load = LoadMeter()
    var isDraining: Bool { gauges.isDraining }

    /// Commands that wait behind another of their user; see `Hub+Order`.
    var queued: [Place: [(command: Command, address: Addressed)]] = [:]
    private var inbox: [HubMessage] = []
    private var touched: [Room] = []
    private var pending: [UInt64: Pending] = [:]
    private var nextTicket: UInt64 = 1
    private var answersToJoins: UInt64 = 0
    private(set) var now = Now(instant: 0, timestamp: Timestamp(milliseconds: 0))

    /// What a storage result is for.
    enum Pending {
        case room(Room, Room.Awaited)
        case answer(Origin, RoomID?)
        case streamStatus(Origin)
        case session(SessionID, Command)
        /// A page of a session's history, perhaps of one that was closed.
        case history(HistoryFilter, Command)
    }

    /// - Parameter random: the source of identifiers.
    public init(index: Int, configuration: HubConfiguration, gauges: NodeGauges, random: @escaping () -> UInt64) {
        self.index = index
        self.configuration = configuration
        self.gauges = gauges
        self.random = random
    }

    // MARK: - Events

    /// A WebSocket was opened and its user is known.
    public func opened(_ ref: ConnectionRef, user: UserID, now: Now) -> Connection {
        self.now = now
        let connection = Connection(ref: ref, user: user)
        connections[ref] = connection
        reply(
            to: connection,
            ServerFrame.welcome(
                connectionID: ref.text, userID: user, heartbeatSeconds: configuration.limits.heartbeatSeconds,
                limits: configuration.limits))
        if isDraining { sendDraining(connection) }
        send(.socketOpened(user, ref), toHomeOf: user)
        settle()
        return connection
    }

    /// A text message arrived on a WebSocket.
    public func received(_ bytes: [UInt8], on connection: Connection, now: Now) {
        self.now = now
        switch Result(catching: { () throws(FrameFault) in
            try ClientFrame.decode(
                bytes, limits: configuration.limits, offersSynthetic: configuration.offersSynthetic)
        }) {
        case .success(let frame): handle(frame, on: connection)
        case .failure(let fault): reply(to: connection, ServerFrame.error(fault))
        }
        settle()
    }

    /// An HTTP request asks for something that the hub decides.
    public func request(_ request: ClientRequest, user: UserID, from ref: ConnectionRef, now: Now) {
        self.now = now
        let command = Command(origin: Origin(connection: ref, face: .http), user: user, request: request)
        send(.command(command), toHomeOf: user)
        settle()
    }

    /// An HTTP request asks for an answer as an event stream. `Effect.beginEvents` comes first, or an answer instead.
    public func watch(_ request: WatchRequest, user: UserID, from ref: ConnectionRef, now: Now) -> Connection {
        self.now = now
        let connection = Connection(ref: ref, user: user, isEventStream: true)
        connections[ref] = connection
        let command = Command(origin: Origin(connection: ref, face: .http), user: user, request: .watch(request))
        send(.command(command), toHomeOf: user)
        settle()
        return connection
    }

    /// A WebSocket or an event stream is gone. A lost connection is never a cancel.
    public func closed(_ connection: Connection, now: Now) {
        self.now = now
        guard connections.removeValue(forKey: connection.ref) != nil else { return }
        connection.isOver = true
        let joined = connection.outbox.subscriptions.map(\.replica)
        for replica in joined { unsubscribe(connection, from: replica) }
        if !connection.isEventStream {
            let rooms = joined.map(\.log.roomID) + connection.joinsInFlight
            send(.socketClosed(connection.user, connection.ref, rooms: rooms), toHomeOf: connection.user)
        }
        settle()
    }

    /// A message came from another loop.
    public func received(_ message: HubMessage, now: Now) {
        self.now = now
        handle(message)
        settle()
    }

    /// Storage answered.
    public func stored(_ result: StorageResult, ticket: UInt64, now: Now) {
        self.now = now
        guard let waiting = pending.removeValue(forKey: ticket) else { return }
        switch waiting {
        case .room(let room, let awaited):
            touch(room)
            room.stored(result, for: awaited)
        case .answer(let origin, let roomID): answer(origin, answer(to: result), roomID: roomID)
        case .streamStatus(let origin): answer(origin, cancelAnswer(to: result), roomID: nil)
        case .session(let sessionID, let command): found(result, of: sessionID, for: command)
        case .history(let filter, let command): roomFound(result, filter, for: command)
        }
        settle()
    }

    /// An agent said something.
    public func agent(_ streamID: StreamID, _ event: AgentEvent, now: Now) {
        self.now = now
        guard let (room, turn) = streams[streamID] else { return }
        if !room.holdBack(event, turn) {
            touch(room)
            room.agent(turn, event)
        }
        settle()
    }

    /// A timer that the hub asked for is due.
    public func timerFired(_ timer: HubTimer, now: Now) {
        self.now = now
        switch timer {
        case .room(let roomID):
            if let room = rooms[roomID] {
                room.timerFired()
                touch(room)
            }
        case .window: endWindow()
        case .sweep: sweep()
        }
        settle()
    }

    /// The loop has handled all its events: windows end, flows leave, timers are set.
    public func turnEnded(now: Now) {
        self.now = now
        load.report(to: gauges, of: index, now: now.instant)
        while !touched.isEmpty {
            let rooms = touched
            touched.removeAll(keepingCapacity: true)
            for room in rooms {
                room.isTouched = false
                room.turnEnded()
            }
            settle()
        }
        if isShortOfMemory { forgetIdleRooms() }
    }

    /// The server is about to stop: clients are told, new messages refused.
    public func drain(now: Now) {
        self.now = now
        let sockets = connections.values.filter { !$0.isEventStream }
        for connection in sockets.sorted(by: { $0.ref.descriptor < $1.ref.descriptor }) {
            sendDraining(connection)
        }
        settle()
    }

    /// Ends every stream that still runs as `interrupted`.
    public func interruptStreams(now: Now) {
        self.now = now
        for room in Set(streams.values.map(\.room.id)).sorted(by: { $0.text < $1.text }).compactMap({ rooms[$0] }) {
            touch(room)
            room.interruptAll()
        }
        settle()
    }

    /// Whether `turnEnded` or the shell still has something to do in this turn.
    public var hasWork: Bool { !touched.isEmpty || !effects.isEmpty || !dirty.isEmpty || !dirtyReplicas.isEmpty }

    /// Turns of this loop's rooms that have not ended.
    public var activeStreams: Int { streams.count }

    // MARK: - Inside

    func settle() {
        while !inbox.isEmpty {
            let messages = inbox
            inbox.removeAll(keepingCapacity: true)
            for message in messages { handle(message) }
        }
    }

    func send(_ message: HubMessage, to loop: Int) {
        if loop == index { inbox.append(message) } else { effects.append(.post(loop: loop, message)) }
    }

    func send(_ message: HubMessage, toHomeOf user: UserID) { send(message, to: configuration.home(of: user)) }
    func send(_ message: HubMessage, toHomeOf room: RoomID) { send(message, to: configuration.home(of: room)) }

    func touch(_ room: Room) {
        guard !room.isTouched else { return }
        room.isTouched = true
        touched.append(room)
    }

    func ask(_ request: StorageRequest, _ waiting: Pending, for user: UserID? = nil) {
        effects.append(.storage(request, ticket: nextTicket, for: user))
        pending[nextTicket] = waiting
        nextTicket += 1
    }

    /// Answers from wherever the command ended; the socket's loop gives the answer its form.
    func answer(_ origin: Origin, _ result: Result<Ack, HubError>, roomID: RoomID?, barrier: Barrier? = nil) {
        send(.answer(origin, result, roomID: roomID, barrier: barrier), to: origin.connection.loop)
    }

    func nextAnswer() -> UInt64 {
        answersToJoins += 1
        return answersToJoins
    }

    func randomBits() -> UInt64 { random() }

    private func sendDraining(_ connection: Connection) {
        reply(to: connection, ServerFrame.draining(reconnectAfterMilliseconds: 1000))
    }
}
