import ChatProtocol
import Wire

/// The place on one loop that delivers a room: its log's tail and the local cursors. Confined to its loop.
///
/// On the home's own loop the log is the home's; elsewhere the flow fills it.
final class Replica {
    let log: RoomLog
    let isHome: Bool
    private(set) var subscribers: [Connection] = []
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
    /// - Parameter stream: the one answer that an event stream reads.
    func subscribe(_ connection: Connection, at position: UInt64, stream: StreamID? = nil) {
        if let index = connection.outbox.subscription(of: log.roomID) {
            connection.outbox.subscriptions[index].position = position
            connection.outbox.subscriptions[index].awaitsSnapshot = false
        } else {
            connection.outbox.subscriptions.append(
                Subscription(replica: self, position: position, place: subscribers.count, stream: stream))
            subscribers.append(connection)
        }
    }

    /// Ends a connection's cursor; the last subscriber takes its place.
    func unsubscribe(_ connection: Connection) {
        guard let index = connection.outbox.subscription(of: log.roomID) else { return }
        let place = connection.outbox.subscriptions.remove(at: index).place
        let moved = subscribers.removeLast()
        guard moved !== connection else { return }
        subscribers[place] = moved
        if let index = moved.outbox.subscription(of: log.roomID) { moved.outbox.subscriptions[index].place = place }
    }

    func saw(_ answer: JoinAnswer) { lastAnswer = answer.number }
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
    /// An answer over HTTP, which is sent nothing but that.
    let isEventStream: Bool
    /// The answer that an event stream shows, once it is known.
    public internal(set) var watched: StreamID?
    /// The event stream has its last event: it ends when everything is sent.
    public internal(set) var isOver = false
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

    func joinBegan(_ roomID: RoomID) { joinsInFlight.append(roomID) }

    func joinEnded(_ roomID: RoomID?) {
        if let index = joinsInFlight.firstIndex(where: { $0 == roomID }) { joinsInFlight.remove(at: index) }
    }
}
