import ChatProtocol
import Wire

// An answer as an event stream: what is known of it goes at once, the rest by a cursor with a filter on its stream.
extension Room {
    /// Where the log ends now.
    var position: LogPosition { LogPosition(epoch: log.epoch, seq: log.seq) }

    func watch(_ request: WatchRequest, _ session: Session, _ command: Command) {
        guard let streamID = streamToWatch(request, session) else { return answer(command, .success(.empty)) }
        let ref = command.origin.connection
        if let turn = turns.first(where: { $0.streamID == streamID }) {
            flushPending(turn)
            guard let rest = rest(of: turn.text, of: streamID, after: request.after) else {
                return sendEvents(StreamEvent.lost(at: position), of: streamID, to: ref, isLast: true)
            }
            var events = request.after == nil ? StreamEvent.began(turn.record, at: position) : []
            if turn.phase == .waiting { events += StreamEvent.comment("waiting") }
            if !rest.isEmpty { events += StreamEvent.content(rest, at: position) }
            sendEvents(events, of: streamID, to: ref, isLast: false)
        } else if let exchange = history.last(where: { $0.streamID == streamID }) {
            sendEvents(ended(exchange, after: request.after), of: streamID, to: ref, isLast: true)
        } else {
            answer(command, .success(.empty))
        }
    }

    /// All that an answer which has ended still has to say to a reader.
    private func ended(_ exchange: ExchangeRecord, after: LogPosition?) -> [UInt8] {
        guard let rest = rest(of: Array(exchange.text.utf8), of: exchange.streamID, after: after) else {
            return StreamEvent.lost(at: position)
        }
        let outcome = StreamOutcome(
            status: exchange.status, finishReason: exchange.finishReason, usage: exchange.usage, error: exchange.error,
            endedAt: exchange.endedAt ?? now.timestamp)
        return (after == nil ? StreamEvent.began(exchange, at: position) : [])
            + (rest.isEmpty ? [] : StreamEvent.content(rest, at: position)) + StreamEvent.ended(outcome, at: position)
    }

    /// The named one, else the session's running one, else the last that ended since the reader was here.
    private func streamToWatch(_ request: WatchRequest, _ session: Session) -> StreamID? {
        if let streamID = request.streamID { return streamID }
        if let text = request.text {
            return session.turns.last { $0.record.messages.contains { $0.text == text } }?.streamID
        }
        if let running = session.turns.first { return running.streamID }
        guard let after = request.after else { return nil }
        let ofSession = Set(history.filter { $0.sessionID == session.id }.map(\.streamID))
        guard after.epoch == log.epoch else { return history.last { $0.sessionID == session.id }?.streamID }
        return log.streamsEnded(after: after.seq).first { ofSession.contains($0) }
    }

    /// The text that a reader has not seen; `nil` if it is not known what it has seen.
    private func rest(of text: [UInt8], of streamID: StreamID, after: LogPosition?) -> ArraySlice<UInt8>? {
        guard let after else { return text[...] }
        guard after.epoch == log.epoch,
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
