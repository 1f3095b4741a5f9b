/// Watchers that read so many bytes a second and no more. Confined to the main thread.
final class SlowReaders {
    private let engine: Engine
    private let watchers: [Watcher]
    private let bytesPerSecond: Double
    private var allowances: [Double]
    private var lastTick = Clock.now()
    private var isStopped = false
    private static let tickSeconds = 0.1

    init(_ engine: Engine, _ watchers: [Watcher], bytesPerSecond: Double) {
        (self.engine, self.watchers, self.bytesPerSecond) = (engine, watchers, bytesPerSecond)
        allowances = watchers.map { _ in 0 }
    }

    func begin() {
        for watcher in watchers { watcher.isThrottled = true }
        lastTick = Clock.now()
        tickLater()
    }

    /// Lets them read what there is.
    func stop() {
        isStopped = true
        for watcher in watchers {
            watcher.isThrottled = false
            watcher.read()
        }
    }

    private func tickLater() {
        engine.schedule(at: Clock.now() + UInt64(seconds: Self.tickSeconds)) { [weak self] in
            guard let self, !isStopped else { return }
            tick()
            tickLater()
        }
    }

    private func tick() {
        let now = Clock.now()
        let earned = Double(now - lastTick) / 1e9 * bytesPerSecond
        lastTick = now
        for (index, watcher) in watchers.enumerated() where watcher.isOpen {
            allowances[index] = min(allowances[index] + earned, bytesPerSecond)
            let before = watcher.receivedBytes
            watcher.read(atMost: Int(allowances[index]))
            allowances[index] -= Double(watcher.receivedBytes - before)
        }
    }
}
