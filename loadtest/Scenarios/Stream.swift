import ChatProtocol

extension Scenario {
    static let stream = Scenario(
        name: "stream",
        summary: "many agents at once, each to a few watchers",
        about: """
            An agent talks in each of many rooms, each at the same rate and none in step with another, and a few \
            watch each room. Tokens are due at fixed times, so a stall counts for every token that it delays.
            """,
        knobs: [
            (.rooms, 200), (.watchers, 5), (.rate, 50), (.tokenBytes, 120), (.seconds, 10), (.warmUp, 1),
        ],
        quick: [(.rooms, 10), (.watchers, 3), (.seconds, 0.5), (.warmUp, 0.1)],
        playsOnFloor: true
    ) { (run) throws(Failure) in
        var script = SyntheticScript()
        script.tokenBytes = run.whole(.tokenBytes)
        script.rate = run.number(.rate)
        let rooms = try run.stage.open(rooms: run.whole(.rooms), watchers: run.whole(.watchers))
        try run.talk(script, in: rooms, startingWithin: max(0.1, Double(rooms.count) / 200))
    }
}

extension Run {
    /// Lets an agent talk in each room, measures, and checks that everyone has everything.
    ///
    /// - Parameter spread: seconds within which they begin, so that they are not in step.
    func talk(_ script: SyntheticScript, in rooms: [Room], startingWithin spread: Double) throws(Failure) {
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
        try measure(seconds: number(.seconds))
        for talk in talks { talk.stop() }
        try stage.close(rooms)
    }
}
