import Glibc

/// What a piece of work costs this thread.
///
/// It is measured as CPU time, since not every machine lets its instructions be counted; so a cost means something only
/// beside another of the same run.
enum CostMeter {
    /// Below this the clock and the caches say more than the work.
    private static let nanosecondsMin = 20_000.0

    /// How many times as much the large work costs; the best of several runs of each counts.
    static func ratio(small: () -> Void, large: () -> Void) -> Double {
        var (smallest, largest) = (Double.infinity, Double.infinity)
        for _ in 0..<4 {
            smallest = min(smallest, nanoseconds(small))
            largest = min(largest, nanoseconds(large))
            let ratio = largest / max(smallest, nanosecondsMin)
            // One good run is proof enough, a bad one is not.
            if ratio < 6 { return ratio }
        }
        return largest / max(smallest, nanosecondsMin)
    }

    private static func nanoseconds(_ work: () -> Void) -> Double {
        let start = threadTime()
        work()
        return Double(threadTime() - start)
    }

    private static func threadTime() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
