import Glibc

/// What one run of sends cost.
struct SendCost {
    /// From the frame's write to its answer's arrival.
    var latency: Histogram
    var effort: Effort

    var metrics: [Metric] {
        [
            Metric("frame in to answer, p50", Double(latency.percentile(50)), .nanoseconds),
            Metric("frame in to answer, p99", Double(latency.percentile(99)), .nanoseconds),
            Metric("server CPU per send", effort.serverNanoseconds / Double(latency.count), .nanoseconds),
        ] + effort.rates(of: latency.count, "sends per second")
    }
}

/// What one run of chunks cost.
struct ChunkCost {
    /// Tokens times watchers.
    var deliveries: Int
    var effort: Effort

    var metrics: [Metric] {
        [Metric("server CPU per delivery", effort.serverNanoseconds / Double(deliveries), .nanoseconds)]
            + effort.rates(of: deliveries, "deliveries per second")
    }
}

/// One figure of one run.
struct Metric {
    let name: String
    let value: Double
    let unit: Unit
    /// Whether hub and floor are compared in it.
    let isCompared: Bool

    init(_ name: String, _ value: Double, _ unit: Unit, isCompared: Bool = true) {
        (self.name, self.value, self.unit, self.isCompared) = (name, value, unit, isCompared)
    }
}

/// Time and CPU time between two moments.
struct Effort {
    let seconds: Double
    /// CPU time of all threads of the server.
    let serverNanoseconds: Double
    /// The share of its core that the load test itself used.
    let ownBusy: Double

    func rates(of count: Int, _ name: String) -> [Metric] {
        [
            Metric(name, Double(count) / seconds, .perSecond),
            Metric("load test, of its core", ownBusy, .share, isCompared: false),
        ]
    }
}

/// Runs from its making on.
struct Stopwatch {
    private let server: ServerProcess
    private let clock = nanoseconds(CLOCK_MONOTONIC)
    private let own = nanoseconds(CLOCK_PROCESS_CPUTIME_ID)
    private let serverCPU: UInt64

    init(_ server: ServerProcess) {
        self.server = server
        serverCPU = server.cpuNanoseconds
    }

    var effort: Effort {
        let elapsed = Double(nanoseconds(CLOCK_MONOTONIC) - clock)
        return Effort(
            seconds: elapsed / 1e9, serverNanoseconds: Double(server.cpuNanoseconds - serverCPU),
            ownBusy: Double(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - own) / elapsed)
    }
}

/// How much of the servers' core others took from its making on.
struct CoreWatch {
    private let servers: [ServerProcess]
    private let clock = nanoseconds(CLOCK_MONOTONIC)
    private let ticks = Cores.serverTicks
    private let used: UInt64

    init(_ servers: [ServerProcess]) {
        self.servers = servers
        used = Self.used(by: servers)
    }

    /// As a share of the time that has passed; `nil` where the kernel does not tell.
    var disturbance: Double? {
        guard let ticks, let ticksNow = Cores.serverTicks else { return nil }
        let ours = Double(Self.used(by: servers) - used)
        let elapsed = Double(nanoseconds(CLOCK_MONOTONIC) - clock)
        return max(0, (Double(ticksNow - ticks) * 1e7 - ours) / elapsed)
    }

    private static func used(by servers: [ServerProcess]) -> UInt64 {
        servers.reduce(0) { $0 + $1.cpuNanoseconds }
    }
}

private func nanoseconds(_ clock: Int32) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
