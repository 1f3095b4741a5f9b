/// Crowds that come to a room at once, and leave at once. Confined to the main thread.
final class Storm {
    private let run: Run
    private let size: Int
    private let tally: Tally
    private var joined = Histogram()
    private(set) var waves = 0

    /// - Parameter tally: for what the crowds get.
    init(_ run: Run, size: Int, tally: Tally) { (self.run, self.size, self.tally) = (run, size, tally) }

    /// One crowd: connects and joins, stays for a moment, and leaves, half of it without a word.
    func wave(in room: Room, staying seconds: Double) throws(Failure) {
        let crowd = (0..<size).map { _ in run.hub.newWatcher() }
        for watcher in crowd {
            room.add(watcher)
            watcher.count(in: tally)
            watcher.welcomed = { [weak self, unowned watcher] in
                watcher.demand("join", ["room_id": .string(room.id)]) { _ in self?.hasJoined(watcher) }
            }
        }
        try run.hub.connect(crowd)
        try run.engine.run("a crowd of \(size) to join", within: 30) { crowd.allSatisfy { $0.stage == .joined } }
        try run.engine.run(seconds: seconds)
        for (index, watcher) in crowd.enumerated() { watcher.leave(resets: index % 2 == 0) }
        room.remove(crowd)
        waves += 1
    }

    private func hasJoined(_ watcher: Watcher) { joined.record(run.engine.now - watcher.connectedAt) }

    func report() {
        run.tally.others.append(Latency("crowd: connect to joined", joined))
        run.report.figures.append(Figure("crowds of \(size)", Double(waves), .count))
    }
}
