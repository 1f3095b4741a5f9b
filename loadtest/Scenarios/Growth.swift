import ChatProtocol

extension Scenario {
    static let growth = Scenario(
        name: "growth",
        summary: "what a delivered token costs as watchers, rooms and connections grow tenfold",
        about: """
            The same work at several sizes, each ten times the one before. Watchers: one room, where the next token is \
            said when all watchers have the last one. Rooms: ten watchers in each, the same tokens a second in all \
            rooms together. Connections: one room with a hundred watchers, and the others joined elsewhere, where \
            nothing is said. A cost that is flat does not depend on the size.
            """,
        knobs: [(.connections, 10_000), (.tokenBytes, 120), (.sends, 2000), (.seconds, 3), (.warmUp, 0.5)],
        quick: [(.connections, 1000), (.sends, 200), (.seconds, 0.2), (.warmUp, 0.1)]
    ) { (run) throws(Failure) in
        guard run.probe != nil else { throw Failure("growth reads the hub's CPU: it needs --server-pid or --hub") }
        let most = run.whole(.connections)
        var script = SyntheticScript()
        script.tokenBytes = run.whole(.tokenBytes)
        script.window = 1
        try run.grow("watchers", powersOfTen(upTo: most)) { (count) throws(Failure) in
            try run.talk(script, in: run.stage.open(rooms: 1, watchers: count), startingWithin: 0)
        }
        try run.grow("connections", powersOfTen(upTo: most).filter { $0 >= 100 }) { (count) throws(Failure) in
            let rooms = try run.hub.open(rooms: 2, watchers: 1)
            try run.hub.add(99, to: [rooms[0]])
            try run.hub.add(count - 100, to: [rooms[1]])
            try run.talk(script, in: [rooms[0]], startingWithin: 0)
            try run.hub.close([rooms[1]])
        }
        script.window = nil
        try run.grow("rooms", powersOfTen(upTo: most / 10)) { (count) throws(Failure) in
            script.rate = run.number(.sends) / Double(count)
            let rooms = try run.stage.open(rooms: count, watchers: 10)
            try run.talk(script, in: rooms, startingWithin: max(1 / script.rate, Double(count) / 500))
        }
        run.tally.forgetTokenTimes()
    }
}

private func powersOfTen(upTo most: Int) -> [Int] {
    var sizes = [1]
    while let last = sizes.last, last * 10 <= most { sizes.append(last * 10) }
    return Array(sizes.suffix(4))
}

extension Run {
    /// Plays something at several sizes, and writes down what a delivery costs at each.
    fileprivate func grow(
        _ name: String, _ sizes: [Int], _ play: (Int) throws(Failure) -> Void
    ) throws(Failure) {
        var costs = Series("hub", in: "Server CPU per delivery over \(name)", .nanoseconds, over: name, .count)
        for size in sizes {
            let part = try apart { () throws(Failure) in try play(size) }
            report.seconds += part.seconds
            report.client.busyShare = max(report.client.busyShare, part.client.busyShare)
            guard let cost = part.figures.first(where: { $0.name == "server CPU per delivery" }) else {
                throw Failure("nothing was delivered at \(size) \(name)")
            }
            costs.add(Double(size), cost.value)
            report.figures.append(Figure("per delivery, \(brief(Double(size))) \(name)", cost.value, .nanoseconds))
        }
        report.series.append(costs)
    }
}
