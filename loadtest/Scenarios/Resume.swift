import ChatProtocol

extension Scenario {
    static let resume = Scenario(
        name: "resume",
        summary: "watchers lose their connections and return to where they were",
        about: """
            Agents talk in some rooms while random watchers lose their connections, half of them without a word, and \
            come back a little later with the place where they were. The hub sends them what they missed, or a \
            snapshot; either way their texts and log positions must go on without a gap.
            """,
        knobs: [
            (.rooms, 20), (.watchers, 50), (.rate, 20), (.tokenBytes, 120), (.drops, 50), (.away, 3), (.seconds, 10),
            (.warmUp, 1),
        ],
        quick: [
            (.rooms, 3), (.watchers, 5), (.rate, 200), (.drops, 40), (.away, 0.3), (.seconds, 0.6), (.warmUp, 0.1),
        ],
        divides: [.rooms, .drops]
    ) { (run) throws(Failure) in
        let rooms = try run.hub.open(rooms: run.whole(.rooms), watchers: max(2, run.whole(.watchers)))
        let droppers = Droppers(
            run, rooms.flatMap { $0.watchers.dropFirst() }, dropsPerSecond: run.number(.drops),
            awaySecondsMax: run.number(.away))
        droppers.begin()
        try run.talk(run.script, in: rooms, startingWithin: 0.5) { () throws(Failure) in try droppers.stop() }
    }
}
