import Glibc

/// The clock of all measurements, and of the agent's stamps: `CLOCK_MONOTONIC`, in nanoseconds.
enum Clock {
    static func now() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// CPU time that this process has used.
    static func ownCPU() -> UInt64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension UInt64 {
    /// A duration in nanoseconds.
    init(seconds: Double) { self = UInt64(Swift.max(0, seconds) * 1e9) }
}
