/// What is counted and timed while a scenario runs, for the report. Confined to the main thread.
final class Tally {
    /// Between the warm-up and the end; what belongs to one exchange as a whole is always recorded.
    var isRecording = false
    /// Whether the agent's clock is ours.
    let readsStamps: Bool
    /// Tokens times watchers.
    private(set) var delivered = 0
    /// Tokens that came in snapshots.
    private(set) var skipped = 0

    private(set) var sinceEmission = Histogram()
    private(set) var sinceDue = Histogram()
    private(set) var gaps = Histogram()
    private(set) var firstToken = Histogram()
    private(set) var stored = Histogram()
    var acknowledged = Histogram()
    var cancelAccepted = Histogram()
    var cancelSettled = Histogram()

    var texts = Check("texts, piece by piece")
    var positions = Check("positions in the log")
    var history = Check("sends in the history, once each, with their texts")

    init(readsStamps: Bool) { self.readsStamps = readsStamps }

    /// - Parameter last: when the same watcher's last token of the stream came.
    func delivered(_ tokens: Range<Int>, of exchange: Exchange, at now: UInt64, since last: UInt64?) {  // HOT
        delivered &+= tokens.count
        if tokens.lowerBound == 0, exchange.isTimed { firstToken.record(now - min(now, exchange.sentAt)) }
        guard isRecording else { return }
        if let last {
            gaps.record(now - last)
            if tokens.count > 1 { gaps.record(0, count: tokens.count - 1) }
        }
        guard readsStamps, exchange.script.stamps else { return }
        let stamps = exchange.text.stamps
        for number in tokens {
            let stamp = stamps[number]
            sinceEmission.record(now - min(now, stamp))
        }
        guard exchange.script.rate > 0 else { return }
        for number in tokens {
            let due = exchange.text.due(number) ?? now
            sinceDue.record(now - min(now, due))
        }
    }

    func skipped(_ tokens: Int) { skipped += tokens }

    func ended(_ exchange: Exchange, at now: UInt64, isFirst: Bool) {
        if isFirst, exchange.isTimed { stored.record(now - min(now, exchange.sentAt)) }
    }

    /// Those that anything was recorded in.
    var latencies: [Latency] {
        [
            Latency("token, from the agent to the watcher", sinceEmission),
            Latency("token, from when it was due to the watcher", sinceDue),
            Latency("gap between tokens", gaps), Latency("send to ack", acknowledged),
            Latency("send to first token", firstToken), Latency("send to the stored end", stored),
            Latency("cancel to ack", cancelAccepted), Latency("cancel to the stored end", cancelSettled),
        ].filter { !$0.histogram.isEmpty }
    }

    var checks: [Check] { [texts, positions, history].filter { $0.checked > 0 } }
}
