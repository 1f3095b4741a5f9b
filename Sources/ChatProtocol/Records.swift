import Wire

/// A room as it is stored and shown.
public struct RoomRecord: Sendable, Equatable {
    public let roomID: RoomID
    /// The owner.
    public let userID: UserID
    /// 1 to 100 characters.
    public var name: String
    public let createdAt: Timestamp
    /// When the last message came.
    public var lastActivity: Timestamp
    /// Exchanges, not messages.
    public var messageCount: Int
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

/// A room in a list: with its newest exchange, if it has one.
public struct RoomListing: Sendable, Equatable {
    public let room: RoomRecord
    public let lastExchange: ExchangeRecord?

    /// A row of a room list.
    public init(room: RoomRecord, lastExchange: ExchangeRecord?) {
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
    public let userID: UserID
    public let role: MessageRole
    public let text: String
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
    public var promptTokens: Int?
    public var completionTokens: Int?
    public var totalTokens: Int?
    public var model: String?
    /// Counted by the hub (a token per four bytes) because the model did not report it.
    public var isEstimated: Bool

    /// The counts that are known.
    public init(
        promptTokens: Int? = nil, completionTokens: Int? = nil, totalTokens: Int? = nil, model: String? = nil,
        isEstimated: Bool = false
    ) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.totalTokens = totalTokens
        self.model = model
        self.isEstimated = isEstimated
    }
}

/// Why a stream failed, as stored and shown.
public struct StreamError: Sendable, Equatable {
    public let code: ErrorCode
    public let message: String

    /// A failure with its sentence.
    public init(code: ErrorCode, message: String) {
        self.code = code
        self.message = message
    }
}

/// How a stream ended and what it holds then.
public struct StreamOutcome: Sendable, Equatable {
    public var status: ExchangeStatus
    public var finishReason: String?
    public var usage: Usage?
    public var error: StreamError?
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
    public let exchangeID: ExchangeID
    public let streamID: StreamID
    public let roomID: RoomID
    public let sessionID: SessionID
    public let userID: UserID
    public let agentType: String
    public var status: ExchangeStatus
    public var messages: [MessageRecord]
    /// The response's text, as far as it is known.
    public var text: String
    public var reasoning: String?
    /// Tool calls, tool results and actions, in order, each with its text `offset`.
    public var events: [JSONValue]
    public var usage: Usage?
    public var finishReason: String?
    public var error: StreamError?
    public let startedAt: Timestamp
    public var endedAt: Timestamp?

    /// An exchange at its start: waiting, without a response.
    public init(
        exchangeID: ExchangeID, streamID: StreamID, roomID: RoomID, sessionID: SessionID, userID: UserID,
        agentType: String, startedAt: Timestamp
    ) {
        self.exchangeID = exchangeID
        self.streamID = streamID
        self.roomID = roomID
        self.sessionID = sessionID
        self.userID = userID
        self.agentType = agentType
        self.startedAt = startedAt
        status = .waiting
        messages = []
        text = ""
        events = []
    }
}
