// What is true outside of the hub: what the agents said and what the disk holds. Everything that the hub shows is held
// against it at the moment at which the hub gives it to a socket, so a promise that is kept a little later is broken.

import Chat
import ChatProtocol
import Wire

@testable import ChatDoubles

/// What is true outside of the hub. Confined to its simulation.
final class Oracle {
    struct Outcome {
        let status: ExchangeStatus
        let text: [UInt8]
        let reasoning: [UInt8]
        let eventCount: Int
        /// It was announced as a failure before it could be stored.
        var isLate = false
    }

    /// A message that is, or was, on disk; one that was cleared away may have been stored again.
    struct Row {
        var exchangeIDs: [String]
        let roomID: String
    }

    /// One life of a room's log, as far as anyone was shown it.
    struct Log {
        let incarnation: Int
        var entries: [UInt64: Int] = [:]
        /// Where streams ended.
        var ends: [String: UInt64] = [:]
    }

    /// What the agents said, by stream.
    var said: [String: [UInt8]] = [:]
    var reasoned: [String: [UInt8]] = [:]
    /// By text: every message of a simulation has another.
    private(set) var rows: [String: Row] = [:]
    private(set) var origins: [String: ExchangeOrigin] = [:]
    private(set) var outcomes: [String: Outcome] = [:]
    /// The order in which messages were stored, by their texts.
    private(set) var messageOrder: [String: Int] = [:]
    /// The order of first commits.
    private(set) var commitOrder: [String: Int] = [:]
    private var streams: [String: String] = [:]
    private var exchangesByStream: [String: String] = [:]
    private(set) var removed: Set<String> = []
    /// In the order in which they were made; also those that are gone.
    private(set) var rooms: [String] = []
    private(set) var sessions: [(id: String, room: String)] = []
    private(set) var names: Set<String> = []
    private(set) var closedSessions: Set<String> = []
    private(set) var clearings = 0
    private var logs: [String: Log] = [:]
    /// Streams whose cancel was accepted.
    var stopped: Set<String> = []
    /// Interrupted answers are asked for again, and what was cancelled is not.
    var remembersCancels = false
    /// How often the hub was started.
    var incarnation = 0
    var violations: [String] = []

    func check(_ condition: Bool, _ fault: @autoclosure () -> String) {
        if !condition { violations.append(fault()) }
    }

    /// The stream that answers an exchange; empty where none does.
    func stream(of exchange: String) -> String { streams[exchange] ?? "" }

    func exchange(ofStream stream: String) -> String? { exchangesByStream[stream] }

    func isStored(_ text: String, in exchange: String) -> Bool { rows[text]?.exchangeIDs.contains(exchange) == true }

    // MARK: - The disk

    func made(_ room: RoomRecord) {
        rooms.append(room.roomID.text)
        sessions.append((room.defaultSessionID.text, room.roomID.text))
    }

    /// The disk has answered a write.
    func answered(_ request: StorageRequest, _ result: StorageResult, _ store: FakeStore) {
        if case .clearHistory(let room, _) = request, case .cleared = result {
            clearings += 1
            let left = Set(store.exchanges(of: room).map(\.exchangeID.text))
            for row in rows.values where row.roomID == room.text {
                removed.formUnion(row.exchangeIDs.filter { !left.contains($0) })
            }
        }
        guard case .stored = result else { return }
        switch request {
        case .createRoom(let room, _): made(room)
        case .createSession(let session, _): sessions.append((session.sessionID.text, session.roomID.text))
        case .closeSession(let id, _): closedSessions.insert(id.text)
        case .updateRoom(let room): names.insert(room.name)
        case .insertMessage(let insertion): stored(insertion)
        case .appendSegment(let segment): stored(segment)
        case .finishExchange(let outcome): ended(outcome)
        case .deleteRoom(_, _, let outcomes): outcomes.forEach(ended)
        default: break
        }
    }

    private func stored(_ insertion: MessageInsertion) {
        let exchange = insertion.exchange
        let text = insertion.message.text
        check(rows[text]?.exchangeIDs.allSatisfy(removed.contains) ?? true, "'\(text)' is stored twice")
        check(
            insertion.message.userID == exchange.userID,
            "'\(text)' of \(insertion.message.userID) is part of an exchange of \(exchange.userID)")
        messageOrder[text] = messageOrder.count
        rows[text, default: Row(exchangeIDs: [], roomID: exchange.roomID.text)].exchangeIDs
            .append(exchange.exchangeID.text)
        if commitOrder[exchange.exchangeID.text] == nil {
            commitOrder[exchange.exchangeID.text] = commitOrder.count
            streams[exchange.exchangeID.text] = exchange.streamID.text
            exchangesByStream[exchange.streamID.text] = exchange.exchangeID.text
        }
        origins[exchange.exchangeID.text] = ExchangeOrigin(
            sessionID: exchange.sessionID.text, isForPeople: exchange.agentType.isEmpty)
    }

    private func stored(_ segment: ResponseSegment) {
        let stream = stream(of: segment.exchangeID.text)
        check(
            (said[stream] ?? []).dropFirst(segment.textOffset).starts(with: segment.text)
                && (reasoned[stream] ?? []).dropFirst(segment.reasoningOffset).starts(with: segment.reasoning),
            "a segment of \(stream) is not what its agent said")
    }

    private func ended(_ outcome: ExchangeOutcome) {
        ended(
            outcome.exchangeID.text,
            Outcome(
                status: outcome.outcome.status, text: outcome.text, reasoning: outcome.reasoning,
                eventCount: outcome.events.count, isLate: outcome.outcome.error?.code == .storageUnavailable))
        check(
            outcome.text.isEmpty || outcome.outcome.usage != nil, "\(outcome.exchangeID) ended without its usage")
        guard outcome.outcome.finishReason == "stop" else { return }
        let stream = stream(of: outcome.exchangeID.text)
        check(
            outcome.text == said[stream] ?? [] && outcome.reasoning == reasoned[stream] ?? [],
            "\(stream) is complete and lacks some of what its agent said")
    }

    private func ended(_ exchange: String, _ outcome: Outcome) {
        let stream = stream(of: exchange)
        check(outcomes[exchange] == nil, "\(exchange) ended twice")
        check(
            (said[stream] ?? []).starts(with: outcome.text) && (reasoned[stream] ?? []).starts(with: outcome.reasoning),
            "the text of \(exchange) is not what its agent said")
        check(
            !stopped.contains(stream) || [.cancelled, .interrupted].contains(outcome.status) || outcome.isLate,
            "\(stream) was cancelled and ends as \(outcome.status)")
        outcomes[exchange] = outcome
    }

    /// The hub starts on what a hub before it left; what still ran there was settled.
    func started(on store: FakeStore) {
        incarnation += 1
        for row in store.exchanges where row.agentType != "" {
            check(row.status.isTerminal, "\(row.exchangeID) runs though nothing runs")
            guard outcomes[row.exchangeID.text] == nil else { continue }
            let isCancelled = store.cancelled.contains(row.exchangeID)
            check(
                row.status == (isCancelled ? .cancelled : .interrupted),
                "\(row.exchangeID) is \(row.status) after a crash")
            check(
                isCancelled || !remembersCancels || !stopped.contains(row.streamID.text),
                "the cancel of \(row.streamID) was accepted, and a restart would ask again")
            ended(
                row.exchangeID.text,
                Outcome(
                    status: row.status, text: Array(row.text.utf8), reasoning: Array((row.reasoning ?? "").utf8),
                    eventCount: row.events.count))
        }
    }

    // MARK: - What the hub shows

    /// The hub has given a frame to a socket.
    ///
    /// - Parameter epochs: of each room's latest `joined` on that socket.
    func shown(_ frame: Frame, _ payload: [UInt8], _ epochs: inout [String: String]) {
        if frame.isOfLog, let epoch = epochs[frame.room] { checkEntry(frame, payload, epoch) }
        switch frame.type {
        case "message":
            check(
                isStored(frame.text("text"), in: frame.text("exchange_id")),
                "the message '\(frame.text("text"))' is shown and not stored")
        case "stream-started":
            check(commitOrder[frame.text("exchange_id")] != nil, "\(frame.text("exchange_id")) starts unstored")
        case "chunk", "reasoning": checkPiece(frame.object, isText: frame.type == "chunk")
        case "chunks":
            for part in frame.objects("parts") { checkPiece(part, isText: part.text("kind") == "text") }
        case "stream-ended": checkEnd(frame)
        case "joined":
            epochs[frame.room] = frame.text("epoch") + (frame.text("epoch").contains(".") ? "@\(frame.seq)" : "")
            checkEpoch(frame)
            checkSnapshot(frame)
        default: break
        }
    }

    /// What follows a snapshot has positions of its own, up to the end that its epoch names behind a dot; from there on
    /// it is the log that all are shown.
    private func logKey(_ frame: Frame, _ epoch: String) -> String {
        let parts = epoch.split(separator: ".")
        guard parts.count == 2, let end = UInt64(parts[1].prefix { $0 != "@" }) else { return frame.room + "/" + epoch }
        return frame.room + "/" + (frame.seq > end ? String(parts[0]) : epoch)
    }

    /// Everyone is shown the same log, and no life of it goes on after a restart.
    private func checkEntry(_ frame: Frame, _ payload: [UInt8], _ epoch: String) {
        let key = logKey(frame, epoch)
        let streams =
            frame.type == "chunks" ? frame.objects("parts").map { $0.text("stream_id") } : [frame.text("stream_id")]
        for stream in streams where stream != "" {
            check(frame.seq <= logs[key]?.ends[stream] ?? .max, "\(frame.type) of \(stream) stands behind its end")
            if frame.type == "stream-ended" { logs[key]?.ends[stream] = frame.seq }
        }
        guard frame.type != "chunks", frame.object["first_seq"] == nil else { return }
        let hash = payload.hashValue
        if let held = logs[key]?.entries[frame.seq] {
            check(held == hash, "entry \(frame.seq) of \(frame.room) is shown as two different ones")
        } else {
            logs[key]?.entries[frame.seq] = hash
        }
    }

    private func checkPiece(_ part: JSONObject, isText: Bool) {
        let stream = part.text("stream_id")
        let whole = (isText ? said[stream] : reasoned[stream]) ?? []
        let offset = Int(part["offset"]?.int ?? 0)
        check(
            whole.dropFirst(offset).starts(with: part.bytes("delta")),
            "a chunk of \(stream) at \(offset) is not what its agent said")
    }

    private func checkEnd(_ frame: Frame) {
        let id = frame.text("exchange_id")
        if let storedLength = frame.object["stored_length"]?.int {
            check(frame.text("status") == "failed", "\(id) could not be stored and is \(frame.text("status"))")
            check(storedLength <= frame.number("length"), "\(id) is longer on disk")
            return
        }
        guard let outcome = outcomes[id] else { return check(false, "\(id) is shown as ended and not stored so") }
        check(outcome.status.rawValue == frame.text("status"), "\(id) is \(outcome.status), not as shown")
        check(outcome.text.count == frame.number("length"), "\(id) has \(outcome.text.count) bytes, not as shown")
    }

    private func checkSnapshot(_ frame: Frame) {
        var last = -1
        for object in frame.objects("history") {
            let id = object.text("exchange_id")
            let order = commitOrder[id] ?? -1
            check(order > last, "\(id) is out of its order in the history")
            last = order
            for message in object.objects("messages") {
                check(isStored(message.text("text"), in: id), "'\(message.text("text"))' is not stored in \(id)")
            }
            guard let outcome = outcomes[id], !isFailure(object) else { continue }
            check(outcome.status.rawValue == object.text("status"), "\(id) is \(outcome.status), not as in history")
            check(outcome.text == object.bytes("text"), "the history shows another text of \(id)")
        }
        for object in frame.objects("streams") {
            let stream = object.text("stream_id")
            check(
                (said[stream] ?? []).starts(with: object.bytes("text"))
                    && (reasoned[stream] ?? []).starts(with: object.bytes("reasoning")),
                "the snapshot's text of \(stream) is not what its agent said")
        }
    }

    private func isFailure(_ exchange: JSONObject) -> Bool {
        exchange["error"]?.object?.text("code") == ErrorCode.storageUnavailable.rawValue
    }

    private func checkEpoch(_ frame: Frame) {
        let key = frame.room + "/" + frame.text("epoch").prefix { $0 != "." }
        let log = logs[key] ?? Log(incarnation: incarnation)
        check(log.incarnation == incarnation, "\(frame.room) goes on in an epoch from before a restart")
        logs[key] = log
    }
}
