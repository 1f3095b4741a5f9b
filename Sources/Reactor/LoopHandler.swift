/// What a loop calls; everything on the loop's own thread.
///
/// A protocol because each side of the socket has one: the server and the load test's client.
public protocol LoopHandler: AnyObject, SendableMetatype {
    /// What other loops and threads post to this loop.
    associatedtype Message: Sendable

    /// A listener took this connection. It is registered already: `write` works.
    func accepted(_ id: ConnectionID, peer: PeerAddress)
    /// Bytes just received, in the loop's receive area: valid during the call only, and free to be changed in place
    /// (WebSocket unmasks there).
    func received(_ id: ConnectionID, _ bytes: UnsafeMutableRawBufferPointer)
    /// There is room again after a short write, or a `connect` succeeded.
    func writable(_ id: ConnectionID)
    /// The peer closed its side, reset, or the connection failed. Called once, after all bytes that had arrived, and
    /// not for our own `close`. The id is open during the call; the loop closes it afterwards, unless `keepOpen` was
    /// called because an answer is still to be written: then a second call may follow, and that one is final.
    func disconnected(_ id: ConnectionID, _ cause: DisconnectCause)
    /// A message from the mailbox.
    func handle(_ message: Message)
    /// A turn's messages, in order. There is a default, which calls `handle` for each: as a requirement it is compiled
    /// in the handler's own module, for the handler's own message type.
    func handle(_ messages: ArraySlice<Message>)
    /// Once per turn, after its events, messages and timers, before the loop sleeps: the place for effects.
    func turnEnded()
    /// Whether `turnEnded` has something to do.
    var hasWork: Bool { get }
}

extension LoopHandler {
    /// Handles one after the other.
    @inlinable
    public func handle(_ messages: ArraySlice<Message>) {
        for message in messages { handle(message) }
    }
}

/// Why a connection ended without us.
public enum DisconnectCause: Hashable, Sendable {
    /// The peer closed its sending side in good order; it may still read.
    case endOfStream
    /// The peer threw the connection away.
    case reset
    /// Anything else, by its `errno`: a refused `connect`, a timeout, an unreachable network.
    case failed(errno: Int32)
}

/// How a `write` went.
public enum WriteResult: Hashable, Sendable {
    /// So many bytes were taken. Fewer than offered means that the kernel is full: `writable` will come.
    case wrote(Int)
    /// None were taken: `writable` will come.
    case wouldBlock
    /// Nothing more can be written; the caller closes the connection.
    case failed(errno: Int32)

    /// The most pieces that one `write` takes: the kernel's `IOV_MAX`.
    public static var piecesMax: Int { 1024 }
}

/// What to wait for on a foreign descriptor, and what has come.
public struct Interest: OptionSet, Hashable, Sendable {
    /// The interests as bits.
    public let rawValue: UInt8
    /// The interests of these bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Bytes, a connection or the end of the stream can be read.
    public static let read = Interest(rawValue: 1)
    /// There is room to write.
    public static let write = Interest(rawValue: 2)
}
