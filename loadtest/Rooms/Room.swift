import ChatProtocol
import Wire

/// One room as the load test sees it: who watches it, what was said in it, and what is known of its log.
/// Confined to the main thread.
final class Room {
    let id: String
    let tally: Tally
    /// The first one is the author: it made the room and sends.
    private(set) var watchers: [Watcher] = []
    private(set) var exchanges: [Exchange] = []
    var frames: VerifiedFrames
    private let engine: Engine
    private var byMessage: [String: Exchange] = [:]
    private var byID: [String: Exchange] = [:]
    private var byStream: [String: Exchange] = [:]
    /// Exchanges before this one are whole at every watcher, and kept as digests.
    private var settledCount = 0
    private static let textKeptNanoseconds: UInt64 = 10_000_000_000
    /// Frames that a slow watcher may be behind and still be compared quickly.
    private static let framesKept = (few: 256, many: 4096)

    /// Snapshots that came unasked, to all of them.
    var snapshots: Int { watchers.reduce(0) { $0 + $1.snapshots } }
    var author: Watcher { watchers[0] }
    /// The exchange that runs, if any.
    var running: Exchange? { exchanges.last { $0.isRunning } }

    init(_ id: String, _ engine: Engine, _ tally: Tally, watchers: Int) {
        self.id = id
        self.engine = engine
        self.tally = tally
        frames = VerifiedFrames(capacity: watchers < 100 ? Self.framesKept.few : Self.framesKept.many)
        forgetLater()
    }

    private func forgetLater() {
        engine.schedule(at: Clock.now() + UInt64(seconds: 1)) { [weak self] in
            self?.forgetSettledTexts()
            self?.forgetLater()
        }
    }

    func add(_ watcher: Watcher) {
        watchers.append(watcher)
        watcher.room = self
    }

    /// Forgets watchers that left for good.
    func remove(_ leavers: [Watcher]) {
        let names = Set(leavers.map(\.user))
        watchers.removeAll { names.contains($0.user) }
    }

    /// Counts what is wrong and ends the run.
    func mismatch(_ what: String, _ exchange: Exchange? = nil, at offset: Int? = nil) {
        tally.arrivals.fail(what, room: id, stream: exchange?.streamID, offset: offset)
        let place = (exchange?.streamID).map { ", \($0)" } ?? ""
        engine.fail("\(id)\(place)\(offset.map { ", offset \($0)" } ?? ""): \(what)")
    }

    // MARK: - Exchanges

    /// A message that is about to be sent.
    func addExchange(
        _ script: SyntheticScript, message: String? = nil, messageID: String, sentAt: UInt64, isTimed: Bool = true
    ) -> Exchange {
        let exchange = Exchange(
            script, message: message, messageID: messageID, sentAt: sentAt, watchers: watchers.count, isTimed: isTimed)
        exchanges.append(exchange)
        byMessage[messageID] = exchange
        return exchange
    }

    /// The exchange of a message that a frame shows, which is now known by its id, too.
    func exchange(ofMessage message: JSONObject, id: String?) -> Exchange? {
        guard let exchange = message["message_id"]?.string.flatMap({ byMessage[$0] }), let id,
            exchange.id == nil || exchange.id == id, message["text"]?.string == exchange.messageText
        else { return nil }
        exchange.id = id
        byID[id] = exchange
        return exchange
    }

    func exchange(withID id: String?) -> Exchange? { id.flatMap { byID[$0] } }

    func exchange(ofStream id: String?) -> Exchange? { id.flatMap { byStream[$0] } }

    /// The exchange is answered by this stream.
    func bind(_ exchange: Exchange, to streamID: String) -> Bool {
        guard exchange.streamID == nil || exchange.streamID == streamID else { return false }
        exchange.streamID = streamID
        byStream[streamID] = exchange
        return true
    }

    /// Whether every watcher has read everything up to the author's position, and nothing runs.
    var isSettled: Bool {
        exchanges.allSatisfy { $0.end != nil } && watchers.allSatisfy { $0.seq == author.seq && $0.runningCount == 0 }
    }

    /// Frees the texts of answers that ended a while ago, and for every watcher. Not at once: a snapshot that the hub
    /// made before the end may still be on its way to a newcomer.
    private func forgetSettledTexts() {
        let least = watchers.reduce(UInt64.max) { min($0, $1.seq) }
        while settledCount < exchanges.count, let end = exchanges[settledCount].endSeq, end <= least,
            exchanges[settledCount].endedAt + Self.textKeptNanoseconds < engine.now
        {
            exchanges[settledCount].forgetPieces()
            settledCount += 1
        }
    }
}
