import ChatProtocol
import Wire

/// Publishes in one room of the floor what a hub and its agent would: messages, streams and their ends, one answer
/// after the other, with names of a hub's length. Confined to the main thread.
final class FloorSpeaker: Client {
    private struct Answer {
        let exchange: Exchange
        let id: ExchangeID
        let stream: StreamID
        var said = 0
    }

    private let room: RoomID
    private var seq: UInt64 = 0
    private var current: Answer?
    private var waiting: [Answer] = []

    init(_ engine: Engine, _ room: Room) {
        self.room = RoomID(room.id)
        super.init(engine)
    }

    /// Answers now, or after what is being said.
    func begin(_ exchange: Exchange, number: Int) {
        exchange.isAcknowledged = true
        let name = hexadecimal(number, digits: 20)
        let (id, stream) = (ExchangeID("exchange_\(name)"), StreamID("stream_\(name)"))
        waiting.append(Answer(exchange: exchange, id: id, stream: stream))
        if current == nil { beginNext() }
    }

    func release(_ count: Int, of exchange: Exchange) {
        if current?.exchange === exchange { say(count) }
    }

    /// Ends what is being said and forgets what waits.
    func cancel() {
        for answer in waiting { answer.exchange.end = .settled("cancelled", length: 0) }
        waiting = []
        if current != nil { end(.cancelled) }
    }

    private func beginNext() {
        guard !waiting.isEmpty else { return }
        let answer = waiting.removeFirst()
        current = answer
        let script = answer.exchange.script
        seq += 2
        send([
            ServerFrame.message(
                roomID: room, seq: seq - 1, exchangeID: answer.id,
                MessageRecord(
                    messageID: answer.exchange.messageID, userID: UserID("floor"), role: .user,
                    text: answer.exchange.messageText,
                    timestamp: .now)),
            ServerFrame.streamStarted(
                roomID: room, seq: seq, streamID: answer.stream, exchangeID: answer.id,
                sessionID: SessionID("session_\(hexadecimal(0, digits: 20))"), agentType: "synthetic",
                startedAt: .now),
        ])
        if script.rate > 0 { sayDue(answer.exchange, since: Clock.now()) } else { say(answer.exchange.released) }
    }

    /// Says what is due by the script's rate, and goes on when more is.
    private func sayDue(_ exchange: Exchange, since start: UInt64) {
        guard let answer = current, answer.exchange === exchange else { return }
        let interval = 1e9 / exchange.script.rate
        let due = Int(Double(Clock.now() - start) / interval) + 1 - answer.said
        if due > 0 { say(due) }
        let next = start + UInt64((Double(answer.said + max(0, due)) * interval).rounded(.up))
        engine.schedule(at: next) { [weak self] in self?.sayDue(exchange, since: start) }
    }

    private func say(_ count: Int) {
        guard let answer = current else { return }
        let script = answer.exchange.script
        let source = SyntheticText(seed: script.seed)
        let end = min(answer.said + count, script.tokens)
        let frames = (answer.said..<end).map { index in
            withUnsafeTemporaryAllocation(byteCount: script.tokenBytes, alignment: 8) { token in
                source.write(index, stamp: script.stamps ? Clock.now() : nil, into: token)
                seq += 1
                return ServerFrame.chunk(
                    roomID: room, seq: seq, streamID: answer.stream, offset: index * script.tokenBytes,
                    delta: UnsafeRawBufferPointer(token))
            }
        }
        current?.said = end
        send(frames)
        if end == script.tokens { self.end(.completed) }
    }

    private func end(_ status: ExchangeStatus) {
        guard let answer = current else { return }
        seq += 1
        send(
            ServerFrame.streamEnded(
                roomID: room, seq: seq, streamID: answer.stream, exchangeID: answer.id,
                outcome: StreamOutcome(status: status, endedAt: .now),
                length: answer.said * answer.exchange.script.tokenBytes))
        current = nil
        beginNext()
    }
}

/// A number in so many digits.
func hexadecimal(_ number: Int, digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}
