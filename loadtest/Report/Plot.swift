/// Lines over two axes, as inline SVG: each line is named where it ends, in its own colour.
struct Plot {
    struct Line {
        let name: String
        /// Which of the page's colours.
        let color: Int
        var isDashed = false
        let points: [Series.Point]
        /// A few values are shown as dots, which say their numbers.
        var hasDots = true
    }

    static let colors = 6
    private static let width = 800.0
    private static let height = 320.0
    private static let left = 68.0
    private static let top = 30.0
    private static let bottom = 46.0
    private static let dotsMax = 40
    private static let labelLineHeight = 14.0
    /// A name's width is guessed, for the widest of the fonts that the page may get.
    static let letterWidth = 7.0
    private static let nameLettersMax = 24

    let title: String
    let lines: [Line]
    let x: Scale
    let y: Scale
    private let xTitle: String
    private let xUnit: Unit
    private let yUnit: Unit

    /// - Parameter percentileCount: when given, x is a percentile, and so many values tell percentiles apart.
    init(
        _ title: String, lines: [Line], over xName: String, _ xUnit: Unit, _ yUnit: Unit,
        percentileCount: Int? = nil
    ) {
        let lines = lines.filter { !$0.points.isEmpty }
        (self.title, self.lines, self.xUnit, self.yUnit) = (title, lines, xUnit, yUnit)
        let letters = lines.flatMap { broken($0.name, lettersMax: Self.nameLettersMax).map(\.count) }.max() ?? 0
        let right = Self.width - 26 - Double(letters) * Self.letterWidth
        let base = Self.height - Self.bottom
        let xs = lines.flatMap { $0.points.map(\.x) }
        let ys = lines.flatMap { $0.points.map(\.y) }
        if let percentileCount {
            x = .percentile(count: percentileCount, from: Self.left, to: right)
        } else if Self.spans(xs, 30), xUnit != .seconds {
            x = .logarithmic(xs, xUnit, from: Self.left, to: right, isTight: true)
        } else {
            x = .linear(xs, xUnit, from: Self.left, to: right)
        }
        y =
            yUnit == .nanoseconds && Self.spans(ys, 10)
            ? .logarithmic(ys, yUnit, from: base, to: Self.top) : .linear(ys, yUnit, from: base, to: Self.top)
        xTitle = x.symbol.isEmpty ? xName : "\(xName), \(x.symbol)"
    }

    /// Whether a linear axis would press the small values flat.
    private static func spans(_ values: [Double], _ factor: Double) -> Bool {
        guard let least = values.min(), let most = values.max() else { return false }
        return least > 0 && most / least >= factor
    }

    /// - Parameter isTitled: unless a heading says the same.
    func node(isTitled: Bool) -> Node {
        let size = "0 0 \(pixels(Self.width)) \(pixels(Self.height))"
        let caption = isTitled ? [element("figcaption", [:], [.text(title)])] : []
        guard !lines.isEmpty else {
            return element("figure", [:], caption + [element("p", ["class": "soft"], ["Nothing was recorded."])])
        }
        let drawing = [axes] + lines.map(draw) + [names]
        let label = "\(title): \(lines.map(\.name).joined(separator: ", "))"
        let svg = element("svg", ["viewBox": size, "role": "img", "aria-label": label], drawing)
        return element("figure", [:], caption + [element("div", ["class": "scroll"], [svg])])
    }

    // MARK: - Parts

    private var axes: Node {
        let right = x.position(.greatestFiniteMagnitude)
        let base = Self.height - Self.bottom
        var parts: [Node] = []
        for tick in y.ticks {
            let at = y.position(tick.value)
            parts.append(line(Self.left, at, right, at, "grid"))
            parts.append(label(Self.left - 8, at + 4, tick.label, "tick end"))
        }
        for tick in x.ticks {
            let at = x.position(tick.value)
            if x.kind != .linear { parts.append(line(at, Self.top, at, base, "grid")) }
            parts.append(line(at, base, at, base + 5, "axis"))
            parts.append(label(at, base + 19, tick.label, "tick middle"))
        }
        parts.append(line(Self.left, base, right, base, "axis"))
        parts.append(label(Self.left - 8, Self.top - 12, y.symbol, "tick end"))
        parts.append(label(right, base + 38, xTitle, "title end"))
        return element("g", [:], parts)
    }

    private func draw(_ line: Line) -> Node {
        let places = line.points.map { (x: x.position($0.x), y: y.position($0.y)) }
        var parts: [Node] = []
        if places.count > 1 {
            parts.append(element("path", ["d": Self.path(places)]))
        }
        if line.hasDots, places.count <= Self.dotsMax {
            for (point, place) in zip(line.points, places) {
                let said = "\(line.name): \(yUnit.text(point.y)) at \(xUnit.text(point.x))"
                parts.append(
                    element(
                        "circle", ["cx": pixels(place.x), "cy": pixels(place.y), "r": places.count == 1 ? "4" : "2.5"],
                        [element("title", [:], [.text(said)])]))
            }
        }
        let dashes = line.isDashed ? " dashed" : ""
        return element("g", ["class": "line c\(line.color % Self.colors)\(dashes)"], parts)
    }

    /// Points nearer than half a pixel to the one before are left out, but for the last.
    private static func path(_ places: [(x: Double, y: Double)]) -> String {
        var path = ""
        var drawn = places[0]
        for (index, place) in places.enumerated() {
            let isNear = abs(place.x - drawn.x) < 0.5 && abs(place.y - drawn.y) < 0.5
            guard index == 0 || index == places.count - 1 || !isNear else { continue }
            path += "\(index == 0 ? "M" : "L")\(pixels(place.x)) \(pixels(place.y))"
            drawn = place
        }
        return path
    }

    /// The lines' names at the right, moved apart where lines end close together, and a thread from line to name.
    private var names: Node {
        let right = x.position(.greatestFiniteMagnitude)
        let ends = lines.enumerated().map { index, line in
            let last = line.points.max { $0.x < $1.x } ?? line.points[0]
            return (index: index, x: x.position(last.x), y: y.position(last.y))
        }.sorted { ($0.y, $0.index) < ($1.y, $1.index) }
        let texts = ends.map { broken(lines[$0.index].name, lettersMax: Self.nameLettersMax) }
        let places = Self.apart(ends.map(\.y), texts.map(\.count), lowest: Self.height - Self.bottom)
        var parts: [Node] = []
        for ((end, place), text) in zip(zip(ends, places), texts) {
            let color = "c\(lines[end.index].color % Self.colors)"
            if right - end.x > 1 || abs(place - end.y) > 3 {
                let thread =
                    "M\(pixels(end.x)) \(pixels(end.y))H\(pixels(right))L\(pixels(right + 12)) \(pixels(place))"
                parts.append(element("path", ["class": "thread \(color)", "d": thread]))
            }
            for (number, line) in text.enumerated() {
                let y = place + 4 + Double(number) * Self.labelLineHeight
                parts.append(label(right + 16, y, line, number == 0 ? "name \(color)" : "more \(color)"))
            }
        }
        return element("g", [:], parts)
    }

    /// Sorted places of labels with so many lines, none over another, none below the lowest.
    private static func apart(_ places: [Double], _ lines: [Int], lowest: Double) -> [Double] {
        let heights = lines.map { Double($0) * labelLineHeight + 2 }
        var moved = places
        for index in moved.indices.dropFirst() {
            moved[index] = max(moved[index], moved[index - 1] + heights[index - 1])
        }
        var limit = lowest + labelLineHeight
        for index in moved.indices.reversed() {
            moved[index] = min(moved[index], limit - heights[index])
            limit = moved[index]
        }
        return moved
    }
}

// MARK: - SVG

/// A coordinate: a tenth of a pixel is enough.
func pixels(_ value: Double) -> String { trimmed(fixed(value, 1)) }

func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ kind: String) -> Node {
    element("path", ["class": kind, "d": "M\(pixels(x1)) \(pixels(y1))L\(pixels(x2)) \(pixels(y2))"])
}

func label(_ x: Double, _ y: Double, _ text: String, _ kind: String) -> Node {
    element("text", ["class": kind, "x": pixels(x), "y": pixels(y)], [.text(text)])
}

/// A name in two lines at most, broken between words.
func broken(_ name: String, lettersMax: Int) -> [String] {
    var lines: [String] = []
    for word in name.split(separator: " ") {
        if let last = lines.last, lines.count == 2 || last.count + word.count < lettersMax {
            lines[lines.count - 1] = last + " " + word
        } else {
            lines.append(String(word))
        }
    }
    return lines.map { $0.count > lettersMax ? $0.prefix(lettersMax - 1) + "…" : $0 }
}
