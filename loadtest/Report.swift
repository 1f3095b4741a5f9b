import Wire

/// The figures of all runs, and what is said about them.
///
/// The ratio is taken within each pair of neighbouring runs, since the machine's mood changes from minute to minute,
/// and the median of the ratios counts.
struct Report {
    private struct Row {
        let scenario: String
        let metric: String
        let isCompared: Bool
        var hub: [Double] = []
        var floor: [Double] = []

        var ratios: [Double] { zip(hub, floor).map { $0 / $1 } }
    }

    /// The share of the servers' core that others used meanwhile.
    var disturbance: Double?
    private static let disturbanceMax = 0.05
    private let options: CompareOptions
    private var rows: [Row] = []

    init(_ options: CompareOptions) { self.options = options }

    mutating func add(_ metrics: [Metric], of contender: String, to scenario: String) {
        for metric in metrics {
            let known = rows.firstIndex { $0.scenario == scenario && $0.metric == metric.name }
            let index = known ?? rows.count
            if known == nil {
                rows.append(Row(scenario: scenario, metric: metric.name, isCompared: metric.isCompared))
            }
            rows[index][keyPath: contender == "hub" ? \Row.hub : \Row.floor].append(metric.value)
        }
    }

    // MARK: - For people

    /// Medians, and the smallest and largest ratio.
    var table: String {
        var text = ""
        var scenario = ""
        for row in rows {
            if row.scenario != scenario {
                scenario = row.scenario
                text += (text.isEmpty ? "" : "\n") + line(scenario, "hub", "floor", "ratio", "(least to most)")
            }
            let ratios = row.ratios
            let ratio = row.isCompared ? fixed(ratios.median, 2) : ""
            let spread = row.isCompared ? "(\(fixed(ratios.min()!, 2)) to \(fixed(ratios.max()!, 2)))" : ""
            text += line("  " + row.metric, figure(row.hub.median), figure(row.floor.median), ratio, spread)
        }
        return text + "\nEvery text and every answer was as it should be.\n" + disturbanceText
    }

    private var disturbanceText: String {
        guard let disturbance else { return "" }
        let share = "Other work took \(fixed(disturbance * 100, 0)) % of the servers' core"
        return disturbance > Self.disturbanceMax ? share + ": do not rely on the times.\n" : share + ".\n"
    }

    private func line(_ name: String, _ hub: String, _ floor: String, _ ratio: String, _ spread: String) -> String {
        var text = name + String(repeating: " ", count: max(1, 40 - name.count))
        for (column, width) in [(hub, 11), (floor, 11), (ratio, 8)] {
            text += String(repeating: " ", count: max(0, width - column.count)) + column
        }
        return spread.isEmpty ? text + "\n" : text + "  " + spread + "\n"
    }

    private func figure(_ value: Double) -> String { fixed(value, value < 10 ? 2 : value < 1000 ? 1 : 0) }

    // MARK: - For programs

    /// One line: the medians, and every ratio.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("command", "compare")
        writer.field("cores", Cores.count)
        writer.field("watchers", options.watchers)
        writer.field("pairs", options.pairs)
        writer.field("disturbance", disturbance)
        writer.key("figures")
        writer.beginArray()
        for row in rows {
            writer.beginObject()
            writer.field("scenario", row.scenario)
            writer.field("metric", row.metric)
            writer.field("hub", row.hub.median)
            writer.field("floor", row.floor.median)
            if row.isCompared {
                writer.field("ratio", row.ratios.median)
                writer.key("ratios")
                writer.beginArray()
                for ratio in row.ratios { writer.double(ratio) }
                writer.endArray()
            }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }
}

/// A number with so many digits behind its point.
func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "-" }
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let fraction = String(scaled % scale)
    let padded = String(repeating: "0", count: max(0, digits - fraction.count)) + fraction
    return (value < 0 ? "-" : "") + String(scaled / scale) + (digits > 0 ? "." + padded : "")
}
