extension Scenario {
    static let connect = Scenario(
        name: "connect",
        summary: "handshakes per second",
        about: """
            A number of sockets connect at a time; each one that was let in is thrown away and connects again. A \
            handshake is everything from the connection's first packet to the hub's first frame.
            """,
        knobs: [(.inFlight, 64), (.seconds, 10), (.warmUp, 0.5)],
        quick: [(.inFlight, 8), (.seconds, 0.3), (.warmUp, 0.1)],
        divides: [.inFlight]
    ) { (run) throws(Failure) in
        var handshakes = Histogram()
        var isStopped = false
        for _ in 0..<run.whole(.inFlight) {
            let visitor = run.hub.newWatcher()
            visitor.welcomed = { [unowned visitor] in
                handshakes.record(run.engine.now - visitor.connectedAt)
                run.tally.count()
                visitor.leave(resets: true)
                // Not from within its own event.
                let visitor = visitor
                run.engine.schedule(at: 0) { if !isStopped { run.hub.connect(visitor, spread: true) } }
            }
            run.hub.connect(visitor, spread: true)
        }
        try run.engine.run(seconds: run.number(.warmUp))
        handshakes.removeAll()
        try run.measure(.handshakes)
        isStopped = true
        run.tally.others.append(Latency("connect to welcome", handshakes))
    }
}
