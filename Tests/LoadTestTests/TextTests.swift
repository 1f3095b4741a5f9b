import Testing

@testable import loadtest

struct TextTests {
    @Test func alignsColumns() {
        var table = Table([.words("Thing"), .number("count"), .words("what")])
        table.rows = [["a", "1", "µ"], ["longer name", "12,345", ""]]
        #expect(
            table.text == """
                Thing           count  what
                  a                 1  µ
                  longer name  12,345

                """)
    }

    @Test func aRunSaysWhatMatters() {
        let text = Samples.failed.text
        for part in [
            "stream: FAILED. Log positions: 26 of 26 are wrong.", "rooms 200, rate 50.5", "49,980/s",
            "≤ 7.2 µs  missed by 3 %", "≥ 100/s  met by 20 %",
            "stream_19", "and 6 more", "The load test used 41 % of its core for 1,000 connections.",
            "Watchers & writers", "1,000,000",
        ] { #expect(text.contains(part), "\(part) is missing in\n\(text)") }
        #expect(!text.contains("stream_20"))
        #expect(text.split(separator: "\n").allSatisfy { !$0.hasSuffix(" ") })
    }

    @Test func aComparisonSaysRatiosAndTargets() {
        let text = Samples.comparison.text
        for part in ["1.10", "1.10–1.10", "≤ 1.05", "missed by 5 %", "1 of 2 targets are met.", "Other work took 2 %"] {
            #expect(text.contains(part), "\(part) is missing in\n\(text)")
        }
    }

    @Test func twoRunsSayWhatChanged() {
        var second = Samples.run
        second.options[1] = Option("rate", 100)
        second.figures[0] = Figure("throughput", 99_960, .perSecond)
        second.figures.append(Figure("new", 1, .count))
        let text = RunPair(first: Samples.run, second: second, firstName: "old", secondName: "new").text
        for part in [
            "Options: rate 50.5, then 100.", "49,980/s", "99,960/s", "+49,980/s   2.00", "token, p99.99", "token, max",
        ] { #expect(text.contains(part), "\(part) is missing in\n\(text)") }
        #expect(!text.contains("cancel"), "nothing was recorded of it")
        #expect(!text.contains("machines"))
    }

    @Test(arguments: [
        (80, "stream ████████░░░░░░░░ 50 % · rate 5,000/s · p99 1.2 ms"), (20, "stream ████████░░░…"),
    ])
    func progressStaysOnOneLine(columns: Int, line: String) {
        let figures = [Figure("rate", 5000, .perSecond), Figure("p99", 1_200_000, .nanoseconds)]
        #expect(ProgressLine.text("stream", done: 0.5, figures, columns: columns) == line)
    }

    @Test(arguments: [
        ("a.json", "b/c.json", "a", "c"), ("x/a.json", "y/a.json", "x/a.json", "y/a.json"), ("a", "b", "a", "b"),
    ])
    func filesHaveShortNames(first: String, second: String, shortFirst: String, shortSecond: String) {
        #expect(shortNames(first, second) == (shortFirst, shortSecond))
    }

    @Test(arguments: [
        ("token, from when it was due to watcher, p99", ["token, from when it was", "due to watcher, p99"]),
        ("CPU", ["CPU"]), ("", []), ("a_name_without_any_space_in_it", ["a_name_without_any_spac…"]),
        (
            "one two three four five six seven eight nine ten eleven",
            ["one two three four five", "six seven eight nine ten", "eleven"]
        ),
        (
            "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
            ["one two three four five", "six seven eight nine ten", "eleven twelve thirteen …"]
        ),
    ])
    func namesTakeThreeLinesAtMost(name: String, lines: [String]) {
        #expect(broken(name, lettersMax: 24, linesMax: 3) == lines)
    }

    @Test func understandsItsOptions() throws {
        let options = try ReportOptions(["a.json", "--html", "x.html", "b.json"])
        #expect(options.paths == ["a.json", "b.json"])
        #expect(options.html == "x.html")
        for wrong in [[], ["a", "b", "c"], ["a", "--html"], ["--json", "a"]] {
            #expect(throws: Failure.self) { try ReportOptions(wrong) }
        }
    }
}
