import ChatProtocol
import Wire

/// Names a connection anywhere in the hub: its loop, and the descriptor and generation on that loop; of an HTTP
/// connection also what it has asked, so that a late answer meets neither the next request nor its event stream.
public struct ConnectionRef: Hashable, Sendable {
    /// In 32 bits: a room holds one of these for each of its readers.
    private let loopNumber: UInt32
    /// The socket on that loop.
    public let descriptor: Int32
    /// Counts the uses of the descriptor, so that a late answer is refused.
    public let generation: UInt32
    /// Counts what an HTTP connection asks of the hub; 0 for a WebSocket.
    public let question: UInt32

    /// Names a connection, or a question of one.
    public init(loop: Int, descriptor: Int32, generation: UInt32, question: UInt32 = 0) {
        loopNumber = UInt32(loop)
        self.descriptor = descriptor
        self.generation = generation
        self.question = question
    }

    /// The loop that owns the socket.
    public var loop: Int { Int(loopNumber) }

    /// The form that `welcome` shows.
    public var text: String { "\(loop)-\(descriptor)-\(generation)" }
}

/// Where an answer goes.
public struct Origin: Sendable, Equatable {
    /// Who asked.
    public let connection: ConnectionRef
    /// How to answer.
    public let face: Face

    /// The face of the hub that asked.
    public enum Face: Sendable, Equatable {
        /// A WebSocket frame with its correlation.
        case frame(id: String?, type: ClientFrameType)
        /// An HTTP request; the connection's `question` tells which.
        case http

        var isHTTP: Bool {
            if case .http = self { true } else { false }
        }
    }

    /// Where an answer goes.
    public init(connection: ConnectionRef, face: Face) {
        self.connection = connection
        self.face = face
    }

    var frameID: String? {
        switch face {
        case .frame(let id, _): id
        case .http: nil
        }
    }
}

/// A request on its way from a socket's loop by its user's home to its room's home.
public struct Command: Sendable {
    let origin: Origin
    let user: UserID
    var request: ClientRequest
    /// A stream permit of the user travels with the command; whoever does not use it returns it.
    var hasPermit = false
    /// What a send's `regenerate_of` names, once that is known.
    var regenerated: RegeneratedExchange?

    /// An HTTP request that names no user, which only open mode takes.
    var namesNobody: Bool { origin.face.isHTTP && user == .anonymous }
}

/// What loops tell each other. Messages from one loop to another arrive in order.
public enum HubMessage: Sendable {
    /// Socket's loop to user's home.
    case socketOpened(UserID, ConnectionRef)
    case socketClosed(UserID, ConnectionRef, rooms: [RoomID])
    case command(Command)
    /// User's home to room's home.
    case roomCommand(RoomID, Command)
    case createRoom(RoomRecord, Command)
    case socketLeft(RoomID, ConnectionRef)
    case cancelStream(StreamID, Command)
    case releaseTokens(StreamID, Int)
    case sessionCommand(SessionID, Command)
    /// Replica to room's home.
    /// The snapshot has to be later than a position.
    case snapshotWanted(RoomID, ConnectionRef, JoinCause, after: UInt64)
    case replicaIdle(RoomID, loop: Int, lastAnswer: UInt64)
    /// Room's home to replica.
    case flow(RoomID, [FlowItem])
    /// Room's home to user's home.
    case permitReturned(UserID)
    case notice([UserID], RoomNotice)
    /// User's or room's home to socket's loop.
    case answer(Origin, Result<Ack, HubError>, roomID: RoomID?, barrier: Barrier?)
    case deliverNotice([ConnectionRef], RoomNotice)
    case closeSocket(ConnectionRef, WebSocketCloseCode, reason: String)
}

/// One step of the ordered flow from a room's home to a replica.
public enum FlowItem: Sendable {
    /// Opens a replica at a position, with the texts of what is streaming.
    case open(LogPosition, texts: [LiveText])
    case entries([LogEntry])
    /// Answers a join: the cursor starts at `position`; `missed` are entries from there that the replica may lack.
    case joined(JoinAnswer)
    case left(ConnectionRef, Origin)
    /// The full state of one aspect of the room.
    case state(StateKind, SharedBytes)
    /// A user is no longer a member: its cursors end where they are.
    case removed(UserID)
    /// The room is gone: every cursor drains, then gets `left`.
    case deleted
    /// The home has let go of this replica.
    case close
}

/// A stream's text so far, handed to a replica that opens.
public struct LiveText: Sendable {
    let streamID: StreamID
    let text: [UInt8]
    let reasoning: [UInt8]
}

/// Why a `joined` is sent.
public enum JoinCause: Sendable, Equatable {
    /// By a `join` with its `id`.
    case requested(id: String?)
    /// The reader fell behind the log; nobody asked.
    case fellBehind
    /// An event stream of one answer.
    case watching(StreamID)

    var frameID: String? {
        switch self {
        case .requested(let id): id
        case .fellBehind, .watching: nil
        }
    }
}

/// The answer to a join, on its way through the flow.
public struct JoinAnswer: Sendable {
    /// Never used twice, so that a replica's report tells which answers it has seen.
    let number: UInt64
    let connection: ConnectionRef
    let cause: JoinCause
    /// Everything of the `joined` frame behind its `id`, shared by all who join at this position.
    let body: SharedBytes
    let position: LogPosition
    let missed: [LogEntry]
    /// What follows the body before the log goes on.
    var catchUp: CatchUp?
    /// Counts the body and the catch-up as long as somebody is to read them.
    var held: HeldBytes?
    /// The body says it all: no cursor is needed.
    var isLast = false
}

/// A reply that must not overtake the log: it waits until the socket's cursor of the room has reached `seq`.
public struct Barrier: Sendable, Equatable {
    let roomID: RoomID
    let seq: UInt64
}

/// News of a room for the sockets of its members that have not joined it.
public struct RoomNotice: Sendable {
    let roomID: RoomID
    let kind: Kind
    let frame: SharedBytes

    enum Kind: Sendable {
        /// `room-added` or `room-removed`.
        case membership
        /// `room-summary`: only the latest counts.
        case summary
    }
}
