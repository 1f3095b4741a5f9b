import Wire

/// A room as it is stored and shown.
public struct RoomRecord: Sendable, Equatable {
    /// Names the room on all faces of the hub.
    public let roomID: RoomID
    /// The owner.
    public let userID: UserID
    /// 1 to 100 characters.
    public var name: String
    /// When the room was made.
    public let createdAt: Timestamp
    /// When the last message came.
    public var lastActivity: Timestamp
    /// Exchanges, not messages.
    public var messageCount: Int
    /// The owner's and the applications' own facts.
    public var metadata: JSONObject
    /// The shared session of the room, which does not expire.
    public let defaultSessionID: SessionID

    /// A room with all its facts.
    public init(
        roomID: RoomID, userID: UserID, name: String, createdAt: Timestamp, lastActivity: Timestamp,
        messageCount: Int, metadata: JSONObject, defaultSessionID: SessionID
    ) {
        self.roomID = roomID
        self.userID = userID
        self.name = name
        self.createdAt = createdAt
        self.lastActivity = lastActivity
        self.messageCount = messageCount
        self.metadata = metadata
        self.defaultSessionID = defaultSessionID
    }
}

/// A session: one client's binding of a user to a room, or the room's own that all share.
public struct SessionRecord: Sendable, Equatable {
    /// Names it.
    public let sessionID: SessionID
    /// Whose it is; `nil` for the room's default session.
    public let userID: UserID?
    /// The room it belongs to.
    public let roomID: RoomID
    /// When it was opened.
    public let createdAt: Timestamp
    /// When it ends unless it is used; `nil` for the default session, which does not expire.
    public var expiresAt: Timestamp?

    /// A session with all its facts.
    public init(
        sessionID: SessionID, userID: UserID?, roomID: RoomID, createdAt: Timestamp, expiresAt: Timestamp?
    ) {
        self.sessionID = sessionID
        self.userID = userID
        self.roomID = roomID
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// What a stream belongs to.
public struct StreamNames: Sendable, Equatable {
    let roomID: RoomID
    let sessionID: SessionID
    let exchangeID: ExchangeID
    let streamID: StreamID
    let agentType: String

    /// The names in an exchange.
    public init(_ exchange: ExchangeRecord) {
        roomID = exchange.roomID
        sessionID = exchange.sessionID
        exchangeID = exchange.exchangeID
        streamID = exchange.streamID
        agentType = exchange.agentType
    }
}

/// How far a user has read in a room.
public struct ReadMark: Sendable, Equatable {
    /// Who.
    public let userID: UserID
    /// The newest exchange that was read.
    public var exchangeID: ExchangeID
    /// When.
    public var timestamp: Timestamp
    /// Exchanges that were begun after it, whoever began them.
    public var unread: Int

    /// How far a user has read.
    public init(userID: UserID, exchangeID: ExchangeID, timestamp: Timestamp, unread: Int) {
        self.userID = userID
        self.exchangeID = exchangeID
        self.timestamp = timestamp
        self.unread = unread
    }
}

/// What names one exchange of a room.
public enum ExchangeName: Sendable, Equatable {
    case id(ExchangeID)
    /// By the stream that answers it.
    case stream(StreamID)
}

/// Which exchanges a page of history holds: those that match every field that is set. One of the first three is set.
public struct HistoryFilter: Sendable, Equatable {
    /// Of this room.
    public var roomID: RoomID?
    /// Of this session.
    public var sessionID: SessionID?
    /// Begun by this user.
    public var userID: UserID?
    /// Answered by this agent.
    public var agentType: String?
    /// Stored before this row of the store; it marks where the rest of a page begins, whatever was added or removed
    /// since its first part was read.
    public var beforeRow: Int64?

    /// A filter; all of `roomID`'s exchanges where nothing else is given.
    public init(
        roomID: RoomID? = nil, sessionID: SessionID? = nil, userID: UserID? = nil, agentType: String? = nil
    ) {
        self.roomID = roomID
        self.sessionID = sessionID
        self.userID = userID
        self.agentType = agentType
    }
}

/// A room in a list: with its newest exchange, if it has one.
public struct RoomListing: Sendable, Equatable {
    /// The room itself.
    public let room: RoomRecord
    /// The newest one; it gives the row its `last_message`.
    public let lastExchange: ExchangeRecord?
    /// Exchanges after the user's read mark; all of them where there is none.
    public let unread: Int

    /// A row of a room list.
    public init(room: RoomRecord, lastExchange: ExchangeRecord?, unread: Int = 0) {
        self.unread = unread
        self.room = room
        self.lastExchange = lastExchange
    }
}

/// Who wrote a message.
public enum MessageRole: String, Sendable {
    case user, assistant, `operator`, system
}

/// One person's input: a row with its own key and role.
public struct MessageRecord: Sendable, Equatable {
    /// The client's idempotency key, unique per room and user.
    public let messageID: String?
    /// Who wrote it.
    public let userID: UserID
    /// In which role they wrote it.
    public let role: MessageRole
    /// What they wrote.
    public let text: String
    /// When it reached the hub.
    public let timestamp: Timestamp
    /// The client's own facts about the message.
    public let metadata: JSONObject?

    /// A message with all its facts.
    public init(
        messageID: String?, userID: UserID, role: MessageRole, text: String, timestamp: Timestamp,
        metadata: JSONObject? = nil
    ) {
        self.messageID = messageID
        self.userID = userID
        self.role = role
        self.text = text
        self.timestamp = timestamp
        self.metadata = metadata
    }
}

extension [MessageRecord] {
    /// Their texts as one, in lines of their own where there are several.
    public var joinedText: String { map(\.text).joined(separator: "\n") }

    /// What they brought along; where several have a key, the last one's.
    public var mergedMetadata: JSONObject {
        reduce(into: JSONObject()) { merged, message in
            for (key, value) in message.metadata?.members ?? [] { merged[key] = value }
        }
    }
}

/// Where an exchange stands. All but `waiting` and `streaming` are terminal.
public enum ExchangeStatus: String, Sendable, CaseIterable {
    case waiting, streaming, completed, cancelled, failed, interrupted

    /// Whether nothing more will happen.
    public var isTerminal: Bool {
        switch self {
        case .waiting, .streaming: false
        case .completed, .cancelled, .failed, .interrupted: true
        }
    }
}

/// What a response cost, in tokens.
public struct Usage: Sendable, Equatable {
    /// What the agent was given.
    public var promptTokens: Int?
    /// What it answered.
    public var completionTokens: Int?
    /// What is billed; not always the sum.
    public var totalTokens: Int?
    /// The model as it names itself.
    public var model: String?
    /// Sums of such counts cannot overflow.
    private static let tokensMax = 1_000_000_000_000
    /// Counted by the hub (a token per four bytes) because the model did not report it.
    public var isEstimated: Bool

    /// The counts that are known; one that no answer can have counts as unknown.
    public init(
        promptTokens: Int? = nil, completionTokens: Int? = nil, totalTokens: Int? = nil, model: String? = nil,
        isEstimated: Bool = false
    ) {
        func plausible(_ count: Int?) -> Int? { count.flatMap { (0...Self.tokensMax).contains($0) ? $0 : nil } }
        self.promptTokens = plausible(promptTokens)
        self.completionTokens = plausible(completionTokens)
        self.totalTokens = plausible(totalTokens)
        self.model = model
        self.isEstimated = isEstimated
    }

    /// Whether both count the same; the models' names compare by their bytes.
    public static func == (left: Usage, right: Usage) -> Bool {
        left.promptTokens == right.promptTokens && left.completionTokens == right.completionTokens
            && left.totalTokens == right.totalTokens && left.model?.exact == right.model?.exact
            && left.isEstimated == right.isEstimated
    }

    /// A token per four bytes of text and reasoning.
    public static func estimated(bytes: Int) -> Usage {
        Usage(completionTokens: (bytes + 3) / 4, isEstimated: true)
    }
}

/// Why a stream failed, as stored and shown.
public struct StreamError: Sendable, Equatable {
    /// What went wrong, decidable.
    public let code: ErrorCode
    /// One sentence for people.
    public let message: String

    /// A failure with its sentence.
    public init(code: ErrorCode, message: String) {
        self.code = code
        self.message = message
    }
}

/// How a stream ended and what it holds then.
public struct StreamOutcome: Sendable, Equatable {
    /// A terminal one.
    public var status: ExchangeStatus
    /// As the model gave it: `stop`, `length`, …
    public var finishReason: String?
    /// What it cost, as far as it is known.
    public var usage: Usage?
    /// Set when it failed.
    public var error: StreamError?
    /// When it ended.
    public var endedAt: Timestamp

    /// A terminal status with its facts.
    public init(
        status: ExchangeStatus, finishReason: String? = nil, usage: Usage? = nil, error: StreamError? = nil,
        endedAt: Timestamp
    ) {
        self.status = status
        self.finishReason = finishReason
        self.usage = usage
        self.error = error
        self.endedAt = endedAt
    }
}

/// One or more messages of a user to an agent, and the agent's response: the unit that is stored.
public struct ExchangeRecord: Sendable, Equatable {
    /// Names the exchange.
    public let exchangeID: ExchangeID
    /// Names the response while it grows.
    public let streamID: StreamID
    /// The room it belongs to.
    public let roomID: RoomID
    /// The session whose context it is part of.
    public let sessionID: SessionID
    /// Who asked.
    public let userID: UserID
    /// Which agent answers.
    public let agentType: String
    /// The exchange that this one answers anew, also where that is gone from the history.
    public let regenerateOf: ExchangeID?
    /// Where it stands.
    public var status: ExchangeStatus
    /// What was asked, in order.
    public var messages: [MessageRecord]
    /// The response's text, as far as it is known.
    public var text: String
    /// What the agent thought aloud.
    public var reasoning: String?
    /// Tool calls, tool results and actions, in order, each with its text `offset`.
    public var events: [JSONValue]
    /// What it cost, as far as it is known.
    public var usage: Usage?
    /// As the model gave it: `stop`, `length`, …
    public var finishReason: String?
    /// Set when it failed.
    public var error: StreamError?
    /// When its first message came.
    public let startedAt: Timestamp
    /// When its status became terminal.
    public var endedAt: Timestamp?

    /// An exchange at its start: waiting, without a response. One that is for people only has no stream and no agent:
    /// both are empty.
    public init(
        exchangeID: ExchangeID, streamID: StreamID, roomID: RoomID, sessionID: SessionID, userID: UserID,
        agentType: String, regenerateOf: ExchangeID? = nil, startedAt: Timestamp
    ) {
        self.exchangeID = exchangeID
        self.streamID = streamID
        self.roomID = roomID
        self.sessionID = sessionID
        self.userID = userID
        self.agentType = agentType
        self.regenerateOf = regenerateOf
        self.startedAt = startedAt
        status = .waiting
        messages = []
        text = ""
        events = []
    }
}
