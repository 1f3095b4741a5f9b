import ChatProtocol
import Wire

// An answer as an event stream: what is known of it goes at once, the rest by a cursor with a filter on its stream.
extension Room {
    /// Where the log ends now.
    var position: LogPosition { LogPosition(epoch: log.epoch, seq: log.seq) }

    func watch(_ request: WatchRequest, _ session: Session, _ command: Command) {
        guard let streamID = streamToWatch(request, session) else { return answer(command, .success(.empty)) }
        let ref = command.origin.connection
        if let (room, turn) = hub.streams[streamID], room === self {
            flushPending(turn)
            guard let rest = rest(of: turn.text, of: streamID, after: request.after) else {
                return sendEvents(StreamEvent.lost(at: position), of: streamID, to: ref, isLast: true)
            }
            // Before its turn an answer has no place in the log; its first event comes with `stream-started`, so who
            // comes back by its name has not seen that.
            let events =
                turn.phase == .waiting
                ? StreamEvent.waiting(streamID, at: position)
                : opening(turn.record, rest, isNew: request.isNew, at: position)
            sendEvents(events, of: streamID, to: ref, isLast: false)
        } else if let exchange = history.exchanges.last(where: { $0.streamID == streamID }) {
            sendEvents(ended(exchange, request), of: streamID, to: ref, isLast: true)
        } else {
            answer(command, .success(.empty))
        }
    }

    /// All that an answer which has ended still has to say to a reader.
    private func ended(_ exchange: ExchangeRecord, _ request: WatchRequest) -> [UInt8] {
        guard let rest = rest(of: Array(exchange.text.utf8), of: exchange.streamID, after: request.after) else {
            return StreamEvent.lost(at: position)
        }
        let outcome = StreamOutcome(
            status: exchange.status, finishReason: exchange.finishReason, usage: exchange.usage, error: exchange.error,
            endedAt: exchange.endedAt ?? now.timestamp)
        guard let end = log.end(of: exchange.streamID), end > log.base else {
            // No place in the log means it any more, and another may run at this one: its name stands in the `id`.
            return opening(exchange, rest, isNew: request.isNew, at: position, isNamed: true)
                + StreamEvent.ended(outcome, at: position)
        }
        let last = LogPosition(epoch: log.epoch, seq: end - 1)
        return opening(exchange, rest, isNew: request.isNew, at: last)
            + StreamEvent.ended(outcome, at: LogPosition(epoch: log.epoch, seq: end))
    }

    /// What a new reader gets first, or one that comes back.
    private func opening(
        _ exchange: ExchangeRecord, _ rest: ArraySlice<UInt8>, isNew: Bool, at position: LogPosition,
        isNamed: Bool = false
    ) -> [UInt8] {
        if isNew { return StreamEvent.began(StreamNames(exchange), rest, at: position, isNamed: isNamed) }
        return rest.isEmpty ? [] : StreamEvent.content(rest, at: position)
    }

    /// The named one; else, for a reader that comes back, the one that ran in the session at its position; else the
    /// session's running one.
    ///
    /// A session runs one stream at a time, so a position means one answer, and behind its end none.
    private func streamToWatch(_ request: WatchRequest, _ session: Session) -> StreamID? {
        if let streamID = request.streamID { return streamID }
        // A turn whose messages are not on disk may turn out to be a repetition, and never be heard of again.
        let running = session.turns.first { !$0.record.messages.isEmpty }?.streamID
        guard let after = request.after else { return running }
        let ended = history.exchanges.filter { $0.sessionID == session.id }.map(\.streamID)
        guard after.epoch.hasSameBytes(as: log.epoch), log.index(after: after.seq) != nil else {
            return running ?? ended.last
        }
        return log.stream(at: after.seq, of: ended + session.turns.map(\.streamID))
    }

    /// The text that a reader has not seen; `nil` if it is not known what it has seen.
    private func rest(of text: [UInt8], of streamID: StreamID, after: LogPosition?) -> ArraySlice<UInt8>? {
        guard let after else { return text[...] }
        guard after.epoch.hasSameBytes(as: log.epoch),
            let offset = log.textOffset(of: streamID, after: after.seq, length: text.count)
        else { return nil }
        return text[offset...]
    }

    func sendEvents(_ events: [UInt8], of streamID: StreamID, to ref: ConnectionRef, isLast: Bool) {
        sendAnswer(
            JoinAnswer(
                number: hub.nextAnswer(), connection: ref, cause: .watching(streamID), body: SharedBytes(events),
                position: position, missed: [], isLast: isLast))
    }
}

extension WatchRequest {
    /// Whether the reader has seen none of the answer's events.
    fileprivate var isNew: Bool { after == nil || streamID != nil }
}
