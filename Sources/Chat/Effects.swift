import ChatProtocol
import Synchronization
import Wire

/// What the hub asks of its shell. Effects are performed in order.
public enum Effect: Sendable {
    /// Tell another loop.
    case post(loop: Int, HubMessage)
    /// Ask storage; the result comes back as an event with the same ticket. With a user, reads are shared out fairly
    /// among the users; without one it is for the hub itself.
    case storage(StorageRequest, ticket: UInt64, for: UserID?)
    case startAgent(AgentTurn)
    /// Close the agent's connection; `AgentEvent.ended` answers.
    case cancelAgent(StreamID)
    /// Let the synthetic agent say so many tokens more; nothing to any other.
    case releaseTokens(StreamID, Int)
    /// Call `Hub.timerFired` at an instant.
    case timer(HubTimer, at: UInt64)
    /// The event stream that an HTTP request asked for begins: its head goes first.
    case beginEvents(ConnectionRef)
    /// Answer the HTTP request that asked, unless its connection waits with another question by now.
    case answerHTTP(ConnectionRef, Result<Ack, HubError>)
    /// A request was refused: worth a line in the log, perhaps.
    case refused(ErrorCode)
    /// Close a WebSocket of this loop.
    case close(ConnectionRef, WebSocketCloseCode, reason: String)
    /// Stop or go on reading from a WebSocket of this loop.
    case pauseReading(ConnectionRef)
    case resumeReading(ConnectionRef)
}

/// What a timer of the hub is for.
public enum HubTimer: Sendable {
    /// What a room does by the clock.
    case room(RoomID)
    /// The coalescing window of the loop's streams ends.
    case window
    /// Rooms that nobody uses leave memory.
    case sweep
}

/// What all loops of a node share: a few numbers, so that a limit of the node is one count.
public final class NodeGauges: Sendable {
    private let streams = Atomic<Int>(0)
    /// The busiest loop's deliveries per second, with that loop's number in the low eight bits.
    private let load = Atomic<Int>(0)

    private let sessions = Atomic<Int>(0)

    private let held = Atomic<Int>(0)

    private let draining = Atomic<Bool>(false)

    /// Nothing runs and nothing is delivered yet.
    public init() {}

    /// The server is about to stop: from here on no loop takes a message.
    public var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Says so to all loops at once, before any client is told.
    public func drain() { draining.store(true, ordering: .relaxed) }

    /// Sessions in use, without the rooms' default ones.
    public var sessionCount: Int { sessions.load(ordering: .relaxed) }

    func sessionMet() { sessions.wrappingAdd(1, ordering: .relaxed) }
    func sessionLeft() { sessions.wrappingSubtract(1, ordering: .relaxed) }

    /// Bytes of snapshots that sockets have not read, or that may be used again.
    public var heldBytes: Int { held.load(ordering: .relaxed) }

    func hold(_ count: Int) { held.wrappingAdd(count, ordering: .relaxed) }
    func release(_ count: Int) { held.wrappingSubtract(count, ordering: .relaxed) }

    /// Streams of this node, running and waiting.
    public var streamCount: Int { streams.load(ordering: .relaxed) }

    /// The highest deliveries per second among the loops, as they last reported, if no tokens were merged: so merging
    /// them does not make the load seem less.
    public var deliveriesPerSecond: Int { load.load(ordering: .relaxed) >> 8 }

    /// Reports one loop's deliveries per second: the highest counts, until its own loop lowers it, which takes a
    /// quarter less, so that the windows that follow the load do not follow each of its waves.
    public func report(deliveriesPerSecond: Int, of loop: Int) {
        let held = load.load(ordering: .relaxed)
        guard
            deliveriesPerSecond > held >> 8
                || held & 0xff == loop & 0xff && deliveriesPerSecond < (held >> 8) / 4 * 3
        else { return }
        load.store(deliveriesPerSecond << 8 | loop & 0xff, ordering: .relaxed)
    }

    /// Takes a place for a stream, if one is free.
    func takeStream(max: Int) -> Bool {
        guard streams.wrappingAdd(1, ordering: .relaxed).newValue <= max else {
            streams.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func releaseStream() { streams.wrappingSubtract(1, ordering: .relaxed) }
}

/// What one loop delivers, counted as if no tokens were merged.
struct LoadMeter {
    private static let periodNanoseconds: UInt64 = 250_000_000
    private var deliveries = 0
    private var since: UInt64 = 0

    mutating func count(_ deliveries: Int) { self.deliveries += deliveries }

    /// Reports at the end of a period, and begins the next.
    mutating func report(to gauges: NodeGauges, of loop: Int, now: UInt64) {
        let elapsed = now - since
        guard elapsed >= Self.periodNanoseconds else { return }
        if since > 0 {
            gauges.report(deliveriesPerSecond: deliveries * 1_000_000_000 / Int(elapsed), of: loop)
        }
        (deliveries, since) = (0, now)
    }
}

/// What a hub is built with.
public struct HubConfiguration: Sendable {
    /// How many loops share the homes.
    public let loops: Int
    /// Every limit by name.
    public let limits: Limits
    /// The agents that may answer.
    public let agentTypes: [String]
    /// Who answers when neither the send nor the room names an agent, and no rule does.
    public let defaultAgent: String
    /// The rules; they name agents of `agentTypes` only.
    public let router: AgentRouter
    /// Whether clients may release the synthetic agent's tokens.
    public let offersSynthetic: Bool

    /// What a hub is built with.
    public init(
        loops: Int, limits: Limits, agentTypes: [String], defaultAgent: String, router: AgentRouter = AgentRouter(),
        offersSynthetic: Bool = false
    ) {
        self.loops = loops
        self.limits = limits
        self.agentTypes = agentTypes
        self.defaultAgent = defaultAgent
        self.router = router
        self.offersSynthetic = offersSynthetic
    }

    /// The loop that is home to a slot.
    func home(of slot: Slot) -> Int { Int(slot.value) % loops }
    func home(of room: RoomID) -> Int { home(of: Slot(of: room.text)) }
    func home(of user: UserID) -> Int { home(of: Slot(of: user.text)) }
}
