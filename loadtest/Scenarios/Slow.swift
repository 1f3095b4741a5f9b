import ChatProtocol

extension Scenario {
    static let slow = Scenario(
        name: "slow",
        summary: "a share of the watchers reads a few bytes a second",
        about: """
            One agent talks in one room. After the warm-up a share of the watchers reads slowly and through a small \
            receive buffer, the others as fast as they can; their figures are apart. The slow ones' latency is the age \
            of what they read. What the slow ones may cost in memory, and how old what they read may be, is worked out \
            and held. In the end they read on at full speed, and must have the same text as everyone. What the others' \
            latency is to be compared with is a run with --slow-bytes 0: 'compare --cases slow' does both in turn.
            """,
        knobs: [
            (.watchers, 1000), (.slowShare, 0.2), (.slowBytes, 2000), (.slowBuffer, 4096), (.rate, 4),
            (.tokenBytes, 120), (.seconds, 20), (.warmUp, 2.5),
        ],
        quick: [(.watchers, 20), (.rate, 100), (.seconds, 0.5), (.warmUp, 0.1)]
    ) { (run) throws(Failure) in
        let slowCount = Int(run.number(.slowShare) * run.number(.watchers))
        let tally = slowCount > 0 ? run.addTally("slow readers") : run.tally
        var slow: [Watcher] = []
        let rooms = try run.hub.open(rooms: 1, watchers: run.whole(.watchers)) { watcher in
            guard slow.count < slowCount else { return }
            if run.number(.slowBytes) > 0 { watcher.receiveBufferBytes = run.whole(.slowBuffer) }
            watcher.count(in: tally)
            slow.append(watcher)
        }
        let readers = SlowReaders(run.engine, slow, run.probe, bytesPerSecond: run.number(.slowBytes))
        try run.talk(run.script, in: rooms, startingWithin: 0) {
            run.hold(readers, slow.isEmpty || run.number(.slowBytes) == 0 ? nil : tally, in: rooms[0])
            readers.stop()
        } meanwhile: { (_) throws(Failure) in
            readers.begin()
            try run.engine.run(seconds: run.number(.seconds))
        }
    }
}

extension Run {
    /// Writes down what the slow readers have cost so far, and checks it against what they may.
    ///
    /// - Parameter tally: theirs, if there are any.
    fileprivate func hold(_ readers: SlowReaders, _ tally: Tally?, in room: Room) {
        let text = room.exchanges.reduce(0) { $0 + $1.text.count }
        let behind = readers.watchers.map { watcher in
            room.exchanges.reduce(0) { $0 + $1.text.count - watcher.has(of: $1) }
        }
        let bounds = SlowReaders.Bounds(
            readers: readers.watchers.count, receiveBufferBytes: whole(.slowBuffer), textBytes: text)
        let oldest = Double(tally?.sinceEmission.max ?? 0)
        report.figures += [
            Figure("oldest text that a slow reader read", oldest, .nanoseconds),
            Figure("text that the slowest lacks", Double(behind.max() ?? 0), .bytes),
            // Of all sockets of the machine: only where nothing else goes on it is the hub's.
            Figure(
                "kernel memory for the slow", Double(readers.kernelBytes), .bytes,
                target: tally == nil ? nil : .atMost(Double(bounds.kernelBytes))),
            Figure("server memory for the slow", Double(readers.serverBytes), .bytes),
            Figure("snapshots for those behind", Double(room.snapshots), .count),
        ]
        guard tally != nil else { return }
        var check = Check("what slow readers may cost, by formula")
        func expect(_ value: Double, atMost limit: Double, _ unit: Unit, _ what: String) {
            check.pass()
            if value > limit { check.fail("\(what): \(unit.text(value)), more than \(unit.text(limit))") }
        }
        expect(Double(readers.serverBytes), atMost: Double(bounds.serverBytes), .bytes, "server memory for the slow")
        // Whoever reads more slowly than the agent speaks falls behind without end.
        if number(.rate) * number(.tokenBytes) < number(.slowBytes) {
            let seconds = Double(bounds.waitingBytes) / number(.slowBytes)
            expect(oldest, atMost: seconds * 1e9, .nanoseconds, "oldest text that a slow reader read")
        }
        report.checks.append(check)
    }
}
