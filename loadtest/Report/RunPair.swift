/// Two runs side by side: what changed from one to the other.
struct RunPair {
    /// From this change on it is told apart from noise, which is 5 to 15 % on a machine that is not ours alone.
    private static let noise = 0.05

    let first: RunReport
    let second: RunReport
    let firstName: String
    let secondName: String

    /// For the terminal.
    var text: String {
        var parts = ["\(firstName): \(first.verdict.sentence)\n\(secondName): \(second.verdict.sentence)\n"]
        if !differences.isEmpty { parts.append(differences.map { $0 + "\n" }.joined()) }
        if !latencyTable.rows.isEmpty { parts.append(latencyTable.text) }
        if !figureTable.rows.isEmpty { parts.append(figureTable.text) }
        return parts.joined(separator: "\n")
    }

    /// Why the figures may differ besides what was to be compared.
    var differences: [String] {
        var sentences: [String] = []
        if first.scenario != second.scenario {
            sentences.append("These are two scenarios, \(first.scenario) and \(second.scenario).")
        }
        if first.machine != second.machine {
            sentences.append("They ran on two machines: \(first.machine.text); \(second.machine.text).")
        }
        let options = names(of: \.options, \.name).compactMap { name -> String? in
            let values = [first, second].map { report in report.options.first { $0.name == name }?.value ?? "not set" }
            return values[0] == values[1] ? nil : "\(name) \(values[0]), then \(values[1])"
        }
        if !options.isEmpty { sentences.append("Options: \(options.joined(separator: "; ")).") }
        return sentences
    }

    /// In the order of the first report, then what only the second one has.
    func names<Item>(of items: KeyPath<RunReport, [Item]>, _ name: KeyPath<Item, String>) -> [String] {
        (first[keyPath: items] + second[keyPath: items]).map { $0[keyPath: name] }.reduce(into: []) {
            if !$0.contains($1) { $0.append($1) }
        }
    }

    var figureTable: Table {
        var table = Table(columns("Figure"))
        for name in names(of: \.figures, \.name) {
            let figures = [first, second].map { report in report.figures.first { $0.name == name } }
            let unit = figures.compactMap { $0?.unit }[0]
            table.rows.append(row(name, figures[0]?.value, figures[1]?.value, unit))
        }
        return table
    }

    var latencyTable: Table {
        var table = Table(columns("Latency"))
        for name in names(of: \.latencies, \.name) {
            let histograms = [first, second].map { report in report.latencies.first { $0.name == name }?.histogram }
            for percent in Latency.percents + [100] {
                let values = histograms.map { histogram -> Double? in
                    guard let histogram, histogram.supports(percent) || percent == 100 && !histogram.isEmpty else {
                        return nil
                    }
                    return Double(histogram.percentile(percent))
                }
                guard values.contains(where: { $0 != nil }) else { continue }
                let title = percent == 100 ? "max" : "p\(percentText(percent))"
                table.rows.append(row("\(name), \(title)", values[0], values[1], .nanoseconds))
            }
        }
        return table
    }

    private func columns(_ title: String) -> [Table.Column] {
        [.words(title), .number(firstName), .number(secondName), .number("change"), .number("ratio")]
    }

    private func row(_ name: String, _ first: Double?, _ second: Double?, _ unit: Unit) -> [Table.Cell] {
        func cell(_ value: Double?) -> Table.Cell { value.map { .init(unit.text($0)) } ?? .init("–", .soft) }
        guard let first, let second, first.isFinite, second.isFinite else {
            return [.init(name), cell(first), cell(second), "", ""]
        }
        let change = second - first
        let ratio = second / first
        let isNoise = change == 0 || ratio > 1 - Self.noise && ratio < 1 + Self.noise
        let tone: Table.Tone =
            switch unit.isLessBetter {
            case .some(let isLessBetter) where !isNoise: isLessBetter == (change < 0) ? .good : .bad
            case .some, .none: .soft
            }
        return [
            .init(name), cell(first), cell(second), .init((change > 0 ? "+" : "") + unit.text(change), tone),
            .init(ratioText(ratio), tone),
        ]
    }
}
