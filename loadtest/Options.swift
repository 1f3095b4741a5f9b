/// What a run is asked for, on the command line.
struct Options {
    let scenario: Scenario
    var values: [Knob: Double]
    var url: String?
    var serverPID: Int32?
    var tokens: [String] = []
    /// The binary of a hub to start.
    var hub: String?
    /// The binary of the floor to start, and its own options.
    var floor: String?
    var floorOptions: [String] = []
    var loops = 1
    /// Of the hub that is started, by name.
    var limits: [(name: String, value: Int64)] = []
    var countedSeconds = 0.0
    var processes = 1
    var json: String?
    var html: String?

    init(_ scenario: Scenario, _ arguments: [String]) throws(Failure) {
        self.scenario = scenario
        let known = scenario.knobs.map { ($0.knob, $0.value) }
        values = Dictionary(known) { _, last in last }
        if arguments.contains("--quick") { values.merge(scenario.quick.map { ($0.knob, $0.value) }) { $1 } }
        var rest = arguments[...]
        while let flag = rest.popFirst() {
            if flag == "--quick" { continue }
            guard let value = rest.popFirst() else { throw Failure("\(flag) needs a value") }
            if let knob = scenario.knobs.first(where: { "--\($0.knob.name)" == flag })?.knob {
                values[knob] = try knob.value(value)
            } else {
                try set(flag, value)
            }
        }
        guard [url, hub, floor].count(where: { $0 != nil }) == 1 else {
            throw Failure("one of --url, --hub and --floor says what to measure")
        }
        guard floor == nil || processes == 1 else { throw Failure("the floor is watched by one process") }
        guard floor == nil || scenario.playsOnFloor else { throw Failure("the floor cannot play \(scenario.name)") }
    }

    private mutating func set(_ flag: String, _ value: String) throws(Failure) {
        switch flag {
        case "--url": url = value
        case "--server-pid": serverPID = try Self.whole(flag, value, 1...Int32.max)
        case "--token": tokens.append(value)
        case "--hub": hub = value
        case "--floor": floor = value
        case "--floor-options": floorOptions = value.split(separator: " ").map(String.init)
        case "--loops": loops = try Self.whole(flag, value, 1...1024)
        case "--limit":
            let parts = value.split(separator: "=")
            guard parts.count == 2, let number = Int64(parts[1]) else { throw Failure("--limit needs NAME=NUMBER") }
            limits.append((String(parts[0]), number))
        case "--processes": processes = try Self.whole(flag, value, 1...64)
        case "--count-calls":
            guard let seconds = Double(value), (0.1...60).contains(seconds) else {
                throw Failure("--count-calls needs seconds from 0.1 to 60")
            }
            countedSeconds = seconds
        case "--json": json = value
        case "--html": html = value
        default:
            let names = scenario.knobs.map { "--\($0.knob.name)" }.joined(separator: ", ")
            throw Failure("\(scenario.name) has no option \(flag); it has \(names), and those of every scenario")
        }
    }

    private static func whole<Number: FixedWidthInteger>(
        _ flag: String, _ value: String, _ range: ClosedRange<Number>
    ) throws(Failure) -> Number {
        guard let number = Number(value), range.contains(number) else {
            throw Failure("\(flag) needs a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
