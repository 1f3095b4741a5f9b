import ChatProtocol

extension Run {
    /// What the agent says, as the knobs have it.
    var script: SyntheticScript {
        var script = SyntheticScript()
        script.tokenBytes = whole(.tokenBytes)
        script.rate = number(.rate)
        if has(.tokens) { script.tokens = whole(.tokens) }
        if script.rate == 0, has(.inFlight) { script.window = whole(.inFlight) }
        return script
    }

    /// Lets an agent talk in each room, measures, and checks that everyone has everything.
    ///
    /// - Parameters:
    ///   - spread: seconds within which they begin, so that they are not in step.
    ///   - atEnd: done after the measurement, while the agents are still there.
    ///   - meanwhile: done while it is measured, until it is over; else nothing is.
    func talk(
        _ script: SyntheticScript, in rooms: [Room], startingWithin spread: Double,
        atEnd: () throws(Failure) -> Void = {},
        meanwhile: ((_ isOver: () -> Bool) throws(Failure) -> Void)? = nil
    ) throws(Failure) {
        let talks = rooms.map { Talk(stage, $0, script) }
        for (index, talk) in talks.enumerated() {
            // Multiples of the golden ratio fill the time evenly, whatever the tokens' period is.
            let share = (Double(index) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
            engine.schedule(at: Clock.now() + UInt64(seconds: share * spread)) { talk.start() }
        }
        engine.turnEnded = { for talk in talks { talk.turnEnded() } }
        defer { engine.turnEnded = {} }
        try engine.run("every agent to begin", within: 20 + spread) { rooms.allSatisfy { $0.running != nil } }
        try engine.run(seconds: number(.warmUp))
        let meter = meter()
        if let meanwhile {
            let end = Clock.now() + UInt64(seconds: number(.seconds))
            try meanwhile { Clock.now() >= end }
        } else {
            try engine.run(seconds: number(.seconds))
        }
        meter.stop(into: &report)
        try countCalls(per: .deliveries)
        for talk in talks { talk.stop() }
        try atEnd()
        try stage.close(rooms)
    }
}
