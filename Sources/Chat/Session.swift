import ChatProtocol
import Wire

/// A session as its room's home holds it: one turn runs, the others wait in order.
struct Session {
    var record: SessionRecord
    /// The first runs, or is about to.
    var turns: [Turn] = []
    /// What each agent remembers, read from storage when it is first needed.
    var contexts: [String: [ContextMessage]] = [:]
    /// What it takes of its room's memory, as it was counted last.
    var countedBytes = 0
    /// When a context was last used.
    var contextUsedAt: UInt64 = 0
    /// When its table has it looked at.
    var lookAt: UInt64?
    /// It was closed, and takes no more commands, though its turns may still be on their way to their end.
    var isClosed = false

    var id: SessionID { record.sessionID }
    /// What it takes of its room's memory.
    var bytes: Int {
        contexts.values.reduce(Limits.sessionOverheadBytes) { bytes, context in
            context.reduce(bytes) { $0 + 64 + $1.text.utf8.count }
        }
    }
    var waitingMessages: Int { turns.dropFirst().reduce(0) { $0 + $1.accepted } }

    /// Whether its time is over; a turn keeps it alive.
    func isExpired(at now: Timestamp) -> Bool {
        turns.isEmpty && record.expiresAt.map { $0 <= now } ?? false
    }

    /// Adds what a turn said to what its agent remembers, if that is in memory.
    ///
    /// A turn that regenerated and said nothing replaced nothing: what was remembered before it is read again.
    mutating func remember(_ exchange: ExchangeRecord) {
        if exchange.regenerateOf != nil, exchange.text.isEmpty { contexts[exchange.agentType] = nil }
        guard var context = contexts[exchange.agentType] else {
            for turn in turns where turn.record.agentType == exchange.agentType { turn.contextIsBehind = true }
            return
        }
        context += exchange.messages.map { ContextMessage(role: $0.role, text: $0.text) }
        if !exchange.text.isEmpty { context.append(ContextMessage(role: .assistant, text: exchange.text)) }
        contexts[exchange.agentType] = context.suffix(Limits.contextMessagesMax)
    }

    /// Forgets the context of one agent, or of all (`nil`), also where it is being read.
    mutating func forget(_ agentType: String?) {
        if let agentType { contexts[agentType] = [] } else { contexts = contexts.mapValues { _ in [] } }
        for turn in turns where agentType == nil || turn.record.agentType == agentType { turn.startsAfresh = true }
    }
}
