/// A scenario that two contenders play in turn.
struct ComparedCase {
    /// A figure that is compared.
    enum Measure {
        case figure(String, Target?)
        case latency(String, percent: Double, Target?)
        /// One that only the first contender is about.
        case shown(String)
    }

    /// As `--cases` has it.
    let name: String
    let title: String
    let scenario: Scenario
    let values: [Knob: Double]
    let first: Contender
    let second: Contender
    let measures: [Measure]

    /// Without any word about cases, those that hold the hub against the floor are played.
    static func all(isQuick: Bool) -> [ComparedCase] {
        let crowds = isQuick ? [50] : [1000, 10_000]
        let rooms = isQuick ? 10 : 200
        return [1, isQuick ? 8 : 64].map(send)
            + crowds.flatMap { watchers in
                [
                    fanout(watchers, inFlight: 1, floorOptions: [], target: 1.05),
                    fanout(watchers, inFlight: 16, floorOptions: ["-c"], target: 0.8),
                    fanout(watchers, inFlight: 64, floorOptions: ["-c"], target: 1.1),
                ]
            } + [
                stream(rooms: rooms, rate: 50, window: 52, cpu: .atMost(0.6)),
                stream(rooms: rooms, rate: 50, window: 13, cpu: .atMost(0.75)),
                stream(rooms: rooms, rate: 5, latency: .atMost(1.1)),
                slow("slow-steady", watchers: isQuick ? 20 : 1000, rate: isQuick ? 15 : 4),
                slow("slow-flooded", watchers: isQuick ? 20 : 1000, rate: isQuick ? 150 : 40),
                loops("loops-unmerged", rooms: rooms, rate: 50, limits: [("coalesce_milliseconds_max", 0)]),
                loops("loops-merged", rooms: rooms, rate: 50, limits: []),
            ]
    }

    private static func send(inFlight: Int) -> ComparedCase {
        ComparedCase(
            name: "send-\(inFlight)", title: "send, \(inFlight) in flight", scenario: .send,
            values: [.inFlight: Double(inFlight), .warmUp: 0.1], first: .hub, second: .floor([]),
            measures: [
                .latency("send to ack", percent: 50, nil), .latency("send to ack", percent: 99, nil),
                .figure("server CPU per send", nil), .figure("sends", nil),
            ])
    }

    /// The hub merges no tokens by time here, since the floor does not either: what is compared is the cost of sending.
    private static func fanout(
        _ watchers: Int, inFlight: Int, floorOptions: [String], target: Double
    ) -> ComparedCase {
        var hub = Contender.hub
        hub.limits = [("coalesce_milliseconds_max", 0)]
        return ComparedCase(
            name: "fanout-\(watchers)-\(inFlight)",
            title: "fanout, \(brief(Double(watchers))) watchers, \(inFlight) in flight", scenario: .fanout,
            values: [.watchers: Double(watchers), .inFlight: Double(inFlight), .warmUp: 0.3, .poll: 1],
            first: hub, second: .floor(floorOptions),
            measures: [.figure("server CPU per delivery", .atMost(target)), .figure("deliveries", nil)])
    }

    /// - Parameter window: the longest that tokens are merged, in milliseconds; `nil` for the hub's default.
    private static func stream(
        rooms: Int, rate: Double, window: Int64? = nil, cpu: Target? = nil, latency: Target? = nil
    ) -> ComparedCase {
        var hub = Contender.hub
        hub.limits = window.map { [("coalesce_milliseconds_max", $0)] } ?? []
        return ComparedCase(
            name: "stream-\(brief(rate))" + (window.map { "-\($0)ms" } ?? ""),
            title: "stream, \(rooms) rooms × 5 watchers × \(brief(rate))/s"
                + (window.map { ", window \($0) ms" } ?? ""),
            scenario: .stream, values: [.rooms: Double(rooms), .rate: rate, .warmUp: 0.5, .poll: 1],
            first: hub, second: .floor([]),
            measures: [
                .figure("server CPU per delivery", cpu),
                .latency(Tally.sinceEmissionName, percent: 50, latency),
                .latency(Tally.sinceEmissionName, percent: 99, latency),
                .latency(Tally.sinceDueName, percent: 99, nil),
            ])
    }

    /// What slow readers cost those who are not: the same crowd, with and without a fifth that reads 2 KB a second.
    private static func slow(_ name: String, watchers: Int, rate: Double) -> ComparedCase {
        var (with, without) = (Contender.hub, Contender.hub)
        (with.name, without.name) = ("slow readers", "none")
        // The same watchers count, since whoever is written to first has its token first.
        without.values = [.slowBytes: 0]
        return ComparedCase(
            name: name,
            title: "slow, \(brief(Double(watchers))) watchers, \(brief(rate * 120)) B/s of text", scenario: .slow,
            values: [.watchers: Double(watchers), .rate: rate], first: with, second: without,
            measures: [
                .latency(Tally.sinceEmissionName, percent: 50, nil),
                .latency(Tally.sinceEmissionName, percent: 99, .atMost(1.1)), .figure("server CPU per delivery", nil),
                .shown("oldest text that a slow reader read"), .shown("text that the slowest lacks"),
                .shown("kernel memory for the slow"), .shown("server memory for the slow"),
                .shown("snapshots for those behind"),
            ])
    }

    /// What it costs that rooms and sockets are on two loops: neither hub has a core to itself.
    ///
    /// Where tokens are merged, two loops, each with half the load, merge fewer: the window follows a loop's load.
    private static func loops(
        _ name: String, rooms: Int, rate: Double, limits: [(name: String, value: Int64)]
    ) -> ComparedCase {
        var (two, one) = (Contender.hub, Contender.hub)
        (two.name, one.name) = ("two loops", "one loop")
        (two.loops, two.hasOwnCore, one.hasOwnCore) = (2, false, false)
        (two.limits, one.limits) = (limits, limits)
        return ComparedCase(
            name: name, title: "\(name), \(rooms) rooms × 5 watchers × \(brief(rate))/s", scenario: .stream,
            values: [.rooms: Double(rooms), .rate: rate, .warmUp: 0.5], first: two, second: one,
            measures: [
                .figure("server CPU per delivery", .atMost(1.15)), .figure("server wake-ups per delivery", nil),
                .latency(Tally.sinceEmissionName, percent: 50, nil),
                .latency(Tally.sinceEmissionName, percent: 99, nil),
            ])
    }
}

/// A server, and how the scenario differs for it.
struct Contender {
    var name: String
    let kind: Server.Kind
    var loops = 1
    /// Without one, the kernel runs it and the load test where it likes.
    var hasOwnCore = true
    /// Of the hub, where they are other than its own.
    var limits: [(name: String, value: Int64)] = []
    var floorOptions: [String] = []
    var values: [Knob: Double] = [:]

    static let hub = Contender(name: "hub", kind: .hub)

    static func floor(_ options: [String]) -> Contender {
        Contender(name: "floor", kind: .floor, floorOptions: options)
    }

    /// Those with equal words share a process.
    var server: String {
        let limits = limits.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
        return "\(kind) \(loops) \(hasOwnCore) \(limits) \(floorOptions.joined(separator: " "))"
    }
}
