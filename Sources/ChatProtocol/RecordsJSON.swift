import Wire

// The stored records as JSON objects: one form for frames and for the hub's own HTTP answers.
extension JSONWriter {
    /// Writes a room as an object.
    public mutating func room(_ room: RoomRecord) {
        beginObject()
        roomMembers(room)
        endObject()
    }

    /// Writes a session: `session_id`, `user_id`, `room_id`, `created_at`, `expires_at`; the last is `null` for a
    /// session that does not expire.
    public mutating func session(_ session: SessionRecord) {
        beginObject()
        field("session_id", session.sessionID.text)
        field("user_id", session.userID?.text)
        field("room_id", session.roomID.text)
        field("created_at", session.createdAt.rfc3339)
        key("expires_at")
        if let expiresAt = session.expiresAt { string(expiresAt.rfc3339) } else { null() }
        endObject()
    }

    /// Writes a row of a room list: a room with what its reader has not read, `unread`, and with its `last_message`,
    /// `null` where there is none.
    public mutating func roomListing(_ listing: RoomListing) {
        beginObject()
        roomMembers(listing.room)
        field("unread", listing.unread)
        lastMessageField(listing.lastExchange)
        endObject()
    }

    /// Writes a room with its `last_message`, `null` where there is none.
    mutating func room(_ room: RoomRecord, lastExchange: ExchangeRecord?) {
        beginObject()
        roomMembers(room)
        lastMessageField(lastExchange)
        endObject()
    }

    private mutating func lastMessageField(_ exchange: ExchangeRecord?) {
        key("last_message")
        if let exchange { lastMessage(exchange) } else { null() }
    }

    mutating func roomMembers(_ room: RoomRecord) {
        field("room_id", room.roomID.text)
        field("user_id", room.userID.text)
        field("room_name", room.name)
        field("created_at", room.createdAt.rfc3339)
        field("last_activity", room.lastActivity.rfc3339)
        field("message_count", room.messageCount)
        field("metadata", .object(room.metadata))
    }

    /// Writes an exchange as an object.
    public mutating func exchange(_ exchange: ExchangeRecord) {
        beginObject()
        field("exchange_id", exchange.exchangeID.text)
        field("session_id", exchange.sessionID.text)
        field("user_id", exchange.userID.text)
        field("agent_type", exchange.agentType.isEmpty ? nil : exchange.agentType)
        field("regenerate_of", exchange.regenerateOf?.text)
        field("status", exchange.status.rawValue)
        messagesField(exchange.messages)
        field("text", exchange.text)
        field("reasoning", exchange.reasoning)
        if !exchange.events.isEmpty { field("events", .array(exchange.events)) }
        usageField(exchange.usage)
        field("finish_reason", exchange.finishReason)
        errorField(exchange.error)
        field("started_at", exchange.startedAt.rfc3339)
        field("ended_at", exchange.endedAt?.rfc3339)
        endObject()
    }

    /// Writes a message as an object.
    public mutating func message(_ message: MessageRecord) {
        beginObject()
        messageMembers(message)
        endObject()
    }

    mutating func messageMembers(_ message: MessageRecord) {
        field("message_id", message.messageID)
        field("user_id", message.userID.text)
        field("role", message.role.rawValue)
        field("text", message.text)
        field("timestamp", message.timestamp.rfc3339)
        field("metadata", message.metadata.map { .object($0) })
    }

    /// Writes what a response cost as an object.
    public mutating func usage(_ usage: Usage) {
        beginObject()
        field("prompt_tokens", usage.promptTokens)
        field("completion_tokens", usage.completionTokens)
        field("total_tokens", usage.totalTokens)
        field("model", usage.model)
        field("estimated", usage.isEstimated)
        endObject()
    }

    /// Writes an exchange as the preview in a room list; both texts are cut at `Limits.previewCharactersMax`.
    public mutating func lastMessage(_ exchange: ExchangeRecord) {
        beginObject()
        field("user_input", preview(of: exchange.messages.map(\.text).joined(separator: "\n")))
        field("agent_response", preview(of: exchange.text))
        field("agent_type", exchange.agentType.isEmpty ? nil : exchange.agentType)
        field("timestamp", (exchange.messages.last?.timestamp ?? exchange.startedAt).rfc3339)
        endObject()
    }

    mutating func messagesField(_ messages: [MessageRecord]) {
        key("messages")
        beginArray()
        for message in messages { self.message(message) }
        endArray()
    }

    mutating func usageField(_ usage: Usage?) {
        guard let usage else { return }
        key("usage")
        self.usage(usage)
    }

    mutating func errorField(_ error: StreamError?) {
        guard let error else { return }
        key("error")
        beginObject()
        field("code", error.code.rawValue)
        field("message", error.message)
        endObject()
    }

    mutating func exchangesField(_ name: StaticString, _ exchanges: [ExchangeRecord]) {
        key(name)
        beginArray()
        for exchange in exchanges { self.exchange(exchange) }
        endArray()
    }

    private func preview(of text: String) -> String {
        String(text.unicodeScalars.prefix(Limits.previewCharactersMax))
    }
}
