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

        /// Its colour and dashes.
        fileprivate var kind: String { "line c\(color % colors)" + (isDashed ? " dashed" : "") }
    }

    static let colors = 6
    private static let width = 800.0
    private static let leftMin = 68.0
    private static let top = 30.0
    private static let baseMin = 274.0
    private static let bottom = 46.0
    private static let dotsMax = 40
    private static let labelLineHeight = 14.0
    private static let nameGap = 4.0
    /// A name's width is guessed, for the widest of the fonts that the page may get.
    static let letterWidth = 7.5
    /// Short names take as much room as others do, so that plots below each other have the same width.
    private static let nameLettersMin = 12
    private static let nameLettersMax = 24
    private static let nameLinesMax = 3
    private static let swatchWidth = 18.0

    let title: String
    let lines: [Line]
    let x: Scale
    let y: Scale
    private let xTitle: String
    private let xUnit: Unit
    private let yUnit: Unit
    /// The lines' names, each in lines of text.
    private let names: [[String]]
    private let left: Double
    /// Where the names begin, behind a piece of each line if some are dashed.
    private let nameLeft: Double
    /// Where the lower axis is: so far down that all names have room.
    private let base: Double

    /// - Parameter percentileCount: when given, x is a percentile, and so many values tell percentiles apart.
    init(
        _ title: String, lines: [Line], over xName: String, _ xUnit: Unit, _ yUnit: Unit,
        percentileCount: Int? = nil
    ) {
        let lines = lines.filter { !$0.points.isEmpty }
        (self.title, self.lines, self.xUnit, self.yUnit) = (title, lines, xUnit, yUnit)
        names = lines.map { broken($0.name, lettersMax: Self.nameLettersMax, linesMax: Self.nameLinesMax) }
        let letters = names.joined().map(\.count).max() ?? 0
        nameLeft = Self.width - 4 - Double(max(letters, Self.nameLettersMin)) * Self.letterWidth
        let right = nameLeft - 16 - (lines.contains(where: \.isDashed) ? Self.swatchWidth + 4 : 0)
        base = max(Self.baseMin, Self.top + names.map(Self.height).reduce(0, +) - Self.labelLineHeight)
        let xs = lines.flatMap { $0.points.map(\.x) }
        let ys = lines.flatMap { $0.points.map(\.y) }
        y =
            yUnit == .nanoseconds && Self.spans(ys.filter { $0 > 0 }, 10)
            ? .logarithmic(ys, yUnit, from: base, to: Self.top) : .linear(ys, yUnit, from: base, to: Self.top)
        left = max(Self.leftMin, 10 + Double(y.ticks.map(\.label.count).max() ?? 0) * Self.letterWidth)
        if let percentileCount {
            x = .percentile(count: percentileCount, from: left, to: right)
        } else if Self.spans(xs, 30), xUnit != .seconds {
            x = .logarithmic(xs, xUnit, from: left, to: right, isTight: true)
        } else {
            x = .linear(xs, xUnit, from: left, to: right)
        }
        xTitle = x.symbol.isEmpty ? xName : "\(xName), \(x.symbol)"
    }

    /// Whether a linear axis would press the small values flat.
    private static func spans(_ values: [Double], _ factor: Double) -> Bool {
        guard let least = values.min(), let most = values.max() else { return false }
        return least > 0 && most / least >= factor
    }

    /// - Parameter isTitled: unless a heading says the same.
    func node(isTitled: Bool) -> Node {
        let size = "0 0 \(pixels(Self.width)) \(pixels(base + Self.bottom))"
        let caption = isTitled ? [element("figcaption", [:], [.text(title)])] : []
        guard !lines.isEmpty else {
            return element("figure", [:], caption + [element("p", ["class": "soft"], ["Nothing was recorded."])])
        }
        let drawing = [axes] + lines.map(draw) + [nameLabels]
        let label = "\(title): \(lines.map(\.name).joined(separator: ", "))"
        let svg = element("svg", ["viewBox": size, "role": "img", "aria-label": label], drawing)
        return element("figure", [:], caption + [element("div", ["class": "scroll"], [svg])])
    }

    // MARK: - Parts

    private var axes: Node {
        let right = x.position(.greatestFiniteMagnitude)
        var parts: [Node] = []
        for tick in y.ticks {
            let at = y.position(tick.value)
            parts.append(line(left, at, right, at, "grid"))
            parts.append(label(left - 8, at + 4, tick.label, "tick end"))
        }
        for tick in x.ticks {
            let at = x.position(tick.value)
            if x.kind != .linear { parts.append(line(at, Self.top, at, base, "grid")) }
            parts.append(line(at, base, at, base + 5, "axis"))
        }
        parts += tickLabels(x, at: base + 19)
        parts.append(line(left, base, right, base, "axis"))
        if !y.symbol.isEmpty { parts.append(label(left - 8, Self.top - 12, y.symbol, "tick end")) }
        parts.append(label(right, base + 38, xTitle, "title end"))
        return element("g", [:], parts)
    }

    private func draw(_ line: Line) -> Node {
        let places = line.points.map { (x: x.position($0.x), y: y.position($0.y)) }
        var parts = [element("title", [:], [.text(line.name)])]
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
        return element("g", ["class": line.kind], parts)
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
    private var nameLabels: Node {
        let right = x.position(.greatestFiniteMagnitude)
        let ends = lines.enumerated().map { index, line in
            let last = line.points.max { $0.x < $1.x } ?? line.points[0]
            return (index: index, x: x.position(last.x), y: y.position(last.y))
        }.sorted { ($0.y, $0.index) < ($1.y, $1.index) }
        let places = Self.apart(ends.map(\.y), ends.map { Self.height(of: names[$0.index]) }, lowest: base)
        var parts: [Node] = []
        for (end, place) in zip(ends, places) {
            let color = "c\(lines[end.index].color % Self.colors)"
            if right - end.x > 1 || abs(place - end.y) > 3 {
                let thread =
                    "M\(pixels(end.x)) \(pixels(end.y))H\(pixels(right))L\(pixels(right + 12)) \(pixels(place))"
                parts.append(element("path", ["class": "thread \(color)", "d": thread]))
            }
            if nameLeft - right > Self.swatchWidth {
                let swatch = Self.path([(nameLeft - Self.swatchWidth - 4, place), (nameLeft - 4, place)])
                parts.append(element("g", ["class": lines[end.index].kind], [element("path", ["d": swatch])]))
            }
            for (number, line) in names[end.index].enumerated() {
                let y = place + 4 + Double(number) * Self.labelLineHeight
                parts.append(label(nameLeft, y, line, number == 0 ? "name \(color)" : "more \(color)"))
            }
        }
        return element("g", [:], parts)
    }

    private static func height(of name: [String]) -> Double { Double(name.count) * labelLineHeight + nameGap }

    /// Sorted places of labels that are so high, none over another, none below the lowest.
    private static func apart(_ places: [Double], _ heights: [Double], lowest: Double) -> [Double] {
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

/// The marks' labels below an axis, but for those that would touch the one before.
func tickLabels(_ scale: Scale, at y: Double) -> [Node] {
    var end = -Double.infinity
    return scale.ticks.compactMap { tick in
        let x = scale.position(tick.value)
        let half = Double(tick.label.count) * Plot.letterWidth / 2
        guard x - half > end else { return nil }
        end = x + half
        return label(x, y, tick.label, "tick middle")
    }
}

/// A name in so many lines at most, broken between words.
func broken(_ name: String, lettersMax: Int, linesMax: Int) -> [String] {
    var lines: [String] = []
    for word in name.split(separator: " ") {
        if let last = lines.last, lines.count == linesMax || last.count + word.count < lettersMax {
            lines[lines.count - 1] = last + " " + word
        } else {
            lines.append(String(word))
        }
    }
    return lines.map { shortened($0, lettersMax: lettersMax) }
}

func shortened(_ text: String, lettersMax: Int) -> String {
    text.count > lettersMax ? text.prefix(lettersMax - 1) + "…" : text
}
