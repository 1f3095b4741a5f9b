import ChatProtocol

extension Scenario {
    static let fanout = Scenario(
        name: "fanout",
        summary: "one agent's tokens to all who watch its room",
        about: """
            One agent talks in one room, and everyone there gets every token. Without a rate the loop is closed: the \
            agent says as many tokens as leave --in-flight of them on their way to the average watcher, so the hub is \
            as busy as it can be. With a rate the loop is open: tokens are due at fixed times, and the latency from \
            then on counts every stall.
            """,
        knobs: [
            (.watchers, 1000), (.inFlight, 1), (.rate, 0), (.tokenBytes, 120), (.seconds, 10), (.warmUp, 0.5),
            (.poll, 0),
        ],
        quick: [(.watchers, 30), (.inFlight, 4), (.seconds, 0.5), (.warmUp, 0.1)],
        playsOnFloor: true
    ) { (run) throws(Failure) in
        let rooms = try run.stage.open(rooms: 1, watchers: run.whole(.watchers))
        try run.talk(run.script, in: rooms, startingWithin: 0)
    }
}
