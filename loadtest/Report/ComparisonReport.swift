import Wire

/// What interleaved runs of two contenders found: A B A B …
///
/// The ratio is taken within each pair of neighbouring runs, since the machine's mood changes from minute to minute,
/// and the median of the ratios counts.
struct ComparisonReport: Equatable {
    /// One figure of one scenario, of all runs.
    struct Row: Equatable {
        let scenario: String
        let name: String
        let unit: Unit
        /// Whether the two are held against each other in it.
        var isCompared = true
        /// What the median ratio should be.
        var target: Target?
        var first: [Double] = []
        var second: [Double] = []

        var ratios: [Double] { zip(first, second).map { $0 / $1 } }
        /// The one that counts: the median of the pairs that have one.
        var ratio: Double { ratios.filter(\.isFinite).median }
        var isMet: Bool { target?.isMet(by: ratio) ?? true }
    }

    /// From this share on the times mean little.
    static let disturbanceMax = 0.05

    /// Such as `hub` and `floor`; a ratio is the first one's figure by the second one's.
    let first: String
    let second: String
    var options: [Option] = []
    var startedAt: Timestamp
    var machine = MachineFacts.current
    /// The share of the servers' core that others used meanwhile, if known.
    var disturbance: Double?
    private(set) var rows: [Row] = []

    init(_ first: String, _ second: String, startedAt: Timestamp = .now) {
        (self.first, self.second, self.startedAt) = (first, second, startedAt)
    }

    /// Adds what one run of one contender found.
    mutating func add(
        _ name: String, _ value: Double, _ unit: Unit, of contender: String, to scenario: String,
        isCompared: Bool = true, target: Target? = nil
    ) {
        assert(contender == first || contender == second)
        let known = rows.firstIndex { $0.scenario == scenario && $0.name == name }
        let index = known ?? rows.count
        if known == nil {
            rows.append(Row(scenario: scenario, name: name, unit: unit, isCompared: isCompared, target: target))
        }
        rows[index][keyPath: contender == first ? \Row.first : \Row.second].append(value)
    }

    var isDisturbed: Bool { (disturbance ?? 0) > Self.disturbanceMax }
    var missed: [Row] { rows.filter { !$0.isMet } }
    /// The scenarios in the order of their first runs.
    var scenarios: [String] {
        rows.reduce(into: []) { if !$0.contains($1.scenario) { $0.append($1.scenario) } }
    }
}

extension ComparisonReport {
    static let kind = "comparison"

    var json: JSONValue {
        .members([
            ("report", .string(Self.kind)), ("first", .string(first)), ("second", .string(second)),
            ("started_at", .string(startedAt.rfc3339)), ("options", .array(options.map(\.json))),
            ("machine", machine.json), ("disturbance", disturbance.map(JSONValue.number)),
            ("figures", .array(rows.map(\.json))),
        ])
    }

    init(json fields: Fields) throws(Failure) {
        guard let startedAt = Timestamp(rfc3339: try fields.string("started_at")) else {
            throw Failure("\(fields.place).started_at is not a time")
        }
        self.init(try fields.string("first"), try fields.string("second"), startedAt: startedAt)
        options = try fields.list("options") { (item) throws(Failure) in try Option(json: item) }
        machine = try MachineFacts(json: fields.fields("machine"))
        disturbance = fields.optionalDouble("disturbance")
        rows = try fields.list("figures") { (item) throws(Failure) in try Row(json: item) }
    }
}

extension ComparisonReport.Row {
    var json: JSONValue {
        .members([
            ("scenario", .string(scenario)), ("name", .string(name)), ("unit", .string(unit.rawValue)),
            ("is_compared", .bool(isCompared)), ("target", target?.json),
            ("ratio", isCompared ? .number(ratio) : nil), ("first", .array(first.map(JSONValue.number))),
            ("second", .array(second.map(JSONValue.number))),
        ])
    }

    init(json fields: Fields) throws(Failure) {
        self.init(
            scenario: try fields.string("scenario"), name: try fields.string("name"), unit: try fields.unit("unit"),
            isCompared: try fields.bool("is_compared"), target: try fields.target("target"),
            first: try fields.doubles("first"), second: try fields.doubles("second"))
    }
}
