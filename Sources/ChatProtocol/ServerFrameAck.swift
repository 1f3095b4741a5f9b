import Wire

extension ServerFrame {
    /// Says yes to a request.
    ///
    /// - Parameter id: the client frame's `id`, if it carried one.
    public static func ack(id: String?, for type: ClientFrameType, _ ack: Ack) -> [UInt8] {
        frame("ack", id: id) { writer in
            writer.field("for", type.rawValue)
            writer.ackMembers(ack)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func ackMembers(_ ack: Ack) {
        switch ack {
        case .room(let room):
            key("room")
            self.room(room)
        case .roomWithMembers(let room, let members):
            key("room")
            self.room(room, members: members)
        case .member(let roomID, let member, _):
            field("room_id", roomID.text)
            key("member")
            beginObject()
            memberMembers(member)
            endObject()
        case .memberRemoved(let roomID, let userID):
            field("room_id", roomID.text)
            field("user_id", userID.text)
        case .roomDeleted(let roomID):
            key("room")
            beginObject()
            field("room_id", roomID.text)
            endObject()
        case .rooms(let listings, let total):
            key("rooms")
            beginArray()
            for listing in listings { roomListing(listing) }
            endArray()
            field("total", total)
        case .left(let roomID): field("room_id", roomID.text)
        case .sent(let receipt): sendMembers(receipt)
        case .begun(let session, let receipt):
            key("session")
            self.session(session)
            sendMembers(receipt)
        case .cancel(let receipt): cancelMembers(receipt)
        case .session(let session):
            key("session")
            self.session(session)
        case .stopped(let session, let partial):
            key("session")
            self.session(session)
            field("partial_response", partial)
        case .reset(let sessionID, let agentType, let count):
            field("session_id", sessionID.text)
            field("reset_scope", agentType ?? "all")
            field("conversations_cleared", count)
        case .historyCleared(let count): field("conversations_cleared", count)
        case .history(let exchanges, let nextBefore):
            exchangesField("exchanges", exchanges)
            field("next_before", nextBefore?.text)
        case .exchange(let exchange): exchangesField("exchanges", [exchange])
        case .historyPage(let exchanges, let total, _):
            exchangesField("exchanges", exchanges)
            field("total", total)
        case .empty: break
        }
    }

    private mutating func sendMembers(_ receipt: SendReceipt) {
        field("exchange_id", receipt.exchangeID.text)
        field("stream_id", receipt.streamID?.text)
        if receipt.isQueued { field("queued", true) }
        guard let status = receipt.duplicateStatus else { return }
        field("duplicate", true)
        field("status", status.rawValue)
    }

    private mutating func cancelMembers(_ receipt: CancelReceipt) {
        switch receipt {
        case .accepted: field("state", "accepted")
        case .ended(let status):
            field("state", "ended")
            field("status", status?.rawValue)
        }
    }
}
