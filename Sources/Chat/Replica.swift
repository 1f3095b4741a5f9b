import ChatProtocol
import Wire

// Most readers of a room have everything and read nothing else. They are `caughtUp`: one position stands for all of
// them, what comes next is planned once, and the shell writes it to each by its name alone. Such a broadcast touches
// neither a connection nor its outbox, which would be ten cache misses for each. Whoever has anything of its own to be
// sent, or could not take all of a broadcast, has its own cursor again until it has caught up.
//
// Invariant: the first `caughtUp.count` subscribers are those; none of them is dirty.

/// The place on one loop that delivers a room: its log's tail and the local cursors. Confined to its loop.
///
/// On the home's own loop the log is the home's; elsewhere the flow fills it.
public final class Replica {
    let log: RoomLog
    let isHome: Bool
    /// Those that have caught up come first.
    private(set) var subscribers: [Connection] = []
    /// The names of those that have caught up, in the order of `subscribers`.
    private(set) var caughtUp: [ConnectionRef] = []
    /// What those have of the log and of the states.
    private var shared = (position: UInt64(0), version: UInt32(0))
    /// When they were last sent something.
    fileprivate var broadcastAt: UInt64 = 0
    /// It stands in its loop's list of replicas with something to broadcast.
    var isDirty = false
    /// The last answer to a join that came by the flow; the home compares it with what it sent before it lets go.
    private(set) var lastAnswer: UInt64 = 0

    /// What every subscriber is to have of the room's states.
    private(set) var states = States()

    /// The latest frame of each kind, with a version that grows.
    struct States {
        private(set) var version: UInt32 = 0
        private(set) var latest: [(version: UInt32, frame: SharedBytes?)] = StateKind.allCases.map { _ in (0, nil) }

        mutating func set(_ kind: StateKind, _ frame: SharedBytes) {
            version += 1
            latest[kind.rawValue] = (version, frame)
        }
    }

    func set(_ kind: StateKind, _ frame: SharedBytes) { states.set(kind, frame) }

    init(log: RoomLog, isHome: Bool) {
        self.log = log
        self.isHome = isHome
    }

    /// Starts a cursor, or moves the one that the connection has.
    ///
    /// - Parameters:
    ///   - stream: the one answer that an event stream reads.
    ///   - catchUp: goes before the entries behind the position.
    func subscribe(
        _ connection: Connection, at position: UInt64, stream: StreamID? = nil, catchUp: CatchUp? = nil
    ) {
        connection.ownCursor()
        let position = catchUp?.start ?? position
        if let index = connection.outbox.subscription(of: log.roomID) {
            connection.outbox.subscriptions[index].position = position
            connection.outbox.subscriptions[index].catchUp = catchUp
            connection.outbox.subscriptions[index].awaitsSnapshot = false
            // What the snapshot says of who is here may be older than what was sent of it before.
            connection.outbox.subscriptions[index].version = 0
        } else {
            connection.outbox.subscriptions.append(
                Subscription(
                    replica: self, position: position, place: subscribers.count, stream: stream, catchUp: catchUp))
            subscribers.append(connection)
        }
    }

    /// Ends a connection's cursor; the last subscriber takes its place.
    func unsubscribe(_ connection: Connection) {
        guard let index = connection.outbox.subscription(of: log.roomID) else { return }
        connection.ownCursor()
        let place = connection.outbox.subscriptions.remove(at: index).place
        let moved = subscribers.removeLast()
        guard moved !== connection else { return }
        subscribers[place] = moved
        if let index = moved.outbox.subscription(of: log.roomID) { moved.outbox.subscriptions[index].place = place }
    }

    func saw(_ answer: JoinAnswer) { lastAnswer = answer.number }

    // MARK: - Readers that have caught up

    /// Counts a connection among those that have caught up, if it has everything and reads only this room.
    func admit(_ connection: Connection) {
        guard let own = connection.outbox.idleCursor, own.position == log.seq, own.version == states.version,
            !connection.isDirty, !connection.isEventStream
        else { return }
        if caughtUp.isEmpty { shared = (own.position, own.version) }
        guard shared == (own.position, own.version) else { return }
        move(from: own.place, to: caughtUp.count)
        caughtUp.append(connection.ref)
        connection.caughtUpIn = self
    }

    /// Gives a connection its own cursor again.
    fileprivate func release(_ connection: Connection) {
        let last = caughtUp.count - 1
        let place = connection.outbox.subscriptions[0].place
        connection.outbox.subscriptions[0].position = shared.position
        connection.outbox.subscriptions[0].version = shared.version
        move(from: place, to: last)
        caughtUp[place] = caughtUp[last]
        caughtUp.removeLast()
    }

    private func move(from place: Int, to other: Int) {
        guard place != other else { return }
        subscribers.swapAt(place, other)
        for place in [place, other] {
            let connection = subscribers[place]
            guard let index = connection.outbox.subscription(of: log.roomID) else { continue }
            connection.outbox.subscriptions[index].place = place
        }
    }

    /// Plans what those that have caught up are to get next.
    func planBroadcast(_ plan: inout WritePlan) {
        var cursor = sharedCursor
        cursor.next(&plan)
    }

    /// They have all of a plan.
    func broadcast(_ plan: WritePlan, now: UInt64) {
        var cursor = sharedCursor
        _ = cursor.wrote(plan.bytes, of: plan)
        shared = (cursor.subscriptions[0].position, cursor.subscriptions[0].version)
        broadcastAt = now
    }

    private var sharedCursor: Outbox {
        var outbox = Outbox()
        outbox.subscriptions = [
            Subscription(replica: self, position: shared.position, place: 0, version: shared.version)
        ]
        return outbox
    }
}

/// One WebSocket as its loop sees it. Confined to its loop.
public final class Connection {
    /// Names it anywhere in the hub.
    public let ref: ConnectionRef
    /// Whose socket it is.
    public let user: UserID
    var outbox = Outbox()
    /// Rooms of joins whose answer has not come yet, once for each.
    private(set) var joinsInFlight: [RoomID] = []
    /// Frames that were sent on to a home and whose answer has not come yet; a join counts once for each room.
    var unanswered = 0
    /// It stands in its loop's list of connections with something to send.
    var isDirty = false
    /// The replica whose position stands for its only cursor.
    fileprivate(set) var caughtUpIn: Replica?
    /// An answer over HTTP, which is sent nothing but that.
    let isEventStream: Bool
    /// The answer that an event stream shows, once it is known.
    public internal(set) var watched: StreamID?
    /// The event stream has its last event: it ends when everything is sent.
    public internal(set) var isOver = false
    /// The event stream is over because its reader is no longer a member of the room.
    public internal(set) var wasRemoved = false
    /// It has asked for more than it takes: the shell is not to read from it.
    public internal(set) var isReadingPaused = false

    init(ref: ConnectionRef, user: UserID, isEventStream: Bool = false) {
        self.ref = ref
        self.user = user
        self.isEventStream = isEventStream
    }

    /// Whether reading is to stop; once stopped, it goes on when half of what stopped it is gone.
    var isAskingTooMuch: Bool {
        let share = isReadingPaused ? 2 : 1
        return outbox.replyBytes > Limits.replyBytesMax / share || unanswered > Limits.unansweredFramesPerSocket / share
    }

    /// Whether the room is joined, or about to be.
    func joins(_ roomID: RoomID) -> Bool {
        joinsInFlight.contains(roomID) || outbox.subscription(of: roomID) != nil
    }

    /// Rooms that are joined, or about to be.
    var roomCount: Int {
        outbox.subscriptions.count + Set(joinsInFlight).count { outbox.subscription(of: $0) == nil }
    }

    /// Takes its cursor back from the replica that kept it.
    func ownCursor() {
        guard let replica = caughtUpIn else { return }
        caughtUpIn = nil
        replica.release(self)
    }

    /// When a broadcast last went to it, as far as that counts: 0 while it has its own cursor.
    public var lastBroadcastAt: UInt64 { caughtUpIn?.broadcastAt ?? 0 }

    func joinBegan(_ roomID: RoomID) { joinsInFlight.append(roomID) }

    func joinEnded(_ roomID: RoomID?) {
        if let index = joinsInFlight.firstIndex(where: { $0 == roomID }) { joinsInFlight.remove(at: index) }
        if joinsInFlight.isEmpty { joinsInFlight = [] }
    }
}
