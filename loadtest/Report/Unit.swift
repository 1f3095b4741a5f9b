/// What a number counts, and how people read it.
enum Unit: String {
    /// Things, and things per other things.
    case count = "1"
    case perSecond = "1/s"
    case nanoseconds = "ns"
    case seconds = "s"
    case bytes = "B"
    case bytesPerSecond = "B/s"
    /// From 0 to 1, shown as percent.
    case share = "share"
    /// How many times as much.
    case ratio = "ratio"

    /// A number as people read it: three digits, and the unit that keeps it short.
    func text(_ value: Double) -> String {
        guard value.isFinite, self != .count else { return brief(value) }
        let (divisor, symbol) = scale(abs(value))
        return brief(value / divisor) + symbol
    }

    /// `nil` where it depends on what is counted.
    var isLessBetter: Bool? {
        switch self {
        case .nanoseconds, .bytes: true
        case .perSecond, .bytesPerSecond: false
        case .count, .seconds, .share, .ratio: nil
        }
    }

    /// What numbers up to this size are divided by, so that an axis has one unit.
    func scale(_ most: Double) -> (divisor: Double, symbol: String) {
        switch self {
        case .count: Self.step(most, [(1e9, " billion"), (1e6, " million"), (1, "")])
        case .perSecond: Self.step(most, [(1e9, " G/s"), (1e6, " M/s"), (1, "/s")])
        case .nanoseconds: Self.step(most, [(1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1, " ns")])
        case .seconds: (1, " s")
        case .bytes: Self.step(most, [(0x1p30, " GiB"), (0x1p20, " MiB"), (0x1p10, " KiB"), (1, " B")])
        case .bytesPerSecond: Self.step(most, [(1e9, " GB/s"), (1e6, " MB/s"), (1e3, " kB/s"), (1, " B/s")])
        case .share: (0.01, " %")
        case .ratio: (1, " ×")
        }
    }

    /// As `brief` rounds: 999.6 µs is 1 ms.
    private static func step(_ most: Double, _ steps: [(Double, String)]) -> (divisor: Double, symbol: String) {
        let step = steps.first { most >= $0.0 * 0.9995 } ?? steps[steps.count - 1]
        return (step.0, step.1)
    }
}
