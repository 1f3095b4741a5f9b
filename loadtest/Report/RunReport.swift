import Wire

/// What one run of a scenario found.
struct RunReport: Equatable {
    var scenario: String
    /// What was asked for, in the order in which it is shown.
    var options: [Option] = []
    var startedAt: Timestamp
    /// How long the measured part took.
    var seconds: Double = 0
    var machine = MachineFacts.current
    var server = ServerFacts()
    var client = ClientFacts()
    /// What the run's title should show besides its verdict comes first.
    var figures: [Figure] = []
    var latencies: [Latency] = []
    var series: [Series] = []
    var checks: [Check] = []
    /// Sentences: what a reader must know, and no figure says.
    var notes: [String] = []
    /// Why the run ended before its time, if it did.
    var failure: String?

    init(_ scenario: String, startedAt: Timestamp = .now) {
        self.scenario = scenario
        self.startedAt = startedAt
    }

    var verdict: Verdict {
        if let failure { return .failed(failure) }
        if let check = checks.first(where: { $0.mismatchCount > 0 }) {
            return .failed(
                "\(check.name): \(brief(Double(check.mismatchCount))) of \(brief(Double(check.checked))) are wrong")
        }
        let missed = figures.filter { !($0.target?.isMet(by: $0.value) ?? true) }
        if client.isClientBound { return .clientBound }
        return missed.isEmpty ? .passed : .missed(missed.map(\.name))
    }
}

/// What a run comes down to, worst first.
enum Verdict: Equatable {
    /// Something arrived wrong, twice or not at all, or the run broke off.
    case failed(String)
    /// The load test itself was the limit, so the figures say little about the hub.
    case clientBound
    /// All arrived, but these figures are beyond their targets.
    case missed([String])
    case passed
}

/// One option of a run.
struct Option: Equatable {
    let name: String
    let value: String

    init(_ name: String, _ value: some CustomStringConvertible) {
        self.name = name
        self.value = value.description
    }
}

/// What is known of the hub.
struct ServerFacts: Equatable {
    var url = ""
    var version: String?
    /// When it runs on this machine and was named.
    var processID: Int?
}

/// How busy the load test was itself.
struct ClientFacts: Equatable {
    /// From here on the load test may be what is measured.
    static let busyShareMax = 0.85

    /// The share of its core that its busiest thread used.
    var busyShare: Double = 0
    var connections = 0

    var isClientBound: Bool { busyShare > Self.busyShareMax }
}

/// One number of a run.
struct Figure: Equatable {
    let name: String
    var value: Double
    let unit: Unit
    var target: Target?

    init(_ name: String, _ value: Double, _ unit: Unit, target: Target? = nil) {
        (self.name, self.value, self.unit, self.target) = (name, value, unit, target)
    }
}

/// What a number should be.
enum Target: Equatable {
    case atMost(Double)
    case atLeast(Double)

    var limit: Double {
        switch self {
        case .atMost(let limit), .atLeast(let limit): limit
        }
    }

    func isMet(by value: Double) -> Bool {
        switch self {
        case .atMost(let limit): value <= limit
        case .atLeast(let limit): value >= limit
        }
    }
}

/// How long something took, such as a token from the agent to a watcher.
struct Latency: Equatable {
    let name: String
    var histogram: Histogram

    init(_ name: String, _ histogram: Histogram = Histogram()) {
        (self.name, self.histogram) = (name, histogram)
    }
}

/// One line of a plot.
struct Series: Equatable {
    struct Point: Equatable {
        let x: Double
        let y: Double
    }

    /// The plot's title; series of one title, unit and axis stand in one plot.
    let plot: String
    let name: String
    let unit: Unit
    /// What the horizontal axis counts, such as `time` or `connections`.
    let xName: String
    let xUnit: Unit
    var points: [Point] = []

    init(_ name: String, in plot: String, _ unit: Unit, over xName: String, _ xUnit: Unit) {
        (self.name, self.plot, self.unit, self.xName, self.xUnit) = (name, plot, unit, xName, xUnit)
    }

    mutating func add(_ x: Double, _ y: Double) { points.append(Point(x: x, y: y)) }
}

/// Something that was checked, so many times, and where it was wrong.
struct Check: Equatable {
    struct Mismatch: Equatable {
        var room: String?
        var stream: String?
        /// In the stream's text, in bytes.
        var offset: Int?
        let what: String
    }

    /// So many are kept; all are counted.
    static let mismatchesMax = 20

    let name: String
    private(set) var checked = 0
    private(set) var mismatchCount = 0
    private(set) var mismatches: [Mismatch] = []

    init(_ name: String) { self.name = name }

    init(_ name: String, checked: Int, mismatchCount: Int, mismatches: [Mismatch]) {
        (self.name, self.checked) = (name, checked)
        (self.mismatchCount, self.mismatches) = (mismatchCount, mismatches)
    }

    mutating func pass(_ count: Int = 1) { checked += count }

    mutating func fail(_ what: String, room: String? = nil, stream: String? = nil, offset: Int? = nil) {
        checked += 1
        mismatchCount += 1
        guard mismatches.count < Self.mismatchesMax else { return }
        mismatches.append(Mismatch(room: room, stream: stream, offset: offset, what: what))
    }
}
