/// Every limit of the hub by name, with its default. A configuration may change those that are `var`.
public struct Limits: Sendable, Equatable {
    /// Rooms one user may own that were made by `/api/rooms` or `create-room`.
    public var roomsPerUser = 50
    /// A room's name, in characters; characters are counted as Unicode scalars everywhere.
    public static let roomNameCharactersMax = 100
    /// A room's metadata, in bytes of compact JSON.
    public static let metadataBytesMax = 10_240
    /// A message's text, in bytes of UTF-8.
    public var messageTextBytesMax = 32 * 1024
    /// A frame's `id` and a `message_id`, in characters.
    public static let frameIDCharactersMax = 64
    /// One WebSocket message, in bytes; more closes with 1009.
    public var webSocketMessageBytesMax = 256 * 1024
    /// One HTTP body, in bytes; more is 413.
    public var httpBodyBytesMax = 1024 * 1024
    /// One HTTP request line with its headers, in bytes; more is 431.
    public var httpHeadBytesMax = 32 * 1024
    /// Rows of a page when the client names no number.
    public static let pageRowsDefault = 50
    /// Rows of a page at most; more is clamped.
    public static let pageRowsMax = 200
    /// Of a page of exchanges by offset so much is read at a time, in bytes of their texts, reasoning, events and
    /// metadata: the row that reaches this is the last of its part.
    public static let pagePartBytesMax = 256 * 1024
    /// Rows before a page: more than a list ever has, and far from where its numbers would overflow.
    public static let pageOffsetMax = 1_000_000_000
    /// Streams of one user, running and waiting.
    public var streamsPerUser = 5
    /// Streams of this node, running and waiting.
    public var streamsPerNode = 500
    /// Descriptors that stay free for the store, which opens its files anew after a failure.
    static let storageDescriptors = 32
    /// Descriptors that an agent takes while it answers: a connection, or a program's input, output and end.
    static let descriptorsPerStream = 3
    /// Messages that wait in one session.
    public var waitingMessagesPerSession = 16
    /// Sends of one room that storage has not committed yet.
    public var uncommittedSendsPerRoom = 64
    /// Commands that wait for one room's head to load.
    public var parkedCommandsPerRoom = 64
    /// Commands of one user in one room that wait behind one for which storage is asked.
    public var queuedCommandsPerUser = 64
    /// Sessions of one room that are open and have not expired, beside its default one.
    public var sessionsPerRoom = 1_000
    /// Minutes that a session lives after its last use.
    public var sessionMinutes = 30
    /// Minutes after its last use that a session's context stays in memory.
    public static let idleContextMinutes = 10
    /// Seconds an agent may be silent before its stream fails.
    public var agentSilentSeconds = 60
    /// A response, in bytes: text, reasoning and events together.
    public var responseBytesMax = 1024 * 1024
    /// One room's log tail, in bytes.
    public var logTailBytesMax = 256 * 1024
    /// What sockets of this node have not read of snapshots, in bytes; while there is more, nobody may join.
    public var unreadBytesMax = 256 * 1024 * 1024
    /// What a room takes of `memoryBytesMax` beside what it keeps: measured, for a room that was joined and left.
    public static let roomOverheadBytes = 4 * 1024
    /// The same for a session of a room.
    public static let sessionOverheadBytes = 512
    /// Read marks that a room keeps of users who are not its members; the oldest go first.
    public static let strangerMarksPerRoom = 100
    /// Chunk records that one room's log keeps after their bytes were trimmed.
    public static let logRecordsMax = 16_384
    /// All that rooms keep in memory and that sockets have not read of their snapshots, of this node, in bytes.
    public var memoryBytesMax = 256 * 1024 * 1024
    /// What all connections of this node hold beside the hub: requests and messages that have not arrived whole, and
    /// answers that their readers have not taken, in bytes. One connection may hold a quarter of what is free.
    public var connectionBytesMax = 256 * 1024 * 1024
    /// Rooms one socket may have joined.
    public static let joinedRoomsPerSocket = 100
    /// Sockets one user may hold.
    public var socketsPerUser = 50
    /// Members of one room, beside its owner.
    public static let membersPerRoom = 1_000
    /// Seconds of silence in both directions before a ping; twice that closes.
    public var heartbeatSeconds = 30
    /// Seconds from an HTTP request's first byte to its last, and from a connection's opening to its first request.
    public var requestSeconds = 30
    /// Seconds a reader may stand still with data waiting before it is closed, resumable.
    public var noProgressSeconds = 120
    /// A chunk, in bytes of UTF-8.
    public static let chunkBytesMax = 16 * 1024
    /// Pending replies of one socket, in bytes, above which the hub stops reading from it.
    public static let replyBytesMax = 1024 * 1024
    /// Frames of one socket that the hub has not answered, above which it stops reading from it.
    public static let unansweredFramesPerSocket = 128
    /// What a pending reply takes of `replyBytesMax` beside its bytes: the smallest ones cost the hub this much too.
    public static let replyOverheadBytes = 128
    /// Exchanges of a snapshot's history.
    public var snapshotExchangesMax = 20
    /// A `joined` frame, in bytes; of the answers that run or wait, what is beyond it follows in frames of its own. A
    /// history larger than this, which may be one exchange, stays whole.
    public var joinedBytesMax = 1024 * 1024
    /// A snapshot's history, in bytes.
    public static let snapshotBytesMax = 256 * 1024
    /// A tool call's or action's payload, in bytes.
    public static let toolPayloadBytesMax = 64 * 1024
    /// Messages of context that a turn carries.
    public static let contextMessagesMax = 20
    /// Each text of a room list's `last_message`, in Unicode scalars; more is cut.
    public static let previewCharactersMax = 200
    /// Milliseconds that tokens may be held back to merge under load; 0 turns it off.
    public var coalesceMillisecondsMax = 40
    /// Seconds that running streams get to finish at shutdown.
    public var drainSeconds = 10
    /// At a start, an interrupted answer that was asked for within so many seconds is asked for again; 0 turns it off.
    public var restartInterruptedSeconds = 0

    /// The defaults.
    public init() {}

    /// Of so many descriptors of a process those that connections may not take, so that the store and the agents of
    /// those who are there still get theirs; at most half.
    public func reservedDescriptors(of descriptorsMax: Int) -> Int {
        min(Self.storageDescriptors + streamsPerNode * Self.descriptorsPerStream, descriptorsMax / 2)
    }
}
