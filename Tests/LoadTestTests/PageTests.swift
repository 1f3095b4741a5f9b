import Testing

@testable import loadtest

struct PageTests {
    private static let pages = [
        "run": Samples.run.page.html, "failed": Samples.failed.page.html,
        "empty": RunReport("empty", startedAt: Samples.moment).page.html,
        "comparison": Samples.comparison.page.html,
        "empty comparison": ComparisonReport("hub", "floor", startedAt: Samples.moment).page.html,
        "pair": RunPair(first: Samples.run, second: Samples.failed, firstName: "a", secondName: "b<").page.html,
    ]

    @Test(arguments: pages.keys.sorted()) func isWellFormed(name: String) throws {
        let html = try #require(Self.pages[name])
        var open: [Substring] = []
        for tag in html.matches(of: /<(\/?)([a-z0-9!]+)((?:\s[A-Za-z-]+="[^"<]*")*)(?:\s+html)?>/) {
            let (isEnd, name) = (!tag.1.isEmpty, tag.2)
            if name == "!doctype" || name == "meta" { continue }
            if isEnd {
                #expect(open.popLast() == name)
            } else {
                open.append(name)
            }
        }
        #expect(open.isEmpty)
        let tags = html.matches(of: /</).count
        let wellFormed = html.matches(of: /<\/?[a-z0-9!]+(?:\s[A-Za-z-]+="[^"<]*")*(?:\s+html)?>/).count
        #expect(tags == wellFormed, "a < that opens no tag")
        #expect(!html.contains(/&(?!amp;|lt;|quot;)/))
    }

    @Test(arguments: pages.keys.sorted()) func needsNothingElse(name: String) throws {
        let html = try #require(Self.pages[name])
        for word in ["src=", "href=", "url(", "@import", "<script", "<link", "http://", "https://"] {
            #expect(!html.contains(word), "\(word)")
        }
    }

    @Test(arguments: pages.keys.sorted()) func drawsOnlyNumbers(name: String) throws {
        let html = try #require(Self.pages[name])
        for attribute in html.matches(of: /\s(?:d|x|y|cx|cy|r|viewBox)="([^"]*)"/) {
            #expect(attribute.1.wholeMatch(of: /[0-9MLH. -]+/) != nil, "\(attribute.1)")
        }
    }

    @Test func showsEveryPartOfARun() {
        let html = Samples.failed.page.html
        for part in [
            "badge bad", "ws://127.0.0.1:8080/ws?a=1&amp;b=2 (0.4.0)", "<h2>Latency</h2>", "<h2>Throughput</h2>",
            "<h2>Memory</h2>", "Nothing was recorded.", "<h2>Figures</h2>", "<h2>Checks</h2>", "room_a",
            "Test CPU &lt;1>",
            "99.99", "Watchers &amp; writers &lt; 2 &quot;cores&quot;.",
        ] { #expect(html.contains(part), "\(part)") }
    }

    @Test func mediansStandInOneTable() {
        let html = Samples.comparison.page.html
        #expect(html.matches(of: /<table class="groups">/).count == 1)
        for scenario in ["chunk", "send"] { #expect(html.contains("<tbody><tr><th>\(scenario)</th>")) }
    }

    @Test func twoScenariosAreBothNamed() {
        var other = Samples.run
        other.scenario = "fanout"
        func title(_ second: RunReport) -> String {
            RunPair(first: Samples.run, second: second, firstName: "a", secondName: "b").page.html
        }
        #expect(title(other).contains("<h1>stream beside fanout</h1>"))
        #expect(title(Samples.run).contains("<h1>stream</h1>"))
    }

    @Test func aRunWithoutAHubSaysNothingOfOne() {
        var report = Samples.run
        report.server = ServerFacts()
        #expect(Samples.run.page.html.contains("hub version"))
        #expect(!report.page.html.contains("hub version"))
    }

    @Test(arguments: [(6, 0), (7, 7)]) func namesShowTheirDashesIfSomeLinesHaveThem(lines: Int, pieces: Int) {
        let html = Samples.crowded(lines: lines, size: 1).page.html
        let drawing = html.split(separator: "<svg ")[1]
        let matches = drawing.matches(of: /<g class="line c\d(?: dashed)?"><path d="M[0-9. ]+L[0-9. ]+"><\/path><\/g>/)
        #expect(matches.count == pieces)
        #expect(matches.count { $0.0.contains("dashed") } == max(0, pieces - Plot.colors))
    }

    @Test func aSinglePointIsADot() {
        var series = Series("a", in: "A", .bytes, over: "connections", .count)
        series.add(10, 100)
        var report = RunReport("one", startedAt: Samples.moment)
        report.series = [series]
        #expect(report.page.html.contains("<title>a: 100 B at 10</title>"))
    }

    @Test(arguments: [1, 3, 10, 24], [1e-9, 1, 1e12]) func labelsKeepApart(lines: Int, size: Double) throws {
        let report = Samples.crowded(lines: lines, size: size)
        let drawings = PlotLabel.drawings(in: report.page.html)
        #expect(drawings.count == 4)
        for labels in drawings { try PlotLabel.expectApart(labels) }
        let names = drawings[0].filter { $0.kind.hasPrefix("name") }
        #expect(names.count == lines)
    }

    @Test(arguments: [1e-9, 0.01, 1, 1e9]) func ratiosKeepApart(size: Double) throws {
        let drawings = PlotLabel.drawings(in: Samples.crowdedComparison(targets: 16, ratio: size).page.html)
        #expect(drawings.count == 1)
        for labels in drawings { try PlotLabel.expectApart(labels) }
    }

    @Test(arguments: [1, 6, 16]) func allTargetsOfAComparisonAreOnTop(count: Int) {
        let tiles = tiles(of: Samples.crowdedComparison(targets: count, ratio: 1))
        #expect(tiles.count == count)
        for (number, tile) in tiles.enumerated() {
            #expect(tile.contains("case \(number) "))
            #expect(tile.contains(number % 2 == 0 ? "≤ 0.8, missed by 25 %" : "≤ 1.25, met by 20 %"))
            #expect(tile.hasPrefix(number % 2 == 0 ? "bad" : "good"))
        }
    }

    @Test func allTargetsOfARunAreOnTop() {
        var report = Samples.run
        for number in 0..<7 { report.figures.append(Figure("f\(number)", 1, .bytes, target: .atMost(2))) }
        let html = report.page.html
        for name in ["CPU per token", "sustained rate"] + (0..<7).map({ "f\($0)" }) {
            #expect(html.contains("<span class=\"name\">\(name)</span>"), "\(name)")
        }
        #expect(html.matches(of: /<div class="tile (?:good|bad)">/).count == 9)
    }

    /// From its tone on.
    private func tiles(of report: ComparisonReport) -> [String] {
        report.page.html.split(separator: "<div class=\"tile ").dropFirst().map {
            String($0.prefix(upTo: $0.firstRange(of: "</div>")?.lowerBound ?? $0.endIndex))
        }
    }

    @Test func colorsArePrintedOnLight() {
        #expect(Page.style.contains("@media screen and (prefers-color-scheme: dark)"))
    }
}
