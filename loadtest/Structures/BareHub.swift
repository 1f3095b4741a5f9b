import Chat
import ChatProtocol
import Glibc
import Wire

/// A hub of one loop in this process, without sockets, disk or clock: its store answers at once and keeps nothing, its
/// readers take everything, its time stands still until it is moved. Confined to the main thread.
///
/// How it works: it does for each event what the server's loop does at the end of a turn, but a write only counts.
final class BareHub {
    private let hub: Hub
    private let gauges = NodeGauges()
    private var plan = WritePlan()
    private var instant: UInt64 = 1_000_000_000
    private var timers: [(at: UInt64, timer: HubTimer)] = []
    private var opened: Int32 = 0
    /// Writes so far that had something in them: to readers that share a position, and to others.
    private(set) var broadcasts = 0
    private(set) var writes = 0
    private(set) var bytes = 0
    /// Streams whose agent was started, in order.
    private(set) var streams: [StreamID] = []
    private static let agentType = "synthetic"

    init() {
        var limits = Limits()
        limits.streamsPerNode = .max
        limits.coalesceMillisecondsMax = 0
        let configuration = HubConfiguration(
            loops: 1, limits: limits, agentTypes: [Self.agentType], defaultAgent: Self.agentType)
        var random = SystemRandomNumberGenerator()
        hub = Hub(index: 0, configuration: configuration, gauges: gauges) { random.next() }
    }

    private var now: Now {
        Now(instant: instant, timestamp: Timestamp(milliseconds: 1_700_000_000_000 + Int64(instant / 1_000_000)))
    }

    // MARK: - What happens

    /// Brings a room into memory that the store has.
    func load(_ room: RoomID) {
        let ref = ConnectionRef(loop: 0, descriptor: 0, generation: 1)
        hub.request(.getRoom(room), user: Self.owner, from: ref, now: now)
        turn()
    }

    /// A WebSocket of a user.
    func open(_ user: UserID) -> Connection {
        opened += 1
        let ref = ConnectionRef(loop: 0, descriptor: opened, generation: 1)
        let connection = hub.opened(ref, user: user, now: now)
        turn()
        return connection
    }

    /// A frame of a client arrives.
    func receive(_ fields: JSONObject, on connection: Connection) {
        hub.received(JSONValue.object(fields).compact, on: connection, now: now)
        turn()
    }

    /// An agent says a token.
    func say(_ token: [UInt8], in stream: StreamID) {
        hub.agent(stream, .text(token), now: now)
        turn()
    }

    /// Moves the clock; what the hub wanted to do until then is done.
    func advance(nanoseconds: UInt64) {
        instant += nanoseconds
        let due = timers.filter { $0.at <= instant }
        timers.removeAll { $0.at <= instant }
        for (_, timer) in due {
            hub.timerFired(timer, now: now)
            turn()
        }
    }

    // MARK: - The end of a turn

    /// HOT
    private func turn() {
        repeat {
            hub.turnEnded(now: now)
            perform()
            for replica in hub.takeBroadcasts() {
                let receivers = hub.plan(for: replica, into: &plan)
                guard !receivers.isEmpty else { continue }
                broadcasts += receivers.count
                bytes += plan.bytes * receivers.count
                hub.broadcast(plan, of: replica, short: [])
            }
            for connection in hub.takeDirty() {
                hub.plan(for: connection, into: &plan)
                if plan.bytes > 0 { writes += 1 }
                bytes += plan.bytes
                hub.wrote(plan.bytes, of: plan, to: connection)
                if plan.hasMore { hub.markWritable(connection) }
            }
        } while hub.hasWork
    }

    private func perform() {
        while !hub.effects.isEmpty {
            let effects = hub.effects
            hub.effects.removeAll(keepingCapacity: true)
            for effect in effects { perform(effect) }
        }
    }

    private func perform(_ effect: Effect) {
        switch effect {
        case .storage(let request, let ticket, _): hub.stored(answer(to: request), ticket: ticket, now: now)
        case .startAgent(let turn): streams.append(turn.streamID)
        case .timer(let timer, let instant): timers.append((instant, timer))
        case .answerHTTP, .beginEvents, .cancelAgent, .close, .pauseReading, .post, .refused, .releaseTokens,
            .resumeReading:
            break
        }
    }

    // MARK: - The store

    private static let owner = UserID("owner")

    private func answer(to request: StorageRequest) -> StorageResult {
        switch request {
        case .loadRoom(let id, _):
            let room = RoomRecord(
                roomID: id, userID: Self.owner, name: "Room", createdAt: now.timestamp, lastActivity: now.timestamp,
                messageCount: 0, metadata: [:], defaultSessionID: SessionID("session_of_\(id.text)"))
            return .room(RoomHead(room: room, members: [], history: [], nextBefore: nil))
        case .context: return .context([])
        default: return .stored
        }
    }
}
