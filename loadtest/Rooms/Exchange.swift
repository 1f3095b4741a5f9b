import ChatProtocol

/// One message and its answer: what the script says, and what has arrived of it.
final class Exchange {
    enum End: Equatable {
        case settled(_ status: String, length: Int)
    }

    let messageID: String
    let messageText: String
    let text: ScriptText
    /// When it was sent, or should have been.
    let sentAt: UInt64
    /// Whether its answer could begin at once, so that the time to its first token is the hub's.
    let isTimed: Bool

    var id: String?
    var streamID: String?
    var isAcknowledged = false
    var cancelledAt: UInt64?
    /// How it ended, as the first watcher learned it; all others must learn the same.
    var end: End?
    /// The position of its end in the room's log, and when the first watcher was there.
    var endSeq: UInt64?
    var endedAt: UInt64 = 0
    /// Tokens that may be said so far, where a window is set.
    var released: Int
    /// Tokens that watchers have, counted at each of them.
    private var held = 0
    private let watchers: Int

    var script: SyntheticScript { text.script }
    var isRunning: Bool { streamID != nil && end == nil }
    /// Tokens that a watcher has, on average.
    var delivered: Int { held / watchers }

    /// - Parameters:
    ///   - message: what is sent, when it is not the script.
    ///   - watchers: how many there are in the room.
    init(
        _ script: SyntheticScript, message: String?, messageID: String, sentAt: UInt64, watchers: Int, isTimed: Bool
    ) {
        self.messageID = messageID
        messageText = message ?? script.json
        self.sentAt = sentAt
        self.watchers = watchers
        self.isTimed = isTimed
        text = ScriptText(script)
        released = script.window ?? script.tokens
    }

    /// Tokens that a piece of text completes.
    func tokens(at offset: Int, count: Int) -> Range<Int> {
        offset / script.tokenBytes..<(offset + count) / script.tokenBytes
    }

    /// One more watcher has these tokens.
    func hold(_ tokens: Range<Int>) { held += tokens.count }

    /// Nobody needs it in pieces any more.
    func forgetPieces() { text.forgetPieces() }
}
