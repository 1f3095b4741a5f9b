import Glibc

/// What one run of sends cost.
struct SendCost {
    /// From the frame's write to its answer's arrival, in nanoseconds.
    var latencies: [UInt64] = []
    var effort: Effort

    var metrics: [Metric] {
        let sorted = latencies.sorted()
        return [
            Metric(name: "frame in to answer, p50, µs", value: Double(sorted.percentile(50)) / 1000),
            Metric(name: "frame in to answer, p99, µs", value: Double(sorted.percentile(99)) / 1000),
            Metric(name: "server CPU per send, µs", value: effort.serverMicroseconds / Double(sorted.count)),
        ] + effort.rates(of: sorted.count, "sends per second")
    }
}

/// What one run of chunks cost.
struct ChunkCost {
    /// Tokens times watchers.
    var deliveries: Int
    var effort: Effort

    var metrics: [Metric] {
        [Metric(name: "server CPU per delivery, µs", value: effort.serverMicroseconds / Double(deliveries))]
            + effort.rates(of: deliveries, "deliveries per second")
    }
}

/// One figure of one run.
struct Metric {
    let name: String
    let value: Double
    /// Whether hub and floor are compared in it.
    var isCompared = true
}

/// Time and CPU time between two moments.
struct Effort {
    let seconds: Double
    /// CPU time of all threads of the server.
    let serverMicroseconds: Double
    /// The share of its core that the load test itself used.
    let ownBusy: Double

    func rates(of count: Int, _ name: String) -> [Metric] {
        [
            Metric(name: name, value: Double(count) / seconds),
            Metric(name: "load test busy, % of its core", value: ownBusy * 100, isCompared: false),
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
            seconds: elapsed / 1e9, serverMicroseconds: Double(server.cpuNanoseconds - serverCPU) / 1000,
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

extension Array where Element == UInt64 {
    /// Of sorted values: the smallest that so many percent do not exceed.
    func percentile(_ percent: Int) -> UInt64 {
        isEmpty ? 0 : self[Swift.min(count - 1, count * percent / 100)]
    }
}

extension Array where Element == Double {
    /// The middle one, or the mean of the two in the middle.
    var median: Double {
        let sorted = sorted()
        return isEmpty ? .nan : (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
