import ChatProtocol
import Wire

/// One turn of a session: messages on their way in, then the stream of the answer. Confined to its room's home.
final class Turn {
    enum Phase {
        /// Messages may still join, unless `isClosed`.
        case waiting
        case streaming
        /// The outcome is decided; the agent has been told.
        case stopping
        /// The outcome is on its way to disk.
        case settling
    }

    var record: ExchangeRecord
    var phase = Phase.waiting
    /// `stream-started` stands in the log.
    var hasStarted = false
    var isClosed = false
    /// Bytes of its messages.
    var messageBytes = 0
    /// Sends of this turn that storage has not answered.
    var uncommitted = 0
    /// Sends of this turn that were taken, committed or not.
    var accepted = 0
    /// The session was reset meanwhile: what comes of this turn is not part of its context.
    var isForgotten = false
    /// The context was forgotten while it was being read.
    var startsAfresh = false
    /// Another turn ended while the context was being read: it is read again for the next one.
    var contextIsBehind = false
    /// Its place in the order of first commits, once it has one.
    var commit: Int?
    /// The first terminal cause to reach the home.
    var verdict: StreamOutcome?

    var text: [UInt8] = []
    var reasoning: [UInt8] = []
    var eventBytes = 0
    /// The agent called a tool and has said nothing since.
    var lastEventWasTool = false
    var usage: Usage?
    /// Bytes of text and reasoning that `usage` counts.
    var bytesReported = 0
    /// Tokens that wait for their window to end, all of one kind.
    var pending: [UInt8] = []
    var pendingKind = DeltaKind.text
    /// How many times the agent spoke since the last chunk.
    var pendingCount = 0
    /// It stands in the hub's list of turns that wait for the end of the window.
    var isHeldBack = false
    /// It stands in its room's list of turns to look at.
    var isNoted = false
    /// A chunk has left.
    var hasSpoken = false
    var agentRuns = false
    /// What a client released before the agent ran.
    var tokensReleased = 0
    var lastEventAt: UInt64 = 0
    var stoppingSince: UInt64 = 0

    var checkpoint = Checkpoint()
    var settlingSince: UInt64 = 0
    var settleRetryAt: UInt64?

    /// How much of the response is on disk, and on its way there.
    struct Checkpoint {
        var textStored = 0
        var reasoningStored = 0
        var eventsStored = 0
        var inFlight: (text: Int, reasoning: Int, events: Int)?
        var dueAt: UInt64?
        /// The last one was not stored: the next waits its time, however much there is to store.
        var hasFailed = false
    }

    init(record: ExchangeRecord) { self.record = record }

    var streamID: StreamID { record.streamID }
    var exchangeID: ExchangeID { record.exchangeID }
    /// No agent answers it: it is stored, shown, and that is all.
    var isForPeople: Bool { streamID.text.isEmpty }
    /// What it takes of its room's memory.
    var heldBytes: Int { responseBytes + messageBytes }
    /// As much as was counted last.
    var countedBytes = 0
    var responseBytes: Int { text.count + reasoning.count + pending.count + eventBytes }

    var snapshot: StreamSnapshot {
        StreamSnapshot(
            streamID: streamID, exchangeID: exchangeID, sessionID: record.sessionID, userID: record.userID,
            agentType: record.agentType, regenerateOf: record.regenerateOf, isStreaming: hasStarted,
            messages: record.messages, text: text, reasoning: reasoning, events: record.events,
            startedAt: record.startedAt)
    }

    /// The exchange as history shows it, once it has ended.
    var ended: ExchangeRecord {
        var record = record
        record.text = String(decoding: text, as: UTF8.self)
        record.reasoning = reasoning.isEmpty ? nil : String(decoding: reasoning, as: UTF8.self)
        if let verdict {
            record.status = verdict.status
            record.finishReason = verdict.finishReason
            record.usage = verdict.usage
            record.error = verdict.error
            record.endedAt = verdict.endedAt
        }
        return record
    }
}

extension Turn {
    /// What storage is told when the turn has ended.
    var exchangeOutcome: ExchangeOutcome {
        ExchangeOutcome(
            exchangeID: exchangeID, outcome: verdict ?? StreamOutcome(status: .interrupted, endedAt: record.startedAt),
            text: text, reasoning: reasoning, events: record.events)
    }

    /// Counts what the model did not report. Of an answer that was stopped its last report may be of the beginning.
    func countUsage() {
        let unreported = text.count + reasoning.count - bytesReported
        guard unreported > 0, usage == nil || verdict?.status != .completed else { return }
        let counted = Usage.estimated(bytes: unreported).completionTokens ?? 0
        usage = Usage(
            promptTokens: usage?.promptTokens, completionTokens: (usage?.completionTokens ?? 0) + counted,
            totalTokens: usage?.totalTokens.map { $0 + counted }, model: usage?.model, isEstimated: true)
        bytesReported += unreported
    }

    /// Whether a message with this key is part of the turn, stored or on its way.
    func holds(_ key: String, of user: UserID, _ uncommitted: [PendingSend]) -> Bool {
        record.messages.contains { $0.isKey(key, of: user) }
            || uncommitted.contains { $0.turn === self && $0.isKey(key, of: user) }
    }
}

extension StreamOutcome {
    /// The response reached its limit.
    static func tooLong(at timestamp: Timestamp) -> StreamOutcome {
        StreamOutcome(status: .completed, finishReason: "length", endedAt: timestamp)
    }
}

extension ArraySlice<UInt8> {
    /// The longest prefix of at most `count` bytes that ends at a Unicode scalar's end.
    func wholeScalars(atMost count: Int) -> ArraySlice<UInt8> {
        guard self.count > count else { return self }
        var end = startIndex + Swift.max(0, count)
        while end > startIndex, self[end] & 0xc0 == 0x80 { end -= 1 }
        return self[..<end]
    }
}
