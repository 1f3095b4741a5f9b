import ChatProtocol

extension Scenario {
    static let slow = Scenario(
        name: "slow",
        summary: "a share of the watchers reads a few bytes a second",
        about: """
            One agent talks in one room. A share of the watchers reads slowly and through a small receive buffer, \
            the others as fast as they can; their figures are apart. The slow ones' latency is the age of what they \
            read. In the end they read on at full speed, and must have the same text as everyone. Run it with \
            --slow-share 0, too: that is what the others' latency is to be compared with.
            """,
        knobs: [
            (.watchers, 1000), (.slowShare, 0.2), (.slowBytes, 2000), (.slowBuffer, 4096), (.rate, 4),
            (.tokenBytes, 120),
            (.seconds, 20), (.warmUp, 1),
        ],
        quick: [(.watchers, 20), (.rate, 100), (.seconds, 0.5), (.warmUp, 0.1)]
    ) { (run) throws(Failure) in
        let slowCount = Int(run.number(.slowShare) * run.number(.watchers))
        let tally = slowCount > 0 ? run.addTally("slow readers") : run.tally
        var slow: [Watcher] = []
        let rooms = try run.hub.open(rooms: 1, watchers: run.whole(.watchers)) { watcher in
            guard slow.count < slowCount else { return }
            watcher.receiveBufferBytes = run.whole(.slowBuffer)
            watcher.count(in: tally)
            slow.append(watcher)
        }
        let readers = SlowReaders(run.engine, slow, bytesPerSecond: run.number(.slowBytes))
        let kernelBefore = KernelMemory.tcpBytes
        readers.begin()
        try run.talk(run.script, in: rooms, startingWithin: 0) {
            let behind = slow.map { watcher in
                rooms[0].exchanges.reduce(0) { $0 + $1.text.count - watcher.has(of: $1) }
            }
            run.report.figures += [
                Figure("text that the slowest lacks", Double(behind.max() ?? 0), .bytes),
                Figure("kernel memory of all sockets", Double(KernelMemory.tcpBytes - kernelBefore), .bytes),
                Figure("snapshots for those behind", Double(rooms[0].snapshots), .count),
            ]
            readers.stop()
        }
    }
}
