import CLinux
import Chat
import ChatProtocol
import Glibc

/// What the hub's own structures take and cost, from ten thousand connections to a million.
struct Structures {
    static let help = """
        usage: loadtest structures [OPTION...]
          the hub in this process, without sockets: what connections and rooms take in memory, and how long
          a fan-out takes, at numbers that grow tenfold
          --connections N   the largest number (1000000)
          --watchers N      connections that watch each room (5)
          --tokens N        tokens that are said at each number (200000)
          --json FILE       write the report as JSON
          --html FILE       write the report as a page with plots
          --quick           few connections, for the checks and not for the times

        """
    /// With what the allocator adds. A million connections are to fit into a machine of 2 GiB.
    static let connectionBytesMax = 1024.0
    static let roomBytesMax = 4096.0
    /// Tables double when they are full, so a connection takes now more and now less.
    private static let growthMax = 1.15
    private static let steps = 3
    /// Fewer tell more of what every hub has once.
    private static let connectionsMin = 1000
    private static let streamsMax = 1000

    var connections = 1_000_000
    var watchers = 5
    var tokens = 200_000
    var json: String?
    var html: String?

    init() {}

    init(_ arguments: [String]) throws(Failure) {
        if arguments.contains("--quick") { (connections, tokens) = (10_000, 2000) }
        var rest = arguments[...]
        while let flag = rest.popFirst() {
            if flag == "--quick" { continue }
            guard let value = rest.popFirst(), !value.isEmpty else { throw Failure("\(flag) needs a value") }
            switch flag {
            case "--json": json = value
            case "--html": html = value
            case "--connections": connections = try Self.whole(flag, value, Self.connectionsMin...100_000_000)
            case "--watchers": watchers = try Self.whole(flag, value, 1...1000)
            case "--tokens": tokens = try Self.whole(flag, value, 1...100_000_000)
            default: throw Failure("unknown option \(flag)\n\(Self.help)")
            }
        }
    }

    private static func whole(_ flag: String, _ text: String, _ range: ClosedRange<Int>) throws(Failure) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw Failure("\(flag) needs a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    // MARK: - Measuring

    /// What was found at one number of connections.
    struct Size {
        let connections: Int
        let rooms: Int
        /// Of a room that is in memory and that nobody watches.
        var roomBytes = 0.0
        /// Of a connection that has joined nothing, and of one that watches a room.
        var openBytes = 0.0
        var joinedBytes = 0.0
        /// To open a connection and to let it join.
        var joinNanoseconds = 0.0
        /// From the agent's token to the last plan.
        var fanOutNanoseconds = 0.0
    }

    /// Measures, prints and writes it down; says whether everything was as it should be.
    func run() throws(Failure) -> Bool {
        var report = RunReport("structures")
        report.options = [Option("connections", connections), Option("watchers", watchers), Option("tokens", tokens)]
        var delivered = Check("tokens, each to every watcher of its room and to nobody else")
        var sizes: [Size] = []
        for step in (0..<Self.steps).reversed() {
            let divisor = (0..<step).reduce(1) { product, _ in product * 10 }
            guard connections / divisor >= Self.connectionsMin else { continue }
            sizes.append(measure(connections / divisor, &delivered))
        }
        report.checks = [delivered, Self.memoryCheck(sizes)]
        report.add(sizes)
        try ReportFile.run(report).publish(json: json, html: html)
        switch report.verdict {
        case .failed: return false
        case .clientBound, .missed, .passed: return true
        }
    }

    func measure(_ count: Int, _ delivered: inout Check) -> Size {
        var size = Size(connections: count, rooms: max(1, count / watchers))
        let hub = BareHub()
        let rooms = (0..<size.rooms).map { RoomID("room_6f0b3c5e-\($0)-4f2a-9d41-structures") }
        var sockets: [Connection] = []
        sockets.reserveCapacity(count)

        var before = hb_allocated_bytes()
        for room in rooms { hub.load(room) }
        size.roomBytes = Double(hb_allocated_bytes() - before) / Double(size.rooms)

        before = hb_allocated_bytes()
        let start = Clock.now()
        for number in 0..<count { sockets.append(hub.open(UserID("load-5eed0000-\(number)"))) }
        size.openBytes = Double(hb_allocated_bytes() - before) / Double(count)
        for (number, socket) in sockets.enumerated() {
            hub.receive(["type": "join", "room_id": .string(rooms[number % rooms.count].text)], on: socket)
        }
        size.joinNanoseconds = Double(Clock.now() - start) / Double(count)
        // Everybody is told who is here, and that is kept.
        hub.advance(nanoseconds: 2_000_000_000)
        size.joinedBytes = Double(hb_allocated_bytes() - before) / Double(count)

        size.fanOutNanoseconds = fanOut(hub, rooms, sockets, &delivered)
        return size
    }

    /// Agents talk in some rooms, far from each other in memory; a turn for each token.
    private func fanOut(_ hub: BareHub, _ rooms: [RoomID], _ sockets: [Connection], _ delivered: inout Check) -> Double
    {
        let streams = min(rooms.count, Self.streamsMax)
        for number in 0..<streams {
            let room = number * (rooms.count / streams)
            hub.receive(["type": "send", "room_id": .string(rooms[room].text), "text": "Go on"], on: sockets[room])
        }
        let token = [UInt8](repeating: UInt8(ascii: "x"), count: 120)
        // With the first tokens the rooms' states change once more.
        for stream in hub.streams { hub.say(token, in: stream) }
        hub.advance(nanoseconds: 2_000_000_000)
        let (broadcasts, writes) = (hub.broadcasts, hub.writes)
        let rounds = max(1, tokens / streams)
        let start = Clock.now()
        for _ in 0..<rounds {
            for stream in hub.streams { hub.say(token, in: stream) }
        }
        let elapsed = Clock.now() - start
        let (got, wanted) = (hub.broadcasts - broadcasts, rounds * streams * watchers)
        delivered.pass(wanted)
        if hub.streams.count != streams { delivered.fail("\(hub.streams.count) of \(streams) agents were started") }
        if got != wanted || hub.writes != writes {
            delivered.fail("\(got) deliveries instead of \(wanted), and \(hub.writes - writes) writes beside them")
        }
        return Double(elapsed) / Double(rounds * streams)
    }

    private static func memoryCheck(_ sizes: [Size]) -> Check {
        var check = Check("bytes of a connection and of a room, by limit and growth")
        func expect(_ value: Double, atMost limit: Double, _ what: String) {
            check.pass()
            guard value > limit else { return }
            check.fail("\(what) takes \(Unit.bytes.text(value)), more than \(Unit.bytes.text(limit))")
        }
        for size in sizes {
            expect(size.joinedBytes, atMost: connectionBytesMax, "one of \(size.connections) connections")
            expect(size.roomBytes, atMost: roomBytesMax, "one of \(size.rooms) rooms")
            expect(size.joinedBytes, atMost: sizes[0].joinedBytes * growthMax, "one of \(size.connections) connections")
            expect(size.roomBytes, atMost: sizes[0].roomBytes * growthMax, "one of \(size.rooms) rooms")
        }
        return check
    }
}

extension RunReport {
    fileprivate mutating func add(_ sizes: [Structures.Size]) {
        let lines: [(name: String, unit: Unit, value: (Structures.Size) -> Double)] = [
            ("joined connection", .bytes, { $0.joinedBytes }), ("open connection", .bytes, { $0.openBytes }),
            ("room", .bytes, { $0.roomBytes }), ("to open and join", .nanoseconds, { $0.joinNanoseconds }),
            ("fan-out of a token", .nanoseconds, { $0.fanOutNanoseconds }),
        ]
        for line in lines {
            let plot = line.unit == .bytes ? "Memory of one" : "Time of one"
            var points = Series(line.name, in: plot, line.unit, over: "connections", .count)
            for size in sizes {
                points.add(Double(size.connections), line.value(size))
                let name = "\(line.name), \(brief(Double(size.connections))) connections"
                figures.append(Figure(name, line.value(size), line.unit))
            }
            series.append(points)
        }
    }
}
