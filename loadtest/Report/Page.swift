/// A report as one HTML file that needs nothing else: no script, no font, no picture from anywhere.
struct Page {
    let title: String
    let parts: [Node]

    var html: String {
        let head = element(
            "head", [:],
            [
                element("meta", ["charset": "utf-8"]),
                element("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
                element("title", [:], [.text(title)]), element("style", [:], [.text(Self.style)]),
            ])
        let body = element("body", [:], [element("main", [:], parts)])
        var page = "<!doctype html>\n"
        element("html", ["lang": "en"], [head, body]).write(to: &page)
        return page + "\n"
    }

    /// The title, how it ended, when and where, and the numbers to take away.
    static func header(
        _ title: String, badge: Node?, reason: String? = nil, lines: [String], warning: String? = nil, tiles: [Tile]
    ) -> Node {
        var parts = [
            element("p", ["class": "kind"], ["Hubbub load test"]),
            element("h1", [:], [.text(title)] + (badge.map { [.text(" "), $0] } ?? [])),
        ]
        if let reason { parts.append(element("p", ["class": "reason"], [.text(reason)])) }
        parts += lines.filter { !$0.isEmpty }.map { element("p", [:], [.text($0)]) }
        if let warning { parts.append(element("p", ["class": "warning"], [.text(warning)])) }
        if !tiles.isEmpty {
            let kind = tiles.count > Self.tilesMax ? "tiles many" : "tiles"
            parts.append(element("div", ["class": kind], tiles.map(\.node)))
        }
        return element("header", [:], parts)
    }

    static func section(_ title: String, _ parts: [Node]) -> Node {
        element("section", [:], [element("h2", [:], [.text(title)])] + parts)
    }

    /// From here on tiles are small ones.
    static let tilesMax = 6

    /// A number large enough to be read from afar.
    struct Tile {
        let name: String
        let value: String
        let remark: String
        let tone: Table.Tone

        /// - Parameter target: as it is written.
        init(_ name: String, _ value: String, target: String? = nil, outcome: Table.Cell? = nil) {
            (self.name, self.value) = (name, value)
            remark = [target, outcome?.text].compactMap(\.self).joined(separator: ", ")
            tone = outcome?.tone ?? .plain
        }

        var node: Node {
            element(
                "div", ["class": "tile \(tone.rawValue)"],
                [
                    element("span", ["class": "value"], [.text(value)]),
                    element("span", ["class": "name"], [.text(name)]),
                    element("span", ["class": "remark"], [.text(remark)]),
                ])
        }
    }
}

// MARK: - One run

extension RunReport {
    var page: Page {
        var parts = [
            Page.header(
                scenario, badge: verdict.badge, reason: verdict.reason, lines: [subtitle] + notes,
                tiles: tiles)
        ]
        if !latencies.isEmpty {
            parts.append(
                Page.section("Latency", [Plot.percentiles(latencies).node(isTitled: true), latencyTable.node()]))
        }
        parts += plots.map { Page.section($0.title, [$0.node(isTitled: false)]) }
        if !figures.isEmpty { parts.append(Page.section("Figures", [figureTable.node()])) }
        if !checks.isEmpty {
            let wrong = checks.contains { !$0.mismatches.isEmpty } ? [mismatchTable.node()] : []
            parts.append(Page.section("Checks", [checkTable.node()] + wrong))
        }
        parts.append(
            Page.section(
                "The run", [factTable.node(isEven: true)] + (options.isEmpty ? [] : [optionTable.node(isEven: true)])))
        return Page(title: "\(scenario), \(verdict.word)", parts: parts)
    }

    /// The first latency's middle and tail, the first figures, and all that have a target.
    private var tiles: [Page.Tile] {
        var tiles: [Page.Tile] = []
        if let latency = latencies.first, !latency.histogram.isEmpty {
            for percent in [50.0, 99] where latency.histogram.supports(percent) {
                let value = Unit.nanoseconds.text(Double(latency.histogram.percentile(percent)))
                tiles.append(Page.Tile("\(latency.name), p\(percentText(percent))", value))
            }
        }
        var left = Page.tilesMax - tiles.count - figures.count { $0.target != nil }
        for figure in figures {
            if figure.target == nil { left -= 1 }
            guard figure.target != nil || left >= 0 else { continue }
            tiles.append(
                Page.Tile(
                    figure.name, figure.unit.text(figure.value), target: figure.target?.text(figure.unit),
                    outcome: figure.target?.outcome(of: figure.value)))
        }
        return tiles
    }

    /// One for each title, unit and axis among the series.
    private var plots: [Plot] {
        var groups: [[Series]] = []
        for line in series {
            let place = groups.firstIndex {
                ($0[0].plot, $0[0].unit, $0[0].xName, $0[0].xUnit) == (line.plot, line.unit, line.xName, line.xUnit)
            }
            if let place { groups[place].append(line) } else { groups.append([line]) }
        }
        return groups.map { group in
            let lines = group.enumerated().map { index, series in
                let points = series.points.filter { $0.x.isFinite && $0.y.isFinite }
                return Plot.Line(name: series.name, color: index, isDashed: index >= Plot.colors, points: points)
            }
            return Plot(group[0].plot, lines: lines, over: group[0].xName, group[0].xUnit, group[0].unit)
        }
    }
}

extension Plot {
    /// Latencies over percentiles as HdrHistogram draws them, so that the tail has room.
    static func percentiles(_ latencies: [Latency]) -> Plot {
        percentiles(
            "Latency by percentile",
            latencies.enumerated().map { index, latency in
                Line(
                    name: latency.name, color: index, isDashed: index >= colors, points: latency.histogram.curve,
                    hasDots: false)
            }, count: latencies.map(\.histogram.count).max() ?? 0)
    }

    static func percentiles(_ title: String, _ lines: [Line], count: Int) -> Plot {
        Plot(title, lines: lines, over: "percentile", .share, .nanoseconds, percentileCount: count)
    }
}

extension Histogram {
    /// From each value's first to its last percentile; the longest one's ends half a value before the 100th.
    var curve: [Series.Point] {
        var before = 0.0
        var points: [Series.Point] = []
        for (value, total) in steps {
            let share = Swift.min(Double(total), Double(count) - 0.5) / Double(count) * 100
            points.append(Series.Point(x: before, y: Double(value)))
            points.append(Series.Point(x: share, y: Double(value)))
            before = share
        }
        return points
    }
}

extension Verdict {
    var badge: Node {
        let tone =
            switch self {
            case .failed: "bad"
            case .clientBound, .missed: "warning"
            case .passed: "good"
            }
        return element("span", ["class": "badge \(tone)"], [.text(word)])
    }
}

// MARK: - Two runs

extension RunPair {
    var page: Page {
        var parts = [
            Page.header(
                first.scenario + (second.scenario == first.scenario ? "" : " beside \(second.scenario)"), badge: nil,
                lines: [summary(first, firstName), summary(second, secondName)] + differences,
                tiles: [])
        ]
        let plots = names(of: \.latencies, \.name).map(percentiles)
        if !plots.isEmpty {
            parts.append(Page.section("Latency", plots.map { $0.node(isTitled: true) } + [latencyTable.node()]))
        }
        if !figureTable.rows.isEmpty { parts.append(Page.section("Figures", [figureTable.node()])) }
        return Page(title: "\(firstName) and \(secondName)", parts: parts)
    }

    private func summary(_ report: RunReport, _ name: String) -> String {
        "\(name): \(report.subtitle), \(report.verdict.sentence)"
    }

    private func percentiles(of name: String) -> Plot {
        let pair = [(first, firstName), (second, secondName)]
        let histograms = pair.map { report, _ in report.latencies.first { $0.name == name }?.histogram ?? Histogram() }
        let lines = zip(histograms, pair).enumerated().map { index, item in
            Plot.Line(name: item.1.1, color: index, isDashed: index == 0, points: item.0.curve, hasDots: false)
        }
        return .percentiles("\(name), by percentile", lines, count: histograms.map(\.count).max() ?? 0)
    }
}

// MARK: - Interleaved runs

extension ComparisonReport {
    var page: Page {
        let targets = rows.filter { $0.target != nil }
        let badge =
            targets.isEmpty
            ? nil
            : missed.isEmpty
                ? element("span", ["class": "badge good"], ["targets met"])
                : element("span", ["class": "badge warning"], [.text("\(missed.count) of \(targets.count) missed")])
        let shown = targets.isEmpty ? Array(rows.filter(\.isCompared).prefix(Page.tilesMax)) : targets
        let tiles = shown.map { row in
            Page.Tile(
                "\(row.scenario): \(row.name)", ratioText(row.ratio) + " ×", target: row.target?.text(.count),
                outcome: row.target?.outcome(of: row.ratio))
        }
        let pairs = rows.map { min($0.first.count, $0.second.count) }.max() ?? 0
        let lines = [
            "\(startedAt.readable) · \(pairs) \(pairs == 1 ? "pair" : "pairs") of runs in turn · \(machine.text)",
            sentence,
            isDisturbed ? "" : disturbanceSentence ?? "",
        ]
        var parts = [
            Page.header(
                "\(first) beside \(second)", badge: badge, lines: lines,
                warning: isDisturbed ? disturbanceSentence : nil, tiles: tiles)
        ]
        parts.append(Page.section("Ratios", [DotPlot(report: self).node]))
        if !tables.isEmpty { parts.append(Page.section("Medians", [Table.node(tables)])) }
        if !options.isEmpty {
            var table = Table([.words("Option"), .words("value")])
            table.rows = options.map { [.init($0.name), .init($0.value)] }
            parts.append(Page.section("The runs", [table.node(isEven: true)]))
        }
        return Page(title: "\(first) beside \(second)", parts: parts)
    }
}
