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
    /// Whether it can be played on the C floor, too.
    var playsOnFloor = false
    let play: @Sendable (Run) throws(Failure) -> Void

    static let all: [Scenario] = [.fanout, .stream]
}

/// What a scenario plays with. Confined to the main thread.
final class Run {
    let engine: Engine
    let tally: Tally
    let address: ServerAddress
    /// The server's process, where it is known.
    let probe: ServerProbe?
    let stage: any Stage
    var report: RunReport
    private let values: [Knob: Double]

    init(
        _ scenario: Scenario, _ values: [Knob: Double], on server: Server, _ engine: Engine, token: String?
    ) throws(Failure) {
        self.engine = engine
        self.values = values
        address = try ServerAddress(url: server.url)
        probe = try server.processID.map { (id) throws(Failure) in try ServerProbe(processID: id) }
        tally = Tally(readsStamps: address.isLoopback)
        report = RunReport(scenario.name)
        report.server.url = server.url
        report.server.processID = server.processID.map(Int.init)
        report.options = scenario.knobs.map { Option($0.knob.name, brief(values[$0.knob] ?? $0.value)) }
        switch server.kind {
        case .hub: stage = HubStage(engine, tally, address, token: token)
        case .floor: stage = FloorStage(engine, tally, address)
        }
    }

    func whole(_ knob: Knob) -> Int { Int(values[knob]!) }

    func number(_ knob: Knob) -> Double { values[knob]! }

    /// Measures for so long.
    func measure(seconds: Double) throws(Failure) {
        let meter = Meter(engine, tally, probe)
        report.client.connections = engine.openCount
        try engine.run(seconds: seconds)
        meter.stop(into: &report)
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
