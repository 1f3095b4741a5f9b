/// The measured part of a run: how long it took, what was delivered in it, and what that cost. Confined to the main
/// thread.
final class Meter {
    private struct Sample {
        let time = Clock.now()
        let delivered: Int
        let serverCPU: UInt64?
        let ownCPU = Clock.ownCPU()
        let sleeps: Int?
    }

    private static let interval = 0.25
    private let engine: Engine
    private let tally: Tally
    private let probe: ServerProbe?
    private var first: Sample
    private var last: Sample
    private var deliveries = Series("tokens", in: "Deliveries", .perSecond, over: "time", .seconds)
    private var serverBusy = Series("server", in: "CPU", .share, over: "time", .seconds)
    private var ownBusy = Series("load test", in: "CPU", .share, over: "time", .seconds)
    private var memory = Series("server", in: "Memory", .bytes, over: "time", .seconds)
    private var isRunning = true

    /// Starts to measure.
    init(_ engine: Engine, _ tally: Tally, _ probe: ServerProbe?) {
        (self.engine, self.tally, self.probe) = (engine, tally, probe)
        first = Sample(delivered: tally.delivered, serverCPU: probe?.cpuNanoseconds, sleeps: probe?.sleeps)
        last = first
        tally.isRecording = true
        sampleLater()
    }

    /// Stops, and writes down what was found.
    func stop(into report: inout RunReport) {
        isRunning = false
        tally.isRecording = false
        let end = Sample(delivered: tally.delivered, serverCPU: probe?.cpuNanoseconds, sleeps: probe?.sleeps)
        let seconds = Double(end.time - first.time) / 1e9
        let delivered = Double(end.delivered - first.delivered)
        report.seconds = seconds
        report.client.busyShare = Double(end.ownCPU - first.ownCPU) / 1e9 / seconds
        if delivered > 0 { report.figures.append(Figure("deliveries", delivered / seconds, .perSecond)) }
        if let probe, let before = first.serverCPU, let after = end.serverCPU {
            let cpu = Double(after - before)
            report.figures.append(Figure("server CPU", cpu / 1e9 / seconds, .share))
            if delivered > 0 {
                report.figures.append(Figure("server CPU per delivery", cpu / delivered, .nanoseconds))
                let sleeps = Double((end.sleeps ?? 0) - (first.sleeps ?? 0))
                report.figures.append(Figure("server wake-ups per delivery", sleeps / delivered, .count))
            }
            report.figures.append(Figure("server memory", Double(probe.memoryBytes), .bytes))
            report.figures.append(Figure("server memory of its own", Double(probe.ownMemoryBytes), .bytes))
        }
        report.series += [deliveries, serverBusy, ownBusy, memory].filter { !$0.points.isEmpty }
    }

    private func sampleLater() {
        engine.schedule(at: Clock.now() + UInt64(seconds: Self.interval)) { [weak self] in
            guard let self, isRunning else { return }
            sample()
            sampleLater()
        }
    }

    private func sample() {
        let next = Sample(delivered: tally.delivered, serverCPU: probe?.cpuNanoseconds, sleeps: nil)
        let time = Double(next.time - first.time) / 1e9
        let elapsed = Double(next.time - last.time) / 1e9
        deliveries.add(time, Double(next.delivered - last.delivered) / elapsed)
        ownBusy.add(time, Double(next.ownCPU - last.ownCPU) / 1e9 / elapsed)
        if let probe, let before = last.serverCPU, let after = next.serverCPU {
            serverBusy.add(time, Double(after - before) / 1e9 / elapsed)
            memory.add(time, Double(probe.memoryBytes))
        }
        last = next
    }
}
