import Wire

/// Encodes the hub's frames: the JSON payload of one WebSocket text message each, without its header.
///
/// Absent values are left out. Times are RFC 3339 in UTC with milliseconds.
public enum ServerFrame {
    /// The first frame of a connection, after authentication.
    public static func welcome(
        connectionID: String, userID: UserID, heartbeatSeconds: Int, limits: Limits
    ) -> [UInt8] {
        frame("welcome", capacity: 1024) { writer in
            writer.field("connection_id", connectionID)
            writer.field("user_id", userID.text)
            writer.field("heartbeat_seconds", heartbeatSeconds)
            writer.key("limits")
            writer.limits(limits)
        }
    }

    /// Says no to a request, or that something failed.
    ///
    /// - Parameters:
    ///   - id: the client frame's `id`, if it carried one.
    ///   - type: the client frame's `type` as it came.
    public static func error(id: String?, for type: String?, roomID: RoomID?, _ error: HubError) -> [UInt8] {
        frame("error", id: id) { writer in
            writer.field("for", type)
            writer.field("room_id", roomID?.text)
            writer.field("code", error.code.rawValue)
            writer.field("message", error.message)
            writer.field("retry_after_ms", error.retryAfterMilliseconds)
        }
    }

    /// Answers a frame that was refused before it became a request.
    public static func error(_ fault: FrameFault) -> [UInt8] {
        error(id: fault.id, for: fault.type, roomID: fault.roomID, fault.error)
    }

    /// Answers `ping`.
    public static func pong(id: String?) -> [UInt8] {
        frame("pong", id: id) { _ in }
    }

    /// The socket no longer gets this room's log.
    public static func left(roomID: RoomID, reason: LeaveReason) -> [UInt8] {
        frame("left") { writer in
            writer.field("room_id", roomID.text)
            writer.field("reason", reason.rawValue)
        }
    }

    /// The user has one room more.
    public static func roomAdded(_ room: RoomRecord) -> [UInt8] {
        frame("room-added", capacity: 512) { writer in
            writer.field("room_id", room.roomID.text)
            writer.key("room")
            writer.room(room)
        }
    }

    /// The user has one room less.
    public static func roomRemoved(roomID: RoomID) -> [UInt8] {
        frame("room-removed") { $0.field("room_id", roomID.text) }
    }

    /// The news of a room that this socket has not joined.
    public static func roomSummary(_ room: RoomRecord, lastExchange: ExchangeRecord?, unread: Int) -> [UInt8] {
        frame("room-summary", capacity: 512) { writer in
            writer.field("room_id", room.roomID.text)
            writer.field("room_name", room.name)
            writer.field("last_activity", room.lastActivity.rfc3339)
            writer.field("message_count", room.messageCount)
            writer.field("unread", unread)
            guard let lastExchange else { return }
            writer.key("last_message")
            writer.lastMessage(lastExchange)
        }
    }

    /// The hub is about to stop; connect again after the given time.
    public static func draining(reconnectAfterMilliseconds: Int) -> [UInt8] {
        frame("draining") { $0.field("reconnect_after_ms", reconnectAfterMilliseconds) }
    }

    /// Writes one frame: its type, its `id` if it has one, and the members that `body` adds.
    static func frame(
        _ type: String, id: String? = nil, capacity: Int = 256, body: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        writer.beginObject()
        writer.field("type", type)
        writer.field("id", id)
        body(&writer)
        writer.endObject()
        return writer.bytes
    }
}

/// Why a socket left a room without asking.
public enum LeaveReason: String, Sendable {
    case membership, deletion, rights
}

extension JSONWriter {
    /// The limits that a client can run into, by their names in the configuration.
    fileprivate mutating func limits(_ limits: Limits) {
        beginObject()
        field("rooms_per_user", limits.roomsPerUser)
        field("room_name_characters_max", Limits.roomNameCharactersMax)
        field("metadata_bytes_max", Limits.metadataBytesMax)
        field("message_text_bytes_max", limits.messageTextBytesMax)
        field("frame_id_characters_max", Limits.frameIDCharactersMax)
        field("web_socket_message_bytes_max", limits.webSocketMessageBytesMax)
        field("page_rows_default", Limits.pageRowsDefault)
        field("page_rows_max", Limits.pageRowsMax)
        field("streams_per_user", limits.streamsPerUser)
        field("waiting_messages_per_session", limits.waitingMessagesPerSession)
        field("response_bytes_max", limits.responseBytesMax)
        field("joined_rooms_per_socket", Limits.joinedRoomsPerSocket)
        field("sockets_per_user", limits.socketsPerUser)
        field("members_per_room", Limits.membersPerRoom)
        endObject()
    }
}
