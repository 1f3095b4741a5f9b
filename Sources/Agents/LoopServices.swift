import Reactor

/// What agents need of their event loop, whatever its handler is. Confined to the loop, but for `submit`.
public struct LoopServices {
    /// Monotonic nanoseconds as of this instant.
    var clock: () -> UInt64
    /// Watches a descriptor, or changes what it is watched for; false when the kernel has no watch left.
    var watch: (Int32, Interest, @escaping (Interest) -> Void) -> Bool
    var unwatch: (Int32) -> Void
    /// Calls once, at or after an instant of `clock`, in a later step of the loop.
    var schedule: (UInt64, @escaping () -> Void) -> TimerID
    var cancel: (TimerID) -> Void
    /// From another thread back to the loop; the host is found there, since no thread but the loop's may hold it.
    var submit: @Sendable (@escaping @Sendable (AgentHost) -> Void) -> Void
}

extension LoopServices {
    /// The services of a loop.
    ///
    /// - Parameter host: finds the host in the loop's handler; `nil` when it is gone, which drops what was submitted.
    public init<Handler: LoopHandler>(
        _ loop: EventLoop<Handler>, host: @escaping @Sendable (Handler) -> AgentHost?
    ) {
        let mailbox = loop.mailbox
        self.init(
            clock: { loop.readClock() },
            watch: { descriptor, interest, ready in
                do {
                    try loop.watch(descriptor: descriptor, interest, ready)
                    return true
                } catch {
                    return false
                }
            },
            unwatch: { loop.unwatch(descriptor: $0) },
            schedule: { loop.schedule(at: $0, $1) },
            cancel: { loop.cancel($0) },
            submit: { work in
                mailbox.submit { loop in host(loop.handler).map(work) }
            })
    }

    /// Calls once, so many seconds from now.
    func schedule(afterSeconds seconds: Double, _ action: @escaping () -> Void) -> TimerID {
        schedule(clock() + Self.nanoseconds(seconds), action)
    }

    /// Seconds of a configuration as nanoseconds; at most a day, so that no sum overflows.
    static func nanoseconds(_ seconds: Double) -> UInt64 {
        UInt64(min(max(seconds, 0), 86_400) * 1e9)
    }
}
