/// Ratios, one row each: the runs' as small dots, their median as a large one, the target as a bar across the row.
struct DotPlot {
    private static let width = 800.0
    private static let left = 268.0
    private static let right = 624.0
    private static let rowHeight = 28.0
    private static let headHeight = 34.0
    private static let top = 12.0
    private static let lettersMax = 33
    private static let headLettersMax = 100

    let report: ComparisonReport

    var node: Node {
        let rows = report.rows.filter { $0.isCompared && $0.ratios.contains(where: \.isFinite) }
        guard !rows.isEmpty else { return element("p", ["class": "soft"], ["There is nothing to compare."]) }
        let scale = Self.scale(of: rows)
        var parts: [Node] = []
        var y = Self.top
        var scenario = ""
        for row in rows {
            if row.scenario != scenario {
                scenario = row.scenario
                y += Self.headHeight
                parts.append(label(0, y - 10, shortened(scenario, lettersMax: Self.headLettersMax), "head"))
            }
            parts.append(draw(row, at: y + Self.rowHeight / 2, scale))
            y += Self.rowHeight
        }
        let size = "0 0 \(pixels(Self.width)) \(pixels(y + 54))"
        let caption = """
            \(report.first) as a multiple of \(report.second): a small dot is a pair of runs, the large one their \
            median, the bar the target.
            """
        return element(
            "figure", [:],
            [
                element("figcaption", [:], [.text(caption)]),
                element(
                    "div", ["class": "scroll"],
                    [
                        element(
                            "svg", ["viewBox": size, "role": "img", "aria-label": caption],
                            [Self.axis(scale, from: Self.top, to: y + 6)] + parts)
                    ]),
            ])
    }

    /// Wide enough for all dots, targets and 1; by powers when a linear axis would press the small ones together.
    private static func scale(of rows: [ComparisonReport.Row]) -> Scale {
        let values: [Double] = rows.flatMap(\.ratios) + rows.compactMap { $0.target?.limit } + [1]
        let usable = values.filter { $0.isFinite && $0 > 0 }
        let (least, most) = (usable.min() ?? 1, usable.max() ?? 1)
        let margin = max((most - least) / 20, 0.02)
        return most / least > 4
            ? .logarithmic([least / 1.1, most * 1.1], .ratio, from: left, to: right, isTight: true)
            : .linear([least - margin, most + margin], .ratio, from: left, to: right, isTight: true)
    }

    private static func axis(_ scale: Scale, from top: Double, to base: Double) -> Node {
        var parts: [Node] = []
        for tick in scale.ticks {
            let at = scale.position(tick.value)
            parts.append(line(at, top, at, base, "grid"))
        }
        parts += tickLabels(scale, at: base + 18)
        let one = scale.position(1)
        parts.append(line(one, top, one, base, "one"))
        parts.append(line(left, base, right, base, "axis"))
        parts.append(
            label(
                right, base + 38, "ratio, logarithmic".prefix(scale.kind == .linear ? 5 : 18).description, "title end"))
        return element("g", [:], parts)
    }

    private func draw(_ row: ComparisonReport.Row, at y: Double, _ scale: Scale) -> Node {
        let ratios = row.ratios.filter(\.isFinite)
        let name = broken(row.name, lettersMax: Self.lettersMax, linesMax: 2)
        let (least, most) = (ratios.min() ?? 1, ratios.max() ?? 1)
        let nameTop = y + 4 - Double(name.count - 1) * 6.5
        var parts = name.enumerated().map { number, text in
            label(Self.left - 14, nameTop + Double(number) * 13, text, "tick end")
        }
        parts.append(line(scale.position(least), y, scale.position(most), y, "spread"))
        parts += ratios.map { dot(scale.position($0), y, "3", "run") }
        let tone = row.target == nil ? "" : row.isMet ? " good" : " bad"
        parts.append(dot(scale.position(row.ratio), y, "5.5", "median\(tone)"))
        parts.append(label(Self.right + 16, y + 4, ratioText(row.ratio), "name\(tone)"))
        if let target = row.target {
            let at = scale.position(target.limit)
            parts.append(line(at, y - 11, at, y + 11, "limit"))
            parts.append(label(Self.right + 90, y + 4, target.text(.count), "tick"))
        }
        return element("g", [:], parts)
    }

    private func dot(_ x: Double, _ y: Double, _ radius: String, _ kind: String) -> Node {
        element("circle", ["class": kind, "cx": pixels(x), "cy": pixels(y), "r": radius])
    }
}
