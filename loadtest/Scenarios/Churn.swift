import ChatProtocol

extension Scenario {
    static let churn = Scenario(
        name: "churn",
        summary: "crowds come and go while an agent talks",
        about: """
            An agent talks to those who stay, while one crowd after the other connects, joins the room, stays for \
            half a second and leaves at once, half of it without a word. The stayers' latency shows what that does \
            to them.
            """,
        knobs: [
            (.watchers, 100), (.storm, 500), (.rate, 50), (.tokenBytes, 120), (.seconds, 10), (.warmUp, 1),
        ],
        quick: [(.watchers, 10), (.storm, 20), (.seconds, 0.5), (.warmUp, 0.1)]
    ) { (run) throws(Failure) in
        let visitors = run.addTally("the crowds")
        let rooms = try run.hub.open(rooms: 1, watchers: run.whole(.watchers))
        let storm = Storm(run, size: run.whole(.storm), tally: visitors)
        try run.talk(run.script, in: rooms, startingWithin: 0) { () throws(Failure) in
            storm.report()
        } meanwhile: { (isOver) throws(Failure) in
            while !isOver() { try storm.wave(in: rooms[0], staying: min(0.5, run.number(.seconds) / 4)) }
        }
    }
}
