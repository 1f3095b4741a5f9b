/// What is counted and timed of some watchers while a scenario runs, for the report. Confined to the main thread.
final class Tally {
    static let sinceEmissionName = "token, from agent to watcher"
    static let sinceDueName = "token, from when it was due to watcher"

    /// Between the warm-up and the end; what belongs to one exchange as a whole is always recorded.
    var isRecording = false
    /// Whose figures these are, where there are several kinds of watchers.
    let group: String?
    /// Whether the agent's clock is ours.
    let readsStamps: Bool
    /// Tokens times watchers, or whatever else a scenario is about.
    private(set) var delivered = 0
    /// Tokens that came in snapshots.
    private(set) var skipped = 0
    /// Frames of logs and snapshots; each was checked.
    var frames = 0
    /// Sends that the hub refused, by code.
    var refusals: [String: Int] = [:]

    private(set) var sinceEmission = Histogram()
    private(set) var sinceDue = Histogram()
    private(set) var gaps = Histogram()
    private(set) var firstToken = Histogram()
    private var stored = Histogram()
    private var cancelSettled = Histogram()
    var acknowledged = Histogram()
    var cancelAccepted = Histogram()
    /// What only some scenarios time, by name.
    var others: [Latency] = []

    /// What arrived: texts, positions, ends.
    var arrivals: Check
    var history = Check("sends, each once in the history with its text")

    init(readsStamps: Bool, group: String? = nil) {
        (self.readsStamps, self.group) = (readsStamps, group)
        arrivals = Check("frames, by text and position" + (group.map { ", \($0)" } ?? ""))
    }

    func count(_ things: Int = 1) { delivered &+= things }

    /// - Parameters:
    ///   - last: when the same watcher's last token of the stream came.
    ///   - joinedAt: what was said before is no latency of the hub's.
    func delivered(
        _ tokens: Range<Int>, of exchange: Exchange, at now: UInt64, after last: UInt64?, joinedAt: UInt64
    ) {  // HOT
        delivered &+= tokens.count
        if tokens.lowerBound == 0, exchange.isTimed, joinedAt <= exchange.sentAt {
            firstToken.record(now - min(now, exchange.sentAt))
        }
        guard isRecording else { return }
        if let last {
            gaps.record(now - last)
            if tokens.count > 1 { gaps.record(0, count: tokens.count - 1) }
        }
        guard readsStamps, exchange.script.stamps else { return }
        let stamps = exchange.text.stamps
        for number in tokens {
            let stamp = stamps[number]
            if stamp >= joinedAt { sinceEmission.record(now - min(now, stamp)) }
        }
        guard exchange.script.rate > 0 else { return }
        for number in tokens {
            guard stamps[number] >= joinedAt, let due = exchange.text.due(number) else { continue }
            sinceDue.record(now - min(now, due))
        }
    }

    /// Forgets what a token's way took, when runs of several kinds share this tally.
    func forgetTokenTimes() {
        (sinceEmission, sinceDue, gaps, firstToken) = (Histogram(), Histogram(), Histogram(), Histogram())
    }

    func skipped(_ tokens: Int) { skipped += tokens }

    /// The author learned how an answer ended.
    func ended(_ exchange: Exchange, at now: UInt64) {
        guard case .settled(let status, _) = exchange.end else { return }
        if status == "completed", exchange.isTimed { stored.record(now - min(now, exchange.sentAt)) }
        if status == "cancelled", let time = exchange.cancelledAt { cancelSettled.record(now - min(now, time)) }
    }

    /// Those that anything was recorded in.
    var latencies: [Latency] {
        let own = [
            Latency(Self.sinceEmissionName, sinceEmission), Latency(Self.sinceDueName, sinceDue),
            Latency("gap between tokens", gaps), Latency("send to ack", acknowledged),
            Latency("send to first token", firstToken), Latency("send to stored end", stored),
            Latency("cancel to ack", cancelAccepted), Latency("cancel to stored end", cancelSettled),
        ]
        let suffix = group.map { ", \($0)" } ?? ""
        return (own + others).filter { !$0.histogram.isEmpty }.map { Latency($0.name + suffix, $0.histogram) }
    }

    var checks: [Check] {
        var arrivals = arrivals
        arrivals.pass(frames)
        return [arrivals, history].filter { $0.checked > 0 }
    }
}
