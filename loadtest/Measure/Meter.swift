/// The measured part of a run: how long it took, what was delivered in it, and what that cost. Confined to the main
/// thread.
final class Meter {
    /// What is counted.
    struct Counted {
        let one: String
        let many: String

        static let deliveries = Counted(one: "delivery", many: "deliveries")
        static let sends = Counted(one: "send", many: "sends")
        static let handshakes = Counted(one: "handshake", many: "handshakes")
        static let roundTrips = Counted(one: "round trip", many: "round trips")
    }

    private struct Sample {
        let time = Clock.now()
        let count: Int
        /// CPU time of the load test, without that of polling in vain.
        private let ownWork: Int64
        let serverCPU: UInt64?

        init(_ engine: Engine, _ tallies: [Tally], _ probe: ServerProbe?) {
            count = tallies.reduce(0) { $0 + $1.delivered }
            ownWork = Int64(Clock.ownCPU()) - Int64(engine.spun)
            serverCPU = probe?.cpuNanoseconds
        }

        /// The share of its core that the load test used since then.
        func ownShare(since earlier: Sample) -> Double {
            max(0, Double(ownWork - earlier.ownWork) / Double(time - earlier.time))
        }
    }

    private static let interval = 0.25
    private let engine: Engine
    private let tallies: [Tally]
    private let probe: ServerProbe?
    private let counted: Counted
    private let first: Sample
    private let sleepsBefore: Int
    private var last: Sample
    private var counts: Series
    private var serverBusy = Series("server", in: "CPU", .share, over: "time", .seconds)
    private var ownBusy = Series("load test", in: "CPU", .share, over: "time", .seconds)
    private var memory = Series("server", in: "Memory", .bytes, over: "time", .seconds)
    private let progress: (_ elapsed: Double, _ rate: Double) -> Void
    private var isRunning = true

    /// Starts to measure.
    ///
    /// - Parameter progress: called now and then, with seconds and what is counted per second.
    init(
        _ engine: Engine, _ tallies: [Tally], _ probe: ServerProbe?, _ counted: Counted,
        progress: @escaping (_ elapsed: Double, _ rate: Double) -> Void
    ) {
        (self.engine, self.tallies, self.probe, self.counted) = (engine, tallies, probe, counted)
        self.progress = progress
        counts = Series(counted.many, in: "Throughput", .perSecond, over: "time", .seconds)
        sleepsBefore = probe?.sleeps ?? 0
        first = Sample(engine, tallies, probe)
        last = first
        for tally in tallies { tally.isRecording = true }
        sampleLater()
    }

    /// Stops, and writes down what was found.
    func stop(into report: inout RunReport) {
        isRunning = false
        for tally in tallies { tally.isRecording = false }
        let end = Sample(engine, tallies, probe)
        let seconds = Double(end.time - first.time) / 1e9
        let count = Double(end.count - first.count)
        report.seconds = seconds
        report.client.busyShare = end.ownShare(since: first)
        if count > 0 { report.figures.append(Figure(counted.many, count / seconds, .perSecond)) }
        if let probe, let before = first.serverCPU, let after = end.serverCPU {
            let cpu = Double(after - before)
            report.figures.append(Figure("server CPU", cpu / 1e9 / seconds, .share))
            if count > 0 {
                let sleeps = Double(probe.sleeps - sleepsBefore)
                report.figures.append(Figure("server CPU per \(counted.one)", cpu / count, .nanoseconds))
                report.figures.append(Figure("server wake-ups per \(counted.one)", sleeps / count, .count))
            }
            report.figures.append(Figure("server memory", Double(probe.memoryBytes), .bytes))
            report.figures.append(Figure("server memory, unshared", Double(probe.ownMemoryBytes), .bytes))
        }
        report.series += [counts, serverBusy, ownBusy, memory].filter { !$0.points.isEmpty }
    }

    private func sampleLater() {
        engine.schedule(at: Clock.now() + UInt64(seconds: Self.interval)) { [weak self] in
            guard let self, isRunning else { return }
            plot(Sample(engine, tallies, probe))
            sampleLater()
        }
    }

    private func plot(_ next: Sample) {
        let time = Double(next.time - first.time) / 1e9
        let elapsed = Double(next.time - last.time)
        let rate = Double(next.count - last.count) / elapsed * 1e9
        if next.count > first.count { counts.add(time, rate) }
        progress(time, rate)
        ownBusy.add(time, next.ownShare(since: last))
        if let probe, let before = last.serverCPU, let after = next.serverCPU {
            serverBusy.add(time, Double(after - before) / elapsed)
            memory.add(time, Double(probe.memoryBytes))
        }
        last = next
    }
}
