/// Lets one log line of each kind through in a while, and counts the others.
public struct Sampler<Kind: Hashable> {
    private var lines: [Kind: (nextAt: UInt64, skipped: Int)] = [:]
    private let interval: UInt64

    /// - Parameter intervalNanoseconds: from one line of a kind to the next; there are few kinds.
    public init(intervalNanoseconds: UInt64 = 10_000_000_000) { interval = intervalNanoseconds }

    /// Whether a line is to be written now: for how many events it stands, those since the last line among them; `nil`
    /// if it is not.
    public mutating func admit(_ kind: Kind, at now: UInt64) -> Int? {
        let line = lines[kind] ?? (nextAt: 0, skipped: 0)
        guard now >= line.nextAt else {
            lines[kind] = (line.nextAt, line.skipped + 1)
            return nil
        }
        lines[kind] = (now + interval, 0)
        return line.skipped + 1
    }
}
