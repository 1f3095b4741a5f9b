import Testing

@testable import loadtest

/// A text of a drawing, and the room that it takes.
struct PlotLabel {
    let text: String
    /// Its classes.
    let kind: String
    let left: Double
    let baseline: Double
    /// The drawing's.
    let size: (width: Double, height: Double)

    var right: Double { left + Self.width(of: text) }
    private var isInside: Bool { left >= 0 && right <= size.width && baseline >= 10 && baseline + 3 <= size.height }

    private static func width(of text: String) -> Double { Double(text.count) * Plot.letterWidth }

    /// The labels of each drawing on a page.
    static func drawings(in html: String) -> [[PlotLabel]] {
        html.split(separator: "<svg ").dropFirst().map { rest in
            let drawing = rest.prefix(upTo: rest.firstRange(of: "</svg>")?.lowerBound ?? rest.endIndex)
            let size = drawing.firstMatch(of: /viewBox="0 0 ([0-9.]+) ([0-9.]+)"/)
            let (width, height) = (size.flatMap { Double($0.1) } ?? 0, size.flatMap { Double($0.2) } ?? 0)
            return drawing.matches(of: /<text class="([^"]*)" x="([0-9.-]+)" y="([0-9.-]+)">([^<]*)</).map { match in
                let text = String(match.4).replacing("&amp;", with: "&").replacing("&lt;", with: "<")
                let anchor = match.1.hasSuffix("end") ? 1 : match.1.hasSuffix("middle") ? 0.5 : 0
                let x = (Double(match.2) ?? .nan) - Self.width(of: text) * anchor
                return PlotLabel(
                    text: text, kind: String(match.1), left: x, baseline: Double(match.3) ?? .nan,
                    size: (width, height))
            }
        }
    }

    /// Each one has letters and is within the drawing, and none touches another.
    static func expectApart(_ labels: [PlotLabel], sourceLocation: SourceLocation = #_sourceLocation) throws {
        try #require(!labels.isEmpty, sourceLocation: sourceLocation)
        for (number, label) in labels.enumerated() {
            #expect(!label.text.isEmpty, sourceLocation: sourceLocation)
            #expect(label.isInside, "\(label)", sourceLocation: sourceLocation)
            for other in labels[..<number] {
                let isBeside = label.right <= other.left || other.right <= label.left
                let isApart = isBeside || abs(label.baseline - other.baseline) >= 12
                #expect(isApart, "\(label.text) and \(other.text)", sourceLocation: sourceLocation)
            }
        }
    }
}
