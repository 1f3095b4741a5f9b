import Wire

/// What a request was answered with; each face of the hub gives it its own form.
public enum Ack: Sendable, Equatable {
    /// Answers `create-room` and `update-room`.
    case room(RoomRecord)
    /// Answers `get-room`: with everyone but the owner, in the order of their ids.
    case roomWithMembers(RoomRecord, [MemberRecord])
    /// Answers `set-member`; `isNew` unless it changed a member, or nothing.
    case member(RoomID, MemberRecord, isNew: Bool)
    case memberRemoved(RoomID, UserID)
    case roomDeleted(RoomID)
    case rooms([RoomListing], total: Int)
    case left(RoomID)
    case sent(SendReceipt)
    /// Answers a message that opened a session; of a repetition the room's default session.
    case begun(SessionRecord, SendReceipt)
    case cancel(CancelReceipt)
    /// Answers `open-session` and `close-session`.
    case session(SessionRecord)
    /// What a session stopped: the running answer's text so far, or `nil` if nothing ran.
    case stopped(SessionRecord, partial: String?)
    /// How many exchanges a session forgot, of one agent or of all (`nil`).
    case reset(SessionID, agentType: String?, count: Int)
    /// How many exchanges were removed from the history.
    case historyCleared(count: Int)
    /// Newest page that ends before `before`, oldest first; `nextBefore` asks for the page before it.
    case history([ExchangeRecord], nextBefore: ExchangeID?)
    /// Answers a request for one exchange.
    case exchange(ExchangeRecord)
    /// A page by offset, newest first. `next` is where its rest begins, if it was cut; the rest has no `total`.
    case historyPage([ExchangeRecord], total: Int?, next: Int64? = nil)
    case empty
}

/// What became of a send.
public struct SendReceipt: Sendable, Equatable {
    /// The exchange that the message is part of.
    public let exchangeID: ExchangeID
    /// The stream that answers, or will.
    public let streamID: StreamID?
    /// It waits behind another turn.
    public var isQueued: Bool
    /// Set when the same message was stored before: its exchange's status.
    public var duplicateStatus: ExchangeStatus?

    /// A stored message's receipt.
    public init(
        exchangeID: ExchangeID, streamID: StreamID?, isQueued: Bool = false, duplicateStatus: ExchangeStatus? = nil
    ) {
        self.exchangeID = exchangeID
        self.streamID = streamID
        self.isQueued = isQueued
        self.duplicateStatus = duplicateStatus
    }
}

/// What became of a cancel.
public enum CancelReceipt: Sendable, Equatable {
    case accepted
    /// It had ended before, or nothing was running.
    case ended(ExchangeStatus?)
}
