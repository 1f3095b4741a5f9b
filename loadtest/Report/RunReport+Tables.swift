// What a run's report says, in tables and sentences: the same on the terminal and on the page.

extension RunReport {
    /// For the terminal.
    var text: String {
        var parts = ["\(scenario): \(verdict.sentence)\n\(subtitle)\n"]
        if !options.isEmpty { parts[0] += options.map { "\($0.name) \($0.value)" }.joined(separator: ", ") + "\n" }
        if !latencies.isEmpty { parts.append(latencyTable.text) }
        if !figures.isEmpty { parts.append(figureTable.text) }
        if !checks.isEmpty { parts.append(checkTable.text) }
        if checks.contains(where: { !$0.mismatches.isEmpty }) { parts.append(mismatchTable.text) }
        parts.append((notes + (client.connections > 0 ? [clientSentence] : [])).map { $0 + "\n" }.joined())
        return parts.joined(separator: "\n")
    }

    var subtitle: String {
        var parts = [startedAt.readable, Unit.seconds.text(seconds)]
        parts.append(server.version.map { "\(server.url) (\($0))" } ?? server.url)
        return parts.filter { !$0.isEmpty }.joined(separator: " · ")
    }

    var clientSentence: String {
        let busy = Unit.share.text(client.busyShare)
        return "The load test used \(busy) of its core for \(brief(Double(client.connections))) connections."
    }

    var latencyTable: Table {
        let percents = Latency.percents
        var table = Table(
            [.words("Latency"), .number("count"), .number("mean")]
                + percents.map { .number("p\(percentText($0))") } + [.number("max")])
        for latency in latencies {
            let histogram = latency.histogram
            var row: [Table.Cell] = [.init(latency.name), .init(brief(Double(histogram.count)))]
            row.append(Self.cell(histogram.isEmpty ? nil : histogram.mean))
            for percent in percents {
                row.append(Self.cell(histogram.supports(percent) ? Double(histogram.percentile(percent)) : nil))
            }
            row.append(Self.cell(histogram.isEmpty ? nil : Double(histogram.max)))
            table.rows.append(row)
        }
        return table
    }

    private static func cell(_ nanoseconds: Double?) -> Table.Cell {
        nanoseconds.map { .init(Unit.nanoseconds.text($0)) } ?? .init("–", .soft)
    }

    var figureTable: Table {
        let hasTargets = figures.contains { $0.target != nil }
        var table = Table(
            [.words("Figure"), .number("value")] + (hasTargets ? [.number("target"), .words("")] : []))
        for figure in figures {
            var row: [Table.Cell] = [.init(figure.name), .init(figure.unit.text(figure.value))]
            if hasTargets {
                row.append(.init(figure.target?.text(figure.unit) ?? "", .soft))
                row.append(figure.target?.outcome(of: figure.value) ?? "")
            }
            table.rows.append(row)
        }
        return table
    }

    var checkTable: Table {
        var table = Table([.words("Check"), .number("checked"), .number("wrong")])
        table.rows = checks.map { check in
            [
                .init(check.name), .init(brief(Double(check.checked)), check.checked == 0 ? .soft : .plain),
                .init(brief(Double(check.mismatchCount)), Self.tone(of: check)),
            ]
        }
        return table
    }

    /// What was never checked is not good.
    private static func tone(of check: Check) -> Table.Tone {
        check.mismatchCount > 0 ? .bad : check.checked > 0 ? .good : .soft
    }

    var mismatchTable: Table {
        var table = Table(
            [.words("Wrong"), .words("room"), .words("stream"), .number("offset"), .words("what")])
        for check in checks {
            table.rows += check.mismatches.map { mismatch in
                [
                    .init(check.name), .init(mismatch.room ?? "–"), .init(mismatch.stream ?? "–"),
                    .init(mismatch.offset.map { brief(Double($0)) } ?? "–"), .init(mismatch.what),
                ]
            }
            let more = check.mismatchCount - check.mismatches.count
            guard more > 0, !check.mismatches.isEmpty else { continue }
            table.rows.append([.init(check.name), "", "", "", .init("and \(brief(Double(more))) more", .soft)])
        }
        return table
    }

    var optionTable: Table {
        var table = Table([.words("Option"), .words("value")])
        table.rows = options.map { [.init($0.name), .init($0.value)] }
        return table
    }

    /// The machine, the hub, the load test itself.
    var factTable: Table {
        var table = Table([.words("Run"), .words("")])
        table.rows = [
            ["processor", .init("\(machine.cpu), \(machine.cores) \(machine.cores == 1 ? "core" : "cores")")],
            ["memory", .init(Unit.bytes.text(Double(machine.memoryBytes)))], ["kernel", .init(machine.kernel)],
        ]
        guard !server.url.isEmpty else { return table }
        table.rows += [
            ["hub", .init(server.url)], ["hub version", .init(server.version ?? "unknown")],
            ["hub process", .init(server.processID.map { "\($0)" } ?? "not on this machine, or not named")],
            ["load test", .init("\(Unit.share.text(client.busyShare)) of its core busy")],
            ["connections", .init(brief(Double(client.connections)))],
        ]
        return table
    }
}

extension Histogram {
    /// Whether any recorded duration was beyond that percentile; if none was, it is the maximum under another name.
    func supports(_ percent: Double) -> Bool { Double(count) * (1 - percent / 100) >= 0.999 }
}

extension Target {
    func text(_ unit: Unit) -> String {
        switch self {
        case .atMost(let limit): "≤ \(unit.text(limit))"
        case .atLeast(let limit): "≥ \(unit.text(limit))"
        }
    }

    /// Whether it is met, and by how much: `missed by 6 %`.
    func outcome(of value: Double) -> Table.Cell {
        let isMet = isMet(by: value)
        let size = distance(of: value / limit)
        return .init((isMet ? "met" : "missed") + (size.isEmpty ? "" : " by \(size)"), isMet ? .good : .bad)
    }

    private func distance(of ratio: Double) -> String {
        let percent = abs(ratio - 1) * 100
        return switch percent {
        case 0: ""
        case ..<1: "less than 1 %"
        case ..<900: "\(fixed(percent, 0)) %"
        case ..<(.infinity): "a factor of \(ratioText(ratio))"
        default: ""
        }
    }
}

extension Verdict {
    /// What it means, for whoever reads no further.
    var sentence: String {
        switch self {
        case .failed: word.uppercased() + ". " + (reason ?? "")
        case .clientBound, .missed: word + ". " + (reason ?? "")
        case .passed: word + "."
        }
    }

    var reason: String? {
        switch self {
        case .failed(let reason): reason.prefix(1).uppercased() + reason.dropFirst() + "."
        case .clientBound:
            "The load test was as busy as it can be, so the hub may be faster than this says."
                + " Take fewer watchers or a lower rate, or spread the load over several processes."
        case .missed(let names): "Beyond target: \(names.joined(separator: ", "))."
        case .passed: nil
        }
    }
}
