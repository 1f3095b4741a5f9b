/// A scenario that the hub and the floor play in turn.
struct ComparedCase {
    /// A figure that is compared.
    enum Measure {
        case figure(String, Target?)
        case latency(String, percent: Double, Target?)
    }

    /// As `--cases` has it.
    let name: String
    let title: String
    let scenario: Scenario
    let values: [Knob: Double]
    /// Of the hub, where they are other than its own.
    var hubLimits: [(name: String, value: Int64)] = []
    var floorOptions: [String] = []
    let measures: [Measure]

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
                stream(rooms: rooms, rate: 50, cpu: .atMost(0.6), latency: nil),
                stream(rooms: rooms, rate: 5, cpu: nil, latency: .atMost(1.1)),
            ]
    }

    private static func send(inFlight: Int) -> ComparedCase {
        ComparedCase(
            name: "send-\(inFlight)", title: "send, \(inFlight) in flight", scenario: .send,
            values: [.inFlight: Double(inFlight), .warmUp: 0.1],
            measures: [
                .latency("send to ack", percent: 50, nil), .latency("send to ack", percent: 99, nil),
                .figure("server CPU per send", nil), .figure("sends", nil),
            ])
    }

    /// The hub merges no tokens by time here, since the floor does not either: what is compared is the cost of sending.
    private static func fanout(
        _ watchers: Int, inFlight: Int, floorOptions: [String], target: Double
    ) -> ComparedCase {
        ComparedCase(
            name: "fanout-\(watchers)-\(inFlight)",
            title: "fanout, \(brief(Double(watchers))) watchers, \(inFlight) in flight", scenario: .fanout,
            values: [.watchers: Double(watchers), .inFlight: Double(inFlight), .warmUp: 0.3],
            hubLimits: [("coalesce_milliseconds_max", 0)], floorOptions: floorOptions,
            measures: [.figure("server CPU per delivery", .atMost(target)), .figure("deliveries", nil)])
    }

    private static func stream(rooms: Int, rate: Double, cpu: Target?, latency: Target?) -> ComparedCase {
        ComparedCase(
            name: "stream-\(brief(rate))", title: "stream, \(rooms) rooms × 5 watchers × \(brief(rate))/s",
            scenario: .stream, values: [.rooms: Double(rooms), .rate: rate, .warmUp: 0.5],
            measures: [
                .figure("server CPU per delivery", cpu),
                .latency(Tally.sinceEmissionName, percent: 50, latency),
                .latency(Tally.sinceEmissionName, percent: 99, latency),
                .latency(Tally.sinceDueName, percent: 99, nil),
            ])
    }
}
