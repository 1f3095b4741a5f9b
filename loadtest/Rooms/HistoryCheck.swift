import Wire

/// Reads a room's whole history and compares it with what was sent and with what the watchers got: each acknowledged
/// send once, each text byte for byte. Confined to the main thread.
final class HistoryCheck {
    private let room: Room
    /// How often each message was found.
    private var found: [String: Int] = [:]
    private var isDone = false
    private static let rowsPerPage: JSONValue = 50

    init(_ room: Room) { self.room = room }

    func run(_ engine: Engine) throws(Failure) {
        ask(before: nil)
        try engine.run("the history of \(room.id)") { isDone }
        for exchange in room.exchanges {
            let times = found[exchange.messageID] ?? 0
            if times == 1 || times == 0 && !exchange.isAcknowledged {
                room.tally.history.pass()
            } else {
                fail("a message that was acknowledged is in the history \(times) times", exchange)
            }
        }
    }

    private func ask(before: String?) {
        var fields: JSONObject = ["room_id": .string(room.id), "limit": Self.rowsPerPage]
        fields["before"] = before.map(JSONValue.string)
        room.author.demand("history", fields) { [self] ack in
            for value in ack["exchanges"]?.array ?? [] { check(value.object ?? JSONObject()) }
            if let next = ack["next_before"]?.string { ask(before: next) } else { isDone = true }
        }
    }

    private func check(_ stored: JSONObject) {
        let id = stored["exchange_id"]?.string
        for message in stored["messages"]?.array ?? [] {
            guard let message = message.object, room.exchange(ofMessage: message, id: id) != nil else {
                return fail("the history of \(room.id) has a message that nobody sent", nil)
            }
            found[message["message_id"]?.string ?? "", default: 0] += 1
        }
        guard let exchange = room.exchange(withID: id) else {
            return fail("the history has an unknown exchange", nil)
        }
        guard case .settled(let status, let length)? = exchange.end, stored["status"]?.string == status else {
            return fail("the history has another status than the watchers got", exchange)
        }
        var text = stored["text"]?.string ?? ""
        let isSame = text.withUTF8 { exchange.text.isWhole(UnsafeRawBufferPointer($0)) }
        guard isSame, text.utf8.count == length else {
            return fail("the stored text differs from what the watchers got", exchange)
        }
    }

    private func fail(_ what: String, _ exchange: Exchange?) {
        room.tally.history.fail(what, room: room.id, stream: exchange?.streamID)
    }
}
