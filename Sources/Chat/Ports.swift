// The vocabulary between the hub and the world: effects go out, events come in. A query is an effect with a ticket and
// its result an event with the same ticket, so the hub never waits and a simulator can stand in for everything.

import ChatProtocol
import Wire

/// The time of an event, given to the hub with it.
public struct Now: Sendable, Equatable {
    /// Monotonic, in nanoseconds.
    public let instant: UInt64
    /// The wall clock.
    public let timestamp: Timestamp

    /// Both clocks, read together.
    public init(instant: UInt64, timestamp: Timestamp) {
        self.instant = instant
        self.timestamp = timestamp
    }
}

// MARK: - Storage

/// What the hub asks of its message store. Requests of one loop are executed in the order they were made where they
/// touch the same room; writes that arrive together share one commit.
public enum StorageRequest: Sendable {
    /// Inserts a room and its default session; `roomsMax` is a condition inside the transaction (0: none).
    case createRoom(RoomRecord, roomsMax: Int)
    /// Reads a room with its members and its newest exchanges (at most so many, and `Limits.snapshotBytesMax`).
    case loadRoom(RoomID, exchangesMax: Int)
    /// Writes a room's name and metadata.
    case updateRoom(RoomRecord)
    /// Makes a user a member of a room, or changes the role of one; `membersMax` is a condition inside the transaction.
    case setMember(RoomID, MemberRecord, membersMax: Int)
    /// Ends a membership; answered with how many there were, one or none.
    case removeMember(RoomID, UserID)
    /// Marks a room deleted, together with the outcomes of what still ran in it.
    case deleteRoom(RoomID, at: Timestamp, outcomes: [ExchangeOutcome])
    /// Inserts a message, its exchange first if `opensExchange`, and moves the room's `last_activity` and count.
    case insertMessage(MessageInsertion)
    /// Looks a message up by its key.
    case findMessage(RoomID, UserID, messageID: String, text: String)
    /// Marks an exchange `streaming`.
    case startExchange(ExchangeID, at: Timestamp)
    /// Appends a piece of a growing response.
    case appendSegment(ResponseSegment)
    /// Notes that these answers are to be stopped: they count as cancelled, whatever happens to the hub until their
    /// outcomes are stored.
    case markCancelled([ExchangeID], at: Timestamp)
    /// Folds the segments into one response and stores the outcome.
    case finishExchange(ExchangeOutcome)
    /// Finds the status of an exchange by its stream.
    case findStream(StreamID)
    /// Finds an exchange of a room that a send wants answered anew.
    case findExchange(RoomID, ExchangeID)
    /// Inserts a session of a room; `sessionsMax`, of those that are open and have not expired at its making, is a
    /// condition inside the transaction.
    case createSession(SessionRecord, sessionsMax: Int)
    /// Finds the room of a session, also of one that was closed.
    case findRoom(of: SessionID)
    /// Finds a session that was not closed, the default ones too; whether it has expired is the hub's to judge.
    case findSession(SessionID)
    /// Moves a session's expiry.
    case touchSession(SessionID, expiresAt: Timestamp)
    /// Ends a session for good; its exchanges stay in the history.
    case closeSession(SessionID, at: Timestamp)
    /// Makes a session forget its context, of one agent or of all (`nil`); answered with how many exchanges it forgot.
    case resetSession(SessionID, agentType: String?, at: Timestamp)
    /// Removes a session's exchanges (`nil`: all of the room's) from the history for good, but not those that have not
    /// ended, and counts the room's exchanges anew.
    case clearHistory(RoomID, SessionID?)
    /// The last messages and responses of a session with an agent since its last reset, oldest first. An exchange that
    /// regenerates another was told what that one was told: what came between is left out. One that regenerates and
    /// said nothing is left out itself. With `of` it is what that exchange is to be told, else what a new one is.
    case context(SessionID, agentType: String, of: ExchangeID?, limit: Int)
    /// Moves a user's read mark to an exchange of the room, never back; unknown exchanges change nothing.
    case markRead(RoomID, UserID, ExchangeID, at: Timestamp)
    /// A page of exchanges before one (`nil`: the newest), cut by count and bytes; oldest first.
    case historyBefore(RoomID, ExchangeID?, limit: Int)
    /// One exchange of a room, with its response so far.
    case readExchange(RoomID, ExchangeName)
    /// A page of exchanges by offset, newest first, with the total unless the filter has `beforeRow`; read up to
    /// `Limits.pagePartBytesMax`, with the place of the rest.
    case historyPage(HistoryFilter, limit: Int, offset: Int)
    /// A page of the rooms that a user owns or is a member of, with the total; of their newest exchange as much as
    /// `last_message` shows.
    case listRooms(UserID, RoomPage)
}

/// A message on its way to disk.
public struct MessageInsertion: Sendable {
    /// The exchange's row: inserted if `opensExchange`, or if it is not there because the message that was to open it
    /// was not stored; its `messages` are not looked at.
    public let exchange: ExchangeRecord
    /// No message of the exchange is stored yet; the exchange is inserted unless it is there.
    public let opensExchange: Bool
    /// The message itself.
    public let message: MessageRecord
    /// What is made with the message, or not at all.
    public let opening: Opening?

    /// What a message may bring about.
    public enum Opening: Sendable {
        /// A session of the exchange's room.
        case session(SessionRecord, sessionsMax: Int)
        /// The exchange's room, and a session in it.
        case room(RoomRecord, SessionRecord, roomsMax: Int)
    }

    /// A message on its way to disk.
    public init(
        exchange: ExchangeRecord, opensExchange: Bool, message: MessageRecord, opening: Opening? = nil
    ) {
        self.opening = opening
        self.exchange = exchange
        self.opensExchange = opensExchange
        self.message = message
    }
}

/// A piece of a growing response, appended at a checkpoint.
public struct ResponseSegment: Sendable {
    /// Which exchange.
    public let exchangeID: ExchangeID
    /// Where `text` starts in the response, in bytes: a segment stored twice by a retry is recognised.
    public let textOffset: Int
    /// Whole Unicode scalars.
    public let text: [UInt8]
    /// Where `reasoning` starts, in bytes.
    public let reasoningOffset: Int
    /// Whole Unicode scalars of the reasoning.
    public let reasoning: [UInt8]
    /// Events since the last segment.
    public let events: [JSONValue]

    /// A piece of a growing response.
    public init(
        exchangeID: ExchangeID, textOffset: Int, text: [UInt8], reasoningOffset: Int, reasoning: [UInt8],
        events: [JSONValue]
    ) {
        self.exchangeID = exchangeID
        self.textOffset = textOffset
        self.text = text
        self.reasoningOffset = reasoningOffset
        self.reasoning = reasoning
        self.events = events
    }
}

/// How an exchange ended, with the whole response.
public struct ExchangeOutcome: Sendable {
    /// Which exchange.
    public let exchangeID: ExchangeID
    /// The terminal status with its facts.
    public let outcome: StreamOutcome
    /// The whole text of the response.
    public let text: [UInt8]
    /// Whole Unicode scalars of the reasoning.
    public let reasoning: [UInt8]
    /// Tool calls, tool results and actions, in order.
    public let events: [JSONValue]

    /// How an exchange ended.
    public init(
        exchangeID: ExchangeID, outcome: StreamOutcome, text: [UInt8], reasoning: [UInt8], events: [JSONValue]
    ) {
        self.exchangeID = exchangeID
        self.outcome = outcome
        self.text = text
        self.reasoning = reasoning
        self.events = events
    }
}

/// What storage answers.
public enum StorageResult: Sendable {
    /// The write is on disk.
    case stored
    /// The user has as many rooms as may be.
    case roomLimitReached
    /// The room has as many sessions as may be.
    case sessionLimitReached
    /// The room has as many members as may be.
    case memberLimitReached
    /// The room, or `nil` if there is none or it is deleted.
    case room(RoomHead?)
    /// The key was used before: by this exchange; `sameText` tells a retry from a conflict.
    case duplicate(StoredMessage)
    /// No message with that key.
    case noMessage
    /// The exchange of a stream, or `nil`.
    case stream(StoredStream?)
    /// The exchange, or `nil` if it is not in that room.
    case exchange(RegeneratedExchange?)
    case history([ExchangeRecord], nextBefore: ExchangeID?)
    /// The exchange, or `nil` if it is not in that room.
    case wholeExchange(ExchangeRecord?)
    case historyPage([ExchangeRecord], total: Int?, next: Int64? = nil)
    case rooms([RoomListing], total: Int)
    /// The session, or `nil`.
    case session(SessionRecord?)
    /// The room of a session, or `nil`.
    case roomOfSession(RoomID?)
    /// How many exchanges were forgotten or removed, or members.
    case cleared(Int)
    case context([ContextMessage])
    /// The disk, the file or the lock failed; nothing of this request was stored.
    case unavailable
}

/// A message that storage found by its key.
public struct StoredMessage: Sendable, Equatable {
    /// Which exchange.
    public let exchangeID: ExchangeID
    /// Which stream.
    public let streamID: StreamID
    /// Where the exchange stands.
    public let status: ExchangeStatus
    /// Tells a retry from a conflict.
    public let isSameText: Bool

    /// A message that storage found by its key.
    public init(exchangeID: ExchangeID, streamID: StreamID, status: ExchangeStatus, isSameText: Bool) {
        self.exchangeID = exchangeID
        self.streamID = streamID
        self.status = status
        self.isSameText = isSameText
    }
}

/// A stream that storage found by its id.
public struct StoredStream: Sendable, Equatable {
    /// Which room.
    public let roomID: RoomID
    /// Where the exchange stands.
    public let status: ExchangeStatus

    /// A stream that storage found by its id.
    public init(roomID: RoomID, status: ExchangeStatus) {
        self.roomID = roomID
        self.status = status
    }
}

/// An exchange that is to be answered anew.
public struct RegeneratedExchange: Sendable, Equatable {
    /// Which exchange.
    public let exchangeID: ExchangeID
    /// The session whose context it is part of.
    public let sessionID: SessionID
    /// Who answered; empty where nobody was to.
    public let agentType: String

    /// An exchange that is to be answered anew.
    public init(exchangeID: ExchangeID, sessionID: SessionID, agentType: String) {
        self.exchangeID = exchangeID
        self.sessionID = sessionID
        self.agentType = agentType
    }
}

/// What a room's home needs of a room.
public struct RoomHead: Sendable {
    /// The room itself.
    public let room: RoomRecord
    /// Everyone but the owner.
    public let members: [MemberRecord]
    /// The newest exchanges, oldest first.
    public let history: [ExchangeRecord]
    /// Asks for the exchanges before `history`; `nil` if there are none.
    public let nextBefore: ExchangeID?
    /// How far each user has read who ever said so, in the order of their ids.
    public let reads: [ReadMark]

    /// What a room's home needs of a room.
    public init(
        room: RoomRecord, members: [MemberRecord], history: [ExchangeRecord], nextBefore: ExchangeID?,
        reads: [ReadMark] = []
    ) {
        self.reads = reads
        self.room = room
        self.members = members
        self.history = history
        self.nextBefore = nextBefore
    }
}

// MARK: - Agents

/// One turn: what an agent gets to answer.
public struct AgentTurn: Sendable {
    /// Which stream.
    public let streamID: StreamID
    /// Which room.
    public let roomID: RoomID
    /// Which session.
    public let sessionID: SessionID
    /// Who asks.
    public let userID: UserID
    /// Who answers.
    public let agentType: String
    /// The turn's messages, consolidated into one input.
    public let input: String
    /// Earlier messages of the session, oldest first, at most `Limits.contextMessagesMax`.
    public let context: [ContextMessage]
    /// The room's name.
    public let roomName: String
    /// The room's metadata, for the agent's use.
    public let roomMetadata: JSONObject
    /// What the turn's messages brought along, such as `resources`; where several have a key, the last one's.
    public let messageMetadata: JSONObject
    /// When the turn started.
    public let startedAt: Timestamp

    /// One turn.
    public init(
        streamID: StreamID, roomID: RoomID, sessionID: SessionID, userID: UserID, agentType: String, input: String,
        context: [ContextMessage], roomName: String, roomMetadata: JSONObject, messageMetadata: JSONObject,
        startedAt: Timestamp
    ) {
        self.streamID = streamID
        self.roomID = roomID
        self.sessionID = sessionID
        self.userID = userID
        self.agentType = agentType
        self.input = input
        self.context = context
        self.roomName = roomName
        self.roomMetadata = roomMetadata
        self.messageMetadata = messageMetadata
        self.startedAt = startedAt
    }
}

/// An earlier message that an agent is told.
public struct ContextMessage: Sendable, Equatable {
    /// Who wrote it.
    public let role: MessageRole
    /// What it says.
    public let text: String

    /// An earlier message.
    public init(role: MessageRole, text: String) {
        self.role = role
        self.text = text
    }
}

/// What an agent says. After `.ended` a run says nothing more; every run ends, also one that was cancelled.
public enum AgentEvent: Sendable {
    /// Whole Unicode scalars of UTF-8.
    case text([UInt8])
    case reasoning([UInt8])
    /// A tool call, tool result or action; the object is sent on with the kind as its `type`.
    case event(AgentEventKind, JSONObject)
    case usage(Usage)
    /// The run is over and its connection to the model is closed.
    case ended(AgentEnd)
}

/// The kinds of events beside text.
public enum AgentEventKind: String, Sendable {
    case toolCall = "tool-call"
    case toolResult = "tool-result"
    case action
}

/// How an agent's run ended.
public enum AgentEnd: Sendable, Equatable {
    /// `reason` as the model gave it: `stop`, `length`, `tool_calls`, …
    case finished(reason: String)
    /// `AGENT_FAILED` or `AGENT_TIMEOUT`, with a sentence that carries no secret.
    case failed(ErrorCode, String)
    /// In answer to a cancel.
    case cancelled
}
