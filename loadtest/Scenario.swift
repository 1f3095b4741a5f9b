/// One thing that is measured.
struct Scenario: Sendable {
    let name: String
    /// One line.
    let summary: String
    /// What happens, and what the figures mean.
    let about: String
    /// What it can be told, with defaults.
    let knobs: [(knob: Knob, value: Double)]
    /// Other defaults for a run of a second, which is for its checks and not for its figures.
    let quick: [(knob: Knob, value: Double)]
    /// What several processes have a share of each; without any, it takes no more than one.
    var divides: [Knob] = []
    /// Whether it can be played on the C floor, too.
    var playsOnFloor = false
    let play: @Sendable (Run) throws(Failure) -> Void

    static let all: [Scenario] = [
        .connect, .idle, .echo, .send, .fanout, .stream, .chat, .churn, .slow, .resume, .mixed, .growth,
    ]

    static func named(_ name: String) throws(Failure) -> Scenario {
        guard let scenario = all.first(where: { $0.name == name }) else {
            throw Failure("there is no scenario '\(name)'; 'loadtest help' lists them")
        }
        return scenario
    }
}

/// What a scenario plays with. Confined to the main thread.
final class Run {
    let engine: Engine
    let tally: Tally
    let address: ServerAddress
    /// The server's process, where it is known.
    let probe: ServerProbe?
    let stage: any Stage
    let title: String
    let progress = ProgressLine()
    /// How long system calls are counted, after the measurement.
    let countedSeconds: Double
    /// How many processes play at the same time, each its share.
    let processes: Int
    var report: RunReport
    private(set) var tallies: [Tally]
    private let values: [Knob: Double]

    init(
        _ scenario: Scenario, _ values: [Knob: Double], on server: Server, _ engine: Engine, title: String,
        tokens: [String] = [], countedSeconds: Double = 0, processes: Int = 1
    ) throws(Failure) {
        (self.engine, self.title) = (engine, title)
        (self.countedSeconds, self.processes) = (countedSeconds, processes)
        self.values = values
        engine.pollInterval = UInt64(values[.poll] ?? 0) * 1000
        address = try ServerAddress(url: server.url)
        probe = try server.processID.map { (id) throws(Failure) in try ServerProbe(processID: id) }
        tally = Tally(readsStamps: address.isLoopback)
        tallies = [tally]
        report = RunReport(scenario.name)
        report.server.url = server.url
        report.server.processID = server.processID.map(Int.init)
        report.options = scenario.knobs.map { Option($0.knob.name, brief(values[$0.knob] ?? $0.value)) }
        switch server.kind {
        case .hub: stage = HubStage(engine, tally, address, tokens: tokens)
        case .floor: stage = FloorStage(engine, tally, address)
        }
    }

    func whole(_ knob: Knob) -> Int { Int(values[knob]!) }

    func has(_ knob: Knob) -> Bool { values[knob] != nil }

    func number(_ knob: Knob) -> Double { values[knob]! }

    /// Where a scenario plays that the floor cannot play.
    var hub: HubStage { stage as! HubStage }

    /// Further watchers, whose figures stand for themselves.
    func addTally(_ group: String) -> Tally {
        let tally = Tally(readsStamps: address.isLoopback, group: group)
        tallies.append(tally)
        return tally
    }

    func meter(_ counted: Meter.Counted = .deliveries) -> Meter {
        Meter(engine, tallies, probe, counted) { [title, progress, values] elapsed, rate in
            progress.show(title, done: elapsed / (values[.seconds] ?? 1), [Figure(counted.many, rate, .perSecond)])
        }
    }

    /// Plays something whose figures are not the run's own, and returns them.
    func apart(_ play: () throws(Failure) -> Void) throws(Failure) -> RunReport {
        let own = report
        report = RunReport(own.scenario)
        defer { report = own }
        try play()
        return report
    }

    /// Measures for as long as was asked for.
    func measure(_ counted: Meter.Counted = .deliveries) throws(Failure) {
        let meter = meter(counted)
        try engine.run(seconds: number(.seconds))
        meter.stop(into: &report)
        try countCalls(per: counted)
    }
}

/// What is measured.
struct Server {
    enum Kind {
        case hub, floor
    }

    let kind: Kind
    let url: String
    let processID: Int32?
}
