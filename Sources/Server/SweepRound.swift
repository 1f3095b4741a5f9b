/// Spreads a look at all sockets over a round of a second, so that no turn waits for it.
///
/// Up to `socketsPerSlice` places a round is one slice; the more there are, the closer the slices follow each other. No
/// slice grows: beyond half a million places a round takes longer instead.
struct SweepRound {
    /// Looking at so many takes about a tenth of a millisecond.
    static let socketsPerSlice = 512
    static let roundNanoseconds: UInt64 = 1_000_000_000
    /// The wheel of timers has no finer tick.
    static let pauseNanosecondsMin: UInt64 = 1_000_000

    private var next = 0

    /// The places to look at now, and how long to wait before the next slice.
    mutating func slice(of places: Int) -> (places: Range<Int>, pauseNanoseconds: UInt64) {
        if next >= places { next = 0 }
        let slice = next..<min(next + Self.socketsPerSlice, places)
        next = slice.upperBound
        let share = Double(slice.count) / Double(max(places, 1))
        let pause =
            places <= Self.socketsPerSlice ? Self.roundNanoseconds : UInt64(share * Double(Self.roundNanoseconds))
        return (slice, max(pause, Self.pauseNanosecondsMin))
    }
}
