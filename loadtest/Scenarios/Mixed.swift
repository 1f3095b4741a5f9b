import ChatProtocol

extension Scenario {
    static let mixed = Scenario(
        name: "mixed",
        summary: "chats, slow readers, lost connections and crowds, all at once",
        about: """
            Users chat in some rooms. In as many others agents talk all the time: some of their watchers read \
            slowly, some lose their connections and return, and crowds come and go.
            """,
        knobs: [
            (.rooms, 50), (.watchers, 10), (.rate, 50), (.tokenBytes, 40), (.tokens, 60), (.sends, 10), (.cancels, 0.1),
            (.slowShare, 0.1), (.slowBytes, 4000), (.slowBuffer, 4096), (.drops, 10), (.away, 3), (.storm, 200),
            (.seconds, 20), (.warmUp, 1),
        ],
        quick: [
            (.rooms, 4), (.watchers, 5), (.tokens, 10), (.sends, 5), (.drops, 20), (.away, 0.3), (.storm, 10),
            (.seconds, 0.8),
            (.warmUp, 0.1),
        ],
        divides: [.rooms, .sends, .drops, .storm]
    ) { (run) throws(Failure) in
        let half = max(1, run.whole(.rooms) / 2)
        let chats = try run.hub.open(rooms: half, watchers: run.whole(.watchers))
        let slowTally = run.addTally("slow readers")
        var slow: [Watcher] = []
        var others: [Watcher] = []
        var owed = 0.0
        let halls = try run.hub.open(rooms: half, watchers: run.whole(.watchers)) { watcher in
            owed += run.number(.slowShare)
            guard owed >= 1 else { return others.append(watcher) }
            owed -= 1
            watcher.receiveBufferBytes = run.whole(.slowBuffer)
            watcher.count(in: slowTally)
            slow.append(watcher)
        }

        let chatter = Chatter(
            run, chats, run.script, sendsPerSecond: run.number(.sends), cancelShare: run.number(.cancels))
        let readers = SlowReaders(run.engine, slow, run.probe, bytesPerSecond: run.number(.slowBytes))
        let droppers = Droppers(
            run, others, dropsPerSecond: run.number(.drops), awaySecondsMax: run.number(.away))
        let storm = Storm(run, size: run.whole(.storm), tally: run.addTally("the crowds"))
        chatter.begin()
        readers.begin()
        droppers.begin()
        try run.talk(run.script, in: halls, startingWithin: 0.5) { () throws(Failure) in
            chatter.stop()
            readers.stop()
            try droppers.stop()
            storm.report()
        } meanwhile: { (isOver) throws(Failure) in
            while !isOver() { try storm.wave(in: halls[0], staying: min(0.5, run.number(.seconds) / 4)) }
        }
        try run.hub.close(chats)
    }
}
