import Wire

/// One frame from a client, decoded and validated.
public struct ClientFrame: Sendable, Equatable {
    /// Correlates the answer; 1 to 64 characters.
    public let id: String?
    /// What kind of frame it is.
    public let type: ClientFrameType
    /// What it asks for, with its fields.
    public let request: ClientRequest

    /// A frame with its request.
    public init(id: String?, type: ClientFrameType, request: ClientRequest) {
        self.id = id
        self.type = type
        self.request = request
    }
}

/// The client frames of `hubbub.v1`, by their `type`.
public enum ClientFrameType: String, Sendable, CaseIterable {
    case auth
    case createRoom = "create-room"
    case getRoom = "get-room"
    case updateRoom = "update-room"
    case deleteRoom = "delete-room"
    case setMember = "set-member"
    case removeMember = "remove-member"
    case listRooms = "list-rooms"
    case join, leave
    case openSession = "open-session"
    case closeSession = "close-session"
    case send, cancel, reset
    case clearHistory = "clear-history"
    case history, typing, read, ping
    /// Known only where the synthetic agent is.
    case release

    /// Whether each such frame is answered; the others are so only when they are refused.
    public var isAnswered: Bool { self != .typing && self != .read && self != .release }
}

/// What a client asks for.
public enum ClientRequest: Sendable, Equatable {
    case auth(token: String)
    case createRoom(RoomCreation)
    case getRoom(RoomID)
    case updateRoom(RoomID, RoomChange)
    case deleteRoom(RoomID)
    /// Makes a user a member, or changes a member's role.
    case setMember(RoomID, UserID, MemberRole)
    /// Ends a membership: another's by the owner, or one's own.
    case removeMember(RoomID, UserID)
    case listRooms(RoomPage)
    case join([JoinRequest])
    case leave(RoomID)
    /// Without a room, over HTTP only, a room is made first.
    case openSession(RoomID?)
    case closeSession(SessionID)
    /// Over HTTP only.
    case getSession(SessionID)
    /// Over HTTP only: cancels what runs and waits in a session, and tells the text so far.
    case stopSession(SessionID)
    case send(SendRequest)
    /// Over HTTP only: a message in a room of its own, which is made with it; the request's `roomID` is not looked at.
    case begin(SendRequest)
    case cancel(CancelTarget)
    /// Over HTTP only: a session's running answer as an event stream.
    case watch(WatchRequest)
    case reset(SessionID, agentType: String?)
    case clearHistory(RoomID?, SessionID?)
    case history(RoomID, before: ExchangeID?, limit: Int)
    /// Over HTTP only: one exchange of a room.
    case exchange(RoomID, ExchangeName)
    /// Over HTTP only: a page by offset, newest first.
    case historyPage(HistoryFilter, limit: Int, offset: Int)
    case typing(RoomID, isActive: Bool)
    case read(RoomID, ExchangeID)
    case ping
    /// Lets a stream of the synthetic agent say so many tokens more.
    case release(StreamID, tokens: Int)
}

/// A room to be made; a missing name gets a default.
public struct RoomCreation: Sendable, Equatable {
    /// The name a room gets when its maker gives none.
    public static let defaultName = "New conversation"
    /// Checked by `RoomName`.
    public var name: String
    /// Checked by `RoomMetadata`.
    public var metadata: JSONObject

    /// A room to be made.
    public init(name: String = RoomCreation.defaultName, metadata: JSONObject = JSONObject()) {
        self.name = name
        self.metadata = metadata
    }
}

/// A change of a room: only what is named changes; metadata merges per top-level key, `null` removes.
public struct RoomChange: Sendable, Equatable {
    /// The new name; `nil` leaves the old one.
    public var name: String?
    /// What to merge; `nil` leaves all as it is.
    public var metadata: JSONObject?

    /// A change of a room.
    public init(name: String? = nil, metadata: JSONObject? = nil) {
        self.name = name
        self.metadata = metadata
    }
}

/// The order of a room list; ties by id.
public enum RoomOrder: String, Sendable, CaseIterable {
    case lastActivity = "last_activity"
    case createdAt = "created_at"
    case roomName = "room_name"
}

/// One page of a room list.
public struct RoomPage: Sendable, Equatable {
    /// 1 to 200.
    public var limit: Int
    /// Rows before the page.
    public var offset: Int
    /// Newest first, or by name.
    public var order: RoomOrder

    /// One page of a room list.
    public init(limit: Int = Limits.pageRowsDefault, offset: Int = 0, order: RoomOrder = .lastActivity) {
        self.limit = limit
        self.offset = offset
        self.order = order
    }
}

/// A place in a room's log.
public struct LogPosition: Sendable, Hashable {
    /// Names one life of the log.
    public let epoch: String
    /// Entries count from 1; 0 stands before the first.
    public let seq: UInt64

    /// A place in a room's log.
    public init(epoch: String, seq: UInt64) {
        self.epoch = epoch
        self.seq = seq
    }
}

/// A room to join, perhaps from where the client was.
public struct JoinRequest: Sendable, Equatable {
    /// The room to join.
    public let roomID: RoomID
    /// Where to go on; `nil` asks for a snapshot.
    public let after: LogPosition?

    /// A room to join.
    public init(roomID: RoomID, after: LogPosition? = nil) {
        self.roomID = roomID
        self.after = after
    }
}

/// What a send does when its session is busy.
public enum BusyPolicy: String, Sendable, CaseIterable {
    case queue, reject, interrupt
}

/// A message to a room's agent.
public struct SendRequest: Sendable, Equatable {
    /// The room it is said in.
    public var roomID: RoomID
    /// 1 byte to 32 KiB.
    public let text: String
    /// The client's idempotency key, unique per room and user.
    public var messageID: String?
    /// `nil` means the room's default session.
    public var sessionID: SessionID?
    /// The agent asked for; `nil` leaves it to the hub.
    public var agentType: String?
    /// The client's own facts about the message.
    public var metadata: JSONObject?
    /// What to do when the session is busy.
    public var busyPolicy: BusyPolicy
    /// `false` means for people only.
    public var wantsResponse: Bool
    /// The exchange to answer anew: the agent is told what was said before that one.
    public var regenerateOf: ExchangeID?
    /// Over HTTP only: while the session answers this very text, or is about to, nothing is sent: that is the answer.
    public var joinsSameText = false
    /// Over HTTP only: a session is opened with the message, unless `sessionID` names one.
    public var opensSession = false

    /// A message with the defaults of the protocol.
    public init(roomID: RoomID, text: String, messageID: String? = nil, busyPolicy: BusyPolicy = .queue) {
        self.roomID = roomID
        self.text = text
        self.messageID = messageID
        self.busyPolicy = busyPolicy
        wantsResponse = true
    }
}

/// Which answer an event stream shows, and from where.
public struct WatchRequest: Sendable, Equatable {
    /// The session whose answer it is.
    public let sessionID: SessionID
    /// The stream, where the client knows it; else the session's running one.
    public var streamID: StreamID?
    /// The last event that the client has seen.
    public var after: LogPosition?

    /// A session's answer.
    public init(sessionID: SessionID, streamID: StreamID? = nil, after: LogPosition? = nil) {
        self.sessionID = sessionID
        self.streamID = streamID
        self.after = after
    }
}

/// What a cancel aims at.
public enum CancelTarget: Sendable, Equatable {
    case stream(StreamID)
    case session(SessionID)
    /// With a `message_id`: one's own message, and its whole turn.
    case room(RoomID, messageID: String?)
}

/// Why a frame was refused before it became a request; carries what could be read of it for the answer.
public struct FrameFault: Error, Sendable, Equatable {
    /// The frame's `id`, if it had a valid one.
    public let id: String?
    /// The frame's `type` as it came, if it had one.
    public let type: String?
    /// The frame's `room_id`, if it had a well-formed one.
    public let roomID: RoomID?
    /// What to answer.
    public let error: HubError

    /// A refused frame.
    public init(id: String?, type: String?, roomID: RoomID? = nil, error: HubError) {
        self.id = id
        self.type = type
        self.roomID = roomID
        self.error = error
    }
}
