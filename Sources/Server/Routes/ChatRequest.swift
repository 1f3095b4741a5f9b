import ChatProtocol
import Wire

/// What `/api/chat/message` and `/api/chat/stream` were asked for: to send a message and follow its answer, or to
/// follow what a session already says.
///
/// With `lastEventID` it never sends, whatever else it names. `sessionID` is set where `text` is not, and where
/// `lastEventID` is.
struct ChatRequest: Sendable, Equatable {
    /// `nil` asks for a new session.
    var sessionID: SessionID?
    /// `nil` means the session's room, or where there is no session a new one.
    var roomID: RoomID?
    /// `nil` if the request names none.
    var userID: UserID?
    /// 1 byte to 32 KiB; `nil` attaches to the session's running stream.
    var text: String?
    /// The client's idempotency key.
    var messageID: String?
    /// The agent asked for; `nil` leaves it to the hub.
    var agentType: String?
    /// The exchange to answer anew.
    var regenerateOf: ExchangeID?
    /// What to do when the session is busy.
    var busyPolicy = BusyPolicy.queue
    /// The body's `metadata`, with its `resources` under that name.
    var metadata: JSONObject?
    /// The last event that the client has; it goes on behind it.
    var lastEventID: LogPosition?
    /// The stream that the last event named, because its answer waited then.
    var lastStreamID: StreamID?
    /// One JSON document at the end instead of events.
    var wantsJSON = false
    /// Attaches to the same question of the same session while its answer lives.
    var isGet = false

    /// The message to send.
    ///
    /// - Precondition: `text` is set.
    /// - Parameter session: `nil` opens one with the message.
    func send(in roomID: RoomID, session: SessionID?) -> SendRequest {
        guard let text else { preconditionFailure("nothing to send") }
        var request = SendRequest(roomID: roomID, text: text, messageID: messageID, busyPolicy: busyPolicy)
        request.sessionID = session
        request.opensSession = session == nil
        request.agentType = agentType
        request.metadata = metadata
        request.regenerateOf = regenerateOf
        request.joinsSameText = isGet && sessionID != nil
        return request
    }
}
