/// How much of the servers' core others took from its making on.
struct CoreWatch {
    private let probes: [ServerProbe]
    private let clock = Clock.now()
    private let ticks = Cores.serverTicks
    private let used: UInt64

    init(_ probes: [ServerProbe]) {
        self.probes = probes
        used = Self.used(by: probes)
    }

    /// As a share of the time that has passed; `nil` where the kernel does not tell.
    var disturbance: Double? {
        guard let ticks, let ticksNow = Cores.serverTicks else { return nil }
        let ours = Double(Self.used(by: probes) - used)
        return max(0, (Double(ticksNow - ticks) * 1e7 - ours) / Double(Clock.now() - clock))
    }

    private static func used(by probes: [ServerProbe]) -> UInt64 { probes.reduce(0) { $0 + $1.cpuNanoseconds } }
}
