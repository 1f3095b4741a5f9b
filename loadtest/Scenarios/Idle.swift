extension Scenario {
    static let idle = Scenario(
        name: "idle",
        summary: "joined sockets that do nothing: memory and CPU of each",
        about: """
            Sockets connect and join, a step at a time, and then do nothing. The memory of the hub after each step \
            gives a slope, which is what one more joined connection costs. Then the hub's CPU is measured over a \
            time that should be longer than a heartbeat.
            """,
        knobs: [(.connections, 10_000), (.rooms, 100), (.steps, 5), (.seconds, 30)],
        quick: [(.connections, 60), (.rooms, 5), (.steps, 3), (.seconds, 0.3)],
        divides: [.connections, .rooms]
    ) { (run) throws(Failure) in
        guard let probe = run.probe else {
            throw Failure("idle reads the hub's memory: it needs --server-pid or --hub")
        }
        let (count, steps) = (run.whole(.connections), run.whole(.steps))
        let rooms = try run.hub.open(rooms: min(run.whole(.rooms), count), watchers: 1)
        var memory = Series("unshared", in: "Memory over connections", .bytes, over: "connections", .count)
        for step in 1...steps {
            try run.hub.add(max(0, count * step / steps - run.engine.openCount), to: rooms)
            try run.engine.run(seconds: min(1, run.number(.seconds)))
            // Other processes are about as far as this one.
            memory.add(Double(run.engine.openCount * run.processes), Double(probe.ownMemoryBytes))
        }
        run.report.series.append(memory)
        run.report.figures.append(Figure("memory per connection, unshared", memory.slope, .bytes))
        let before = probe.cpuNanoseconds
        try run.measure()
        let cpu = Double(probe.cpuNanoseconds - before) / run.report.seconds
        run.report.figures.append(
            Figure("CPU per connection and second", cpu / Double(run.engine.openCount * run.processes), .nanoseconds))
        try run.hub.close(rooms)
    }
}

extension Series {
    /// How much y grows with x, by least squares.
    var slope: Double {
        let count = Double(points.count)
        let meanX = points.reduce(0) { $0 + $1.x } / count
        let meanY = points.reduce(0) { $0 + $1.y } / count
        let products = points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) }
        return products / points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
    }
}
