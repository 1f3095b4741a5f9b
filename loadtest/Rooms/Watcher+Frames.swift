import Wire

// The frames that no watcher of the room got before, by their types.
extension Watcher {
    func parse(_ text: UnsafeRawBufferPointer) {
        guard let frame = try? JSONValue(parsing: text).object, let type = frame["type"]?.string else {
            return wrong("a frame that is not a JSON object with a type")
        }
        switch type {
        case "chunk", "chunks", "message", "stream-started", "stream-ended", "reset", "history-cleared",
            "room-updated", "room-deleted", "member-joined", "member-left":
            takeEntry(type, frame, text)
        case "joined": takeJoined(frame)
        case "ack": answer(frame, .success(frame))
        case "error": takeError(frame)
        case "welcome":
            stage = .welcome
            limits = frame["limits"]?.object ?? limits
            welcomed?()
        case "left": stage = .welcome
        // States beside the log, and news of rooms that this user does not watch.
        case "presence", "typing", "read", "room-added", "room-removed", "room-summary", "pong": break
        case "draining": engine.fail("the hub stops: it sent 'draining'")
        default: wrong("a frame that the protocol does not have here: \(excerpt(text))")
        }
    }

    // MARK: - The log

    /// An entry, or several in one frame; each follows the one before.
    private func takeEntry(_ type: String, _ frame: JSONObject, _ text: UnsafeRawBufferPointer) {
        guard stage == .joined, frame["room_id"]?.string == room.id else {
            return wrong("an entry of a room that it has not joined: \(excerpt(text))")
        }
        guard let last = frame.position("seq"), case let first = frame.position("first_seq") ?? last, first <= last
        else { return wrong("an entry without a position: \(excerpt(text))") }
        tally.frames &+= 1
        guard first == seq + 1 else {
            return wrong("its log has a gap: \(seq) is followed by \(first)")
        }
        switch type {
        case "chunk":
            let before = seq
            guard let piece = takePiece(frame, to: last) else { return }
            room.frames.keep(text, at: before + 1, piece)
        case "chunks":
            for part in frame["parts"]?.array ?? [] {
                guard let part = part.object, takePiece(part, to: last) != nil else {
                    return wrong("a part of chunks that is none: \(excerpt(text))")
                }
            }
        case "message":
            guard room.exchange(ofMessage: frame, id: frame["exchange_id"]?.string) != nil else {
                return wrong("a message that nobody sent: \(excerpt(text))")
            }
        case "stream-started": takeStart(frame)
        case "stream-ended": takeEnd(frame, at: last)
        default: break
        }
        seq = last
    }

    private func takePiece(_ fields: JSONObject, to last: UInt64) -> VerifiedFrames.Meaning? {
        guard let exchange = room.exchange(ofStream: fields["stream_id"]?.string),
            let offset = fields["offset"]?.int.map(Int.init), var delta = fields["delta"]?.string
        else {
            wrong("a piece of an unknown stream, or without a text: \(fields["stream_id"]?.string ?? "")")
            return nil
        }
        let wrongOffset = delta.withUTF8 { exchange.text.mismatch(UnsafeRawBufferPointer($0), at: offset) }
        if let wrongOffset {
            wrong("a text that differs from what the agent said", exchange, at: wrongOffset)
            return nil
        }
        let count = delta.utf8.count
        let tokens = exchange.tokens(at: offset, count: count)
        take(exchange, at: offset, count, tokens, to: last)
        return VerifiedFrames.Meaning(exchange: exchange, offset: offset, count: count, tokens: tokens, seq: last)
    }

    private func takeStart(_ frame: JSONObject) {
        guard let exchange = room.exchange(withID: frame["exchange_id"]?.string),
            let stream = frame["stream_id"]?.string, room.bind(exchange, to: stream)
        else { return wrong("a stream that answers no message") }
        begin(exchange)
    }

    private func takeEnd(_ frame: JSONObject, at last: UInt64) {
        guard let exchange = room.exchange(withID: frame["exchange_id"]?.string),
            let status = frame["status"]?.string, let length = frame["length"]?.int.map(Int.init)
        else { return wrong("the end of an unknown stream") }
        let isReading = turn(to: exchange)
        let have = isReading ? textBytes : 0
        guard length == have else {
            return wrong("its text has \(have) bytes, and stream-ended says \(length)", exchange, at: have)
        }
        finish(exchange)
        guard status == "completed" || status == "cancelled" else {
            let error = frame["error"]?.object
            let reason = "\(error?["code"]?.string ?? ""), \(error?["message"]?.string ?? "")"
            return wrong("an answer \(status): \(reason). Is it a hub with --synthetic?", exchange, at: have)
        }
        guard learn(.settled(status, length: length), of: exchange) else { return }
        if exchange.endSeq == nil { (exchange.endSeq, exchange.endedAt) = (last, engine.now) }
        if room.author === self { room.tally.ended(exchange, at: engine.now) }
        ends?(exchange)
    }

    private func learn(_ end: Exchange.End, of exchange: Exchange) -> Bool {
        if exchange.end == nil { exchange.end = end }
        if exchange.end != end { wrong("another end than others got: \(end)", exchange) }
        return exchange.end == end
    }

    // MARK: - Joining

    private func takeJoined(_ frame: JSONObject) {
        guard frame["room_id"]?.string == room?.id, let seq = frame.position("seq"), let epoch = frame["epoch"]?.string
        else { return wrong("it joined another room, or nowhere") }
        let isAnswer = frame["id"] != nil
        if frame["recovered"]?.bool == true {
            guard isAnswer, seq == self.seq, epoch == self.epoch else {
                return wrong("recovered at \(epoch):\(seq) instead of \(self.epoch):\(self.seq)")
            }
        } else {
            if !isAnswer { snapshots += 1 }
            if epoch != self.epoch { room.frames.removeAll() }
            (self.epoch, self.seq) = (epoch, seq)
            guard takeSnapshot(frame) else { return }
        }
        stage = .joined
        guard isAnswer else { return }
        (joinedAt, lastTokenAt) = (engine.now, nil)
        answer(frame, .success(frame))
    }

    /// Replaces everything that this watcher has, and checks all that it gets instead.
    private func takeSnapshot(_ frame: JSONObject) -> Bool {
        let before = others + (current.map { [($0, textBytes)] } ?? [])
        (current, textBytes, others, lastTokenAt) = (nil, 0, [], nil)
        for value in frame["history"]?.array ?? [] {
            guard let object = value.object, let exchange = exchange(in: object, isWhole: true) else { return false }
            let end = Exchange.End.settled(object["status"]?.string ?? "", length: exchange.text.count)
            guard learn(end, of: exchange) else { return false }
            if exchange.endSeq == nil { (exchange.endSeq, exchange.endedAt) = (seq, engine.now) }
        }
        for value in frame["streams"]?.array ?? [] {
            guard let object = value.object, let exchange = exchange(in: object, isWhole: false) else { return false }
            guard object["state"] == "streaming" else { continue }
            let count = object["text"]?.string?.utf8.count ?? 0
            begin(exchange, textBytes: count)
            let had = before.first { $0.0 === exchange }.map { $0.1 } ?? 0
            let tokens = exchange.tokens(at: had, count: max(0, count - had))
            exchange.hold(tokens)
            tally.skipped(tokens.count)
        }
        return true
    }

    /// An exchange of a snapshot, its text checked.
    private func exchange(in object: JSONObject, isWhole: Bool) -> Exchange? {
        let id = object["exchange_id"]?.string
        for message in object["messages"]?.array ?? [] {
            guard let message = message.object, room.exchange(ofMessage: message, id: id) != nil else {
                wrong("a snapshot has a message that nobody sent")
                return nil
            }
        }
        guard let exchange = room.exchange(withID: id) else {
            wrong("a snapshot has an unknown exchange")
            return nil
        }
        if let stream = object["stream_id"]?.string, !room.bind(exchange, to: stream) {
            wrong("a snapshot has another stream for an exchange", exchange)
            return nil
        }
        var text = object["text"]?.string ?? ""
        let isRight = text.withUTF8 { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            return exchange.text.mismatch(bytes, at: 0) == nil && (!isWhole || bytes.count == exchange.text.count)
                || exchange.text.isWhole(bytes)
        }
        guard isRight else {
            wrong("a snapshot has another text of \(text.utf8.count) bytes", exchange, at: text.utf8.count)
            return nil
        }
        tally.frames &+= 1
        return exchange
    }

    // MARK: - Answers

    private func answer(_ frame: JSONObject, _ result: Result<JSONObject, Refusal>) {
        guard let id = frame["id"]?.string, let then = answers.removeValue(forKey: id) else {
            return wrong("an answer to nothing: \(frame["for"]?.string ?? "")")
        }
        then(result)
    }

    private func takeError(_ frame: JSONObject) {
        let refusal = Refusal(
            code: frame["code"]?.string ?? "", message: frame["message"]?.string ?? "",
            retryAfterMilliseconds: frame["retry_after_ms"]?.int)
        guard frame["id"] != nil else { return wrong("an error: \(refusal.text)") }
        answer(frame, .failure(refusal))
    }

    private func excerpt(_ text: UnsafeRawBufferPointer) -> String { String(decoding: text.prefix(300), as: UTF8.self) }
}

extension JSONObject {
    fileprivate func position(_ name: String) -> UInt64? { self[name]?.int.flatMap(UInt64.init(exactly:)) }
}
