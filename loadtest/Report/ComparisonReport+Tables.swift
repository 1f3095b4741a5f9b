// What a comparison says, in tables and sentences.

extension ComparisonReport {
    /// For the terminal: medians, and the least and greatest ratio.
    var text: String {
        var text = tables.map(\.text).joined(separator: "\n") + "\n" + sentence + "\n"
        if let disturbanceSentence { text += disturbanceSentence + "\n" }
        return text
    }

    var tables: [Table] { scenarios.map(table) }

    private func table(of scenario: String) -> Table {
        let hasTargets = rows.contains { $0.target != nil }
        let rows = rows.filter { $0.scenario == scenario }
        var table = Table(
            [.words(scenario), .number(first), .number(second), .number("ratio"), .number("spread")]
                + (hasTargets ? [.number("target"), .words("")] : []))
        for row in rows {
            var cells: [Table.Cell] = [
                .init(row.name), .init(row.unit.text(row.first.median)), .init(row.unit.text(row.second.median)),
            ]
            let ratios = row.ratios.filter(\.isFinite)
            if row.isCompared, let least = ratios.min(), let most = ratios.max() {
                cells.append(.init(ratioText(row.ratio)))
                cells.append(.init("\(ratioText(least))–\(ratioText(most))", .soft))
            } else {
                cells += ["", ""]
            }
            if hasTargets {
                cells.append(.init(row.target?.text(.count) ?? "", .soft))
                cells.append(row.target?.outcome(of: row.ratio) ?? "")
            }
            table.rows.append(cells)
        }
        return table
    }

    /// What it comes down to. A comparison that found anything wrong has no report.
    var sentence: String {
        let targets = rows.filter { $0.target != nil }
        let wellAll = "Every text and every answer was as it should be."
        guard !targets.isEmpty else { return wellAll }
        let met = targets.count - missed.count
        return missed.isEmpty
            ? "\(wellAll) All \(targets.count) targets are met."
            : "\(wellAll) \(met) of \(targets.count) targets are met."
    }

    var disturbanceSentence: String? {
        guard let disturbance else { return nil }
        let sentence = "Other work took \(Unit.share.text(disturbance)) of the servers' core"
        return isDisturbed ? sentence + ": do not rely on the times." : sentence + "."
    }
}
