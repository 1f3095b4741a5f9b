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
            (.rooms, 200), (.watchers, 5), (.rate, 50), (.tokenBytes, 120), (.seconds, 10), (.warmUp, 1), (.poll, 0),
        ],
        quick: [(.rooms, 10), (.watchers, 3), (.seconds, 0.5), (.warmUp, 0.1)],
        divides: [.rooms],
        playsOnFloor: true
    ) { (run) throws(Failure) in
        let rooms = try run.stage.open(rooms: run.whole(.rooms), watchers: run.whole(.watchers))
        try run.talk(run.script, in: rooms, startingWithin: max(0.1, Double(rooms.count) / 200))
    }
}
