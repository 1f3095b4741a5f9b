import ChatProtocol

/// Watchers that read so many bytes a second and no more. Confined to the main thread.
final class SlowReaders {
    let watchers: [Watcher]
    /// The most that the kernel and the server have had in memory beside what they had when it began.
    private(set) var kernelBytes = 0
    private(set) var serverBytes = 0
    private let engine: Engine
    private let probe: ServerProbe?
    private let bytesPerSecond: Double
    private var kernelBefore = 0
    private var serverBefore = 0
    private var allowances: [Double]
    private var lastTick = Clock.now()
    private var isStopped = false
    private static let tickSeconds = 0.1

    init(_ engine: Engine, _ watchers: [Watcher], _ probe: ServerProbe?, bytesPerSecond: Double) {
        (self.engine, self.watchers, self.probe, self.bytesPerSecond) = (engine, watchers, probe, bytesPerSecond)
        allowances = watchers.map { _ in 0 }
    }

    /// Begins to read slowly, where a rate was given.
    func begin() {
        guard bytesPerSecond > 0 else { return }
        for watcher in watchers { watcher.isThrottled = true }
        lastTick = Clock.now()
        (kernelBefore, serverBefore) = (KernelMemory.tcpBytes, probe?.ownMemoryBytes ?? 0)
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
        kernelBytes = max(kernelBytes, KernelMemory.tcpBytes - kernelBefore)
        if let probe { serverBytes = max(serverBytes, probe.ownMemoryBytes - serverBefore) }
    }
}

extension SlowReaders {
    /// What readers that are behind may cost, as the README has it.
    struct Bounds {
        /// Between the log and the reader, for each: in flight and in the receive buffer, which the kernel makes twice
        /// as large as it is told; unsent in the hub's kernel; and a piece of text that was begun.
        let waitingBytes: Int
        /// For all: the kernel's own structures take as much again, and each core counts a MiB ahead.
        let kernelBytes: Int
        /// For all: the log's tail, the text in the room and in the log, each in an array that may be half empty, the
        /// collapsed pieces that are kept, the store's two page caches, and what a connection has while it is behind.
        let serverBytes: Int

        /// `TCP_NOTSENT_LOWAT` of the hub's sockets.
        private static let unsentBytes = 16 * 1024
        private static let piecesKept = 8
        private static let pageCacheBytes = 2 * 1024 * 1024
        private static let readerBytes = 1024
        /// `SK_MEMORY_PCPU_RESERVE`
        private static let coreBytes = 1024 * 1024

        init(readers: Int, receiveBufferBytes: Int, textBytes: Int) {
            waitingBytes = 2 * receiveBufferBytes + Self.unsentBytes + Limits.chunkBytesMax
            kernelBytes = 2 * readers * waitingBytes + Cores.count * Self.coreBytes
            serverBytes =
                Limits().logTailBytesMax + 4 * textBytes + Self.piecesKept * Limits.chunkBytesMax
                + 2 * Self.pageCacheBytes + readers * Self.readerBytes
        }
    }
}
