import Reactor

/// When a silent agent has been silent for too long. Confined to its loop.
final class Deadline {
    private let services: LoopServices
    private var instant: UInt64 = 0
    private var timer: TimerID?
    private var met: () -> Void = {}

    init(_ services: LoopServices) {
        self.services = services
    }

    /// Calls once so many seconds from now, unless it is set, extended or cancelled before.
    func set(afterSeconds seconds: Double, _ met: @escaping () -> Void) {
        cancel()
        self.met = met
        instant = services.clock() + LoopServices.nanoseconds(seconds)
        schedule()
    }

    /// Moves the deadline on, which the timer finds when it fires: setting it for each token would be much work for a
    /// case that is rare.
    func extend(afterSeconds seconds: Double) {
        instant = services.clock() + LoopServices.nanoseconds(seconds)
    }

    func cancel() {
        timer.map(services.cancel)
        timer = nil
        met = {}
    }

    /// A limit as sentences name it.
    static func text(ofSeconds seconds: Double) -> String {
        seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }

    private func schedule() {
        timer = services.schedule(instant) { [weak self] in self?.fire() }
    }

    private func fire() {
        guard services.clock() >= instant else { return schedule() }
        timer = nil
        met()
    }
}
