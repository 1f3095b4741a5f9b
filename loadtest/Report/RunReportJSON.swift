import Wire

// A report as JSON, and back. `p50` and its like are for readers of the file; they are computed again when it is read.

extension RunReport {
    static let kind = "run"

    var json: JSONValue {
        .members([
            ("report", .string(Self.kind)), ("scenario", .string(scenario)), ("verdict", .string(verdict.word)),
            ("failure", failure.map(JSONValue.string)), ("started_at", .string(startedAt.rfc3339)),
            ("seconds", .number(seconds)), ("options", .array(options.map(\.json))), ("machine", machine.json),
            ("server", server.json), ("client", client.json), ("figures", .array(figures.map(\.json))),
            ("latencies", .array(latencies.map(\.json))), ("series", .array(series.map(\.json))),
            ("checks", .array(checks.map(\.json))), ("notes", .array(notes.map(JSONValue.string))),
        ])
    }

    init(json fields: Fields) throws(Failure) {
        guard let startedAt = Timestamp(rfc3339: try fields.string("started_at")) else {
            throw Failure("\(fields.place).started_at is not a time")
        }
        self.init(try fields.string("scenario"), startedAt: startedAt)
        failure = fields.optionalString("failure")
        seconds = try fields.double("seconds")
        options = try fields.list("options") { (item) throws(Failure) in try Option(json: item) }
        machine = try MachineFacts(json: fields.fields("machine"))
        server = try ServerFacts(json: fields.fields("server"))
        client = try ClientFacts(json: fields.fields("client"))
        figures = try fields.list("figures") { (item) throws(Failure) in try Figure(json: item) }
        latencies = try fields.list("latencies") { (item) throws(Failure) in try Latency(json: item) }
        series = try fields.list("series") { (item) throws(Failure) in try Series(json: item) }
        checks = try fields.list("checks") { (item) throws(Failure) in try Check(json: item) }
        notes = try fields.array("notes").compactMap(\.string)
    }
}

extension Verdict {
    var word: String {
        switch self {
        case .failed: "failed"
        case .clientBound: "client-bound"
        case .missed: "missed"
        case .passed: "passed"
        }
    }
}

extension Option {
    var json: JSONValue { ["name": .string(name), "value": .string(value)] }
    init(json fields: Fields) throws(Failure) { self.init(try fields.string("name"), try fields.string("value")) }
}

extension ServerFacts {
    var json: JSONValue {
        .members([
            ("url", .string(url)), ("version", version.map(JSONValue.string)),
            ("process_id", processID.map { .int(Int64($0)) }),
        ])
    }

    init(json fields: Fields) throws(Failure) {
        url = try fields.string("url")
        version = fields.optionalString("version")
        processID = fields.optionalInt("process_id")
    }
}

extension ClientFacts {
    var json: JSONValue {
        [
            "busy_share": .number(busyShare), "connections": .int(Int64(connections)),
            "is_client_bound": .bool(isClientBound),
        ]
    }

    init(json fields: Fields) throws(Failure) {
        busyShare = try fields.double("busy_share")
        connections = try fields.int("connections")
    }
}

extension Figure {
    var json: JSONValue {
        .members([
            ("name", .string(name)), ("value", .number(value)), ("unit", .string(unit.rawValue)),
            ("target", target?.json),
        ])
    }

    init(json fields: Fields) throws(Failure) {
        self.init(try fields.string("name"), try fields.double("value"), try fields.unit("unit"))
        target = try fields.target("target")
    }
}

extension Target {
    var json: JSONValue {
        switch self {
        case .atMost(let limit): ["at_most": .number(limit)]
        case .atLeast(let limit): ["at_least": .number(limit)]
        }
    }
}

extension Fields {
    func unit(_ name: String) throws(Failure) -> Unit {
        let word = try string(name)
        guard let unit = Unit(rawValue: word) else { throw Failure("\(place).\(name): there is no unit '\(word)'") }
        return unit
    }

    func target(_ name: String) throws(Failure) -> Target? {
        guard has(name) else { return nil }
        let target = try fields(name)
        if let limit = target.optionalDouble("at_most") { return .atMost(limit) }
        return .atLeast(try target.double("at_least"))
    }
}

extension Latency {
    static let percents = [50, 90, 99, 99.9, 99.99]

    var json: JSONValue {
        let percentiles = Self.percents.map { percent in
            ("p\(percentText(percent))", JSONValue?.some(.int(Int64(histogram.percentile(percent)))))
        }
        return .members(
            [("name", .string(name)), ("unit", .string(Unit.nanoseconds.rawValue))]
                + [("count", .int(Int64(histogram.count))), ("mean", .number(histogram.mean))]
                + percentiles + [("max", .int(Int64(histogram.max))), ("histogram", histogram.json)])
    }

    init(json fields: Fields) throws(Failure) {
        self.init(try fields.string("name"), try Histogram(json: fields.fields("histogram")))
    }
}

extension Series {
    var json: JSONValue {
        [
            "plot": .string(plot), "name": .string(name), "unit": .string(unit.rawValue), "x_name": .string(xName),
            "x_unit": .string(xUnit.rawValue), "x": .array(points.map { .number($0.x) }),
            "y": .array(points.map { .number($0.y) }),
        ]
    }

    init(json fields: Fields) throws(Failure) {
        self.init(
            try fields.string("name"), in: try fields.string("plot"), try fields.unit("unit"),
            over: try fields.string("x_name"), try fields.unit("x_unit"))
        points = zip(try fields.doubles("x"), try fields.doubles("y")).map { Point(x: $0, y: $1) }
    }
}

extension Check {
    var json: JSONValue {
        [
            "name": .string(name), "checked": .int(Int64(checked)), "mismatch_count": .int(Int64(mismatchCount)),
            "mismatches": .array(mismatches.map(\.json)),
        ]
    }

    init(json fields: Fields) throws(Failure) {
        self.init(
            try fields.string("name"), checked: try fields.int("checked"),
            mismatchCount: try fields.int("mismatch_count"),
            mismatches: try fields.list("mismatches") { (item) throws(Failure) in try Mismatch(json: item) })
    }
}

extension Check.Mismatch {
    var json: JSONValue {
        .members([
            ("room", room.map(JSONValue.string)), ("stream", stream.map(JSONValue.string)),
            ("offset", offset.map { .int(Int64($0)) }), ("what", .string(what)),
        ])
    }

    init(json fields: Fields) throws(Failure) {
        self.init(
            room: fields.optionalString("room"), stream: fields.optionalString("stream"),
            offset: fields.optionalInt("offset"), what: try fields.string("what"))
    }
}
