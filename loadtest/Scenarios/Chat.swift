import ChatProtocol

extension Scenario {
    static let chat = Scenario(
        name: "chat",
        summary: "whole exchanges: send, ack, first token, end, stored",
        about: """
            In each of many rooms a user sends messages and others watch. Messages are due at fixed times, all rooms \
            in turn; one that is due while every user waits for an answer is sent late, and its times count from \
            when it was due. Some answers are stopped half-way by another watcher. The end of an answer arrives when \
            it is stored.
            """,
        knobs: [
            (.rooms, 100), (.watchers, 2), (.sends, 50), (.tokens, 60), (.rate, 100), (.tokenBytes, 40),
            (.cancels, 0.1),
            (.seconds, 10), (.warmUp, 1),
        ],
        quick: [(.rooms, 10), (.sends, 40), (.tokens, 20), (.rate, 200), (.seconds, 0.5), (.warmUp, 0.1)],
        divides: [.rooms, .sends]
    ) { (run) throws(Failure) in
        let rooms = try run.hub.open(rooms: run.whole(.rooms), watchers: run.whole(.watchers))
        let chatter = Chatter(
            run, rooms, run.script, sendsPerSecond: run.number(.sends), cancelShare: run.number(.cancels))
        chatter.begin()
        try run.engine.run(seconds: run.number(.warmUp))
        try run.measure()
        chatter.stop()
        try run.hub.close(rooms)
    }
}
