import Wire

/// Watchers that lose their connections at random and come back later, to where they were. Confined to the main thread.
final class Droppers {
    private let run: Run
    private let watchers: [Watcher]
    private let interval: Double
    private let awaySecondsMax: Double
    private var nextDrop: UInt64 = 0
    private var isStopped = false
    private var returned = Histogram()
    private(set) var recovered = 0
    private(set) var replaced = 0

    init(_ run: Run, _ watchers: [Watcher], dropsPerSecond: Double, awaySecondsMax: Double) {
        (self.run, self.watchers, self.awaySecondsMax) = (run, watchers, awaySecondsMax)
        interval = 1e9 / dropsPerSecond
    }

    func begin() {
        nextDrop = Clock.now()
        if !watchers.isEmpty { dropLater() }
    }

    /// Drops nobody any more, waits until all are back, and reports.
    func stop() throws(Failure) {
        isStopped = true
        try run.engine.run("every watcher to return", within: awaySecondsMax + 30) {
            watchers.allSatisfy { $0.stage == .joined }
        }
        run.tally.others.append(Latency("return: connect to joined", returned))
        run.report.figures.append(Figure("returns that continued the log", Double(recovered), .count))
        run.report.figures.append(Figure("returns that got a snapshot", Double(replaced), .count))
    }

    private func dropLater() {
        nextDrop += UInt64(interval)
        run.engine.schedule(at: nextDrop) { [weak self] in
            guard let self, !isStopped else { return }
            drop()
            dropLater()
        }
    }

    private func drop() {
        let watcher = watchers[Int(run.engine.random() % UInt64(watchers.count))]
        guard watcher.stage == .joined else { return }
        watcher.leave(resets: run.engine.random() & 1 == 0)
        let away = Double(run.engine.random() % 1000) / 1000 * awaySecondsMax
        run.engine.schedule(at: Clock.now() + UInt64(seconds: away)) { [weak self] in self?.comeBack(watcher) }
    }

    private func cameBack(after nanoseconds: UInt64, isRecovered: Bool) {
        returned.record(nanoseconds)
        if isRecovered { recovered += 1 } else { replaced += 1 }
    }

    private func comeBack(_ watcher: Watcher) {
        let start = Clock.now()
        watcher.welcomed = { [unowned watcher, weak self] in
            let place: JSONValue = ["epoch": .string(watcher.epoch), "seq": .int(Int64(watcher.seq))]
            watcher.demand("join", ["room_id": .string(watcher.room.id), "after": place]) { joined in
                guard let self else { return }
                self.cameBack(after: self.run.engine.now - start, isRecovered: joined["recovered"] == true)
            }
        }
        run.hub.connect(watcher)
    }
}
