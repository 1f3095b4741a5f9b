import ChatProtocol

/// A limit that a configuration may change, by its key under `limits`.
struct LimitSetting {
    let key: String
    let field: WritableKeyPath<Limits, Int>
    let range: ClosedRange<Int>

    private static let countMax = 1_000_000_000
    private static let bytesMax = 1 << 40
    private static let secondsMax = 86_400

    /// Every `var` of `Limits`; a test compares both.
    static var all: [LimitSetting] {
        [
            LimitSetting(key: "rooms_per_user", field: \.roomsPerUser, range: 0...countMax),
            LimitSetting(key: "message_text_bytes_max", field: \.messageTextBytesMax, range: 1...(16 << 20)),
            LimitSetting(
                key: "web_socket_message_bytes_max", field: \.webSocketMessageBytesMax, range: 1024...(64 << 20)),
            LimitSetting(key: "http_body_bytes_max", field: \.httpBodyBytesMax, range: 1024...(64 << 20)),
            LimitSetting(key: "http_head_bytes_max", field: \.httpHeadBytesMax, range: 1024...(1 << 20)),
            LimitSetting(key: "streams_per_user", field: \.streamsPerUser, range: 1...countMax),
            LimitSetting(key: "streams_per_node", field: \.streamsPerNode, range: 1...countMax),
            LimitSetting(
                key: "waiting_messages_per_session", field: \.waitingMessagesPerSession, range: 1...countMax),
            LimitSetting(key: "uncommitted_sends_per_room", field: \.uncommittedSendsPerRoom, range: 1...countMax),
            LimitSetting(key: "parked_commands_per_room", field: \.parkedCommandsPerRoom, range: 1...countMax),
            LimitSetting(key: "queued_commands_per_user", field: \.queuedCommandsPerUser, range: 1...countMax),
            LimitSetting(key: "snapshot_exchanges_max", field: \.snapshotExchangesMax, range: 1...1_000),
            LimitSetting(key: "sessions_per_room", field: \.sessionsPerRoom, range: 1...countMax),
            LimitSetting(key: "session_minutes", field: \.sessionMinutes, range: 1...1_000_000),
            LimitSetting(key: "agent_silent_seconds", field: \.agentSilentSeconds, range: 1...secondsMax),
            LimitSetting(key: "response_bytes_max", field: \.responseBytesMax, range: 1...(64 << 20)),
            LimitSetting(key: "log_tail_bytes_max", field: \.logTailBytesMax, range: 0...bytesMax),
            LimitSetting(key: "joined_bytes_max", field: \.joinedBytesMax, range: 1024...(64 << 20)),
            LimitSetting(key: "memory_bytes_max", field: \.memoryBytesMax, range: (1 << 20)...bytesMax),
            LimitSetting(key: "unread_bytes_max", field: \.unreadBytesMax, range: (1 << 20)...bytesMax),
            LimitSetting(key: "connection_bytes_max", field: \.connectionBytesMax, range: (1 << 20)...bytesMax),
            LimitSetting(key: "sockets_per_user", field: \.socketsPerUser, range: 1...countMax),
            LimitSetting(key: "heartbeat_seconds", field: \.heartbeatSeconds, range: 1...secondsMax),
            LimitSetting(key: "request_seconds", field: \.requestSeconds, range: 1...secondsMax),
            LimitSetting(key: "no_progress_seconds", field: \.noProgressSeconds, range: 1...secondsMax),
            LimitSetting(key: "coalesce_milliseconds_max", field: \.coalesceMillisecondsMax, range: 0...10_000),
            LimitSetting(key: "drain_seconds", field: \.drainSeconds, range: 0...secondsMax),
            LimitSetting(
                key: "restart_interrupted_seconds", field: \.restartInterruptedSeconds, range: 0...secondsMax),
        ]
    }
}
