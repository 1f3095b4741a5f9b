import Testing
import Wire

@testable import loadtest

struct RunReportTests {
    @Test(arguments: [Samples.run, Samples.failed, RunReport("empty", startedAt: Samples.moment)])
    func comesBackFromJSON(report: RunReport) throws {
        guard case .run(let read) = try ReportFile(parsing: report.json.compact, path: "a.json") else {
            Issue.record("not a run")
            return
        }
        // Not a number is not equal to itself, hence by what would be written.
        #expect(read.json == report.json)
        #expect(read.latencies == report.latencies)
        #expect(read.checks == report.checks)
    }

    @Test func aComparisonComesBackFromJSON() throws {
        guard case .comparison(let read) = try ReportFile(parsing: Samples.comparison.json.compact, path: "a.json")
        else {
            Issue.record("not a comparison")
            return
        }
        #expect(read == Samples.comparison)
    }

    @Test(arguments: [
        ("", "a.json is not JSON"), ("[]", "a.json is not an object"), ("{}", "a.json.report is not a string"),
        (#"{"report": "cake"}"#, "a.json: there is no kind of report named 'cake'"),
        (#"{"report": "run", "started_at": "now"}"#, "a.json.started_at is not a time"),
        (#"{"report": "run", "started_at": "2025-01-26T10:30:00Z"}"#, "a.json.scenario is not a string"),
    ])
    func saysWhereAFileIsNoReport(json: String, reason: String) throws {
        let failure = #expect(throws: Failure.self) { try ReportFile(parsing: Array(json.utf8), path: "a.json") }
        #expect(failure?.reason.hasPrefix(reason) == true)
    }

    @Test func saysWhatAUnitShouldBe() throws {
        let report = String(decoding: Samples.run.json.compact, as: UTF8.self).replacing("1/s", with: "knots")
        let failure = #expect(throws: Failure.self) { try ReportFile(parsing: Array(report.utf8), path: "a.json") }
        #expect(failure?.reason == "a.json.figures[0].unit: there is no unit 'knots'")
    }

    @Test func comesDownToTheWorstOfAll() {
        var report = Samples.run
        #expect(report.verdict == .missed(["CPU per token"]))
        report.figures.removeAll { $0.target == .atMost(7200) }
        #expect(report.verdict == .passed)
        report.client.busyShare = 0.9
        #expect(report.verdict == .clientBound)
        var check = Check("history")
        check.pass()
        check.fail("twice")
        report.checks.append(check)
        #expect(report.verdict == .failed("history: 1 of 2 are wrong"))
        report.failure = "the hub went away"
        #expect(report.verdict == .failed("the hub went away"))
    }

    @Test func aTargetIsNotMetByNothing() {
        var report = RunReport("a", startedAt: Samples.moment)
        report.figures = [Figure("rate", .nan, .perSecond, target: .atLeast(1))]
        #expect(report.verdict == .missed(["rate"]))
    }

    @Test func keepsTheFirstMismatchesAndCountsAll() throws {
        let check = try #require(Samples.failed.checks.last)
        #expect(check.mismatches.count == Check.mismatchesMax)
        #expect(check.mismatchCount == 26)
        #expect(check.checked == 26)
        #expect(check.mismatches[3].offset == 3)
    }

    @Test func takesRatiosWithinPairs() {
        let rows = Samples.comparison.rows
        #expect(rows.map(\.name) == ["CPU", "rate", "busy", "CPU"])
        #expect(rows[0].ratios.count == 4)
        #expect(rows[0].ratios.allSatisfy { abs($0 - 1.1) < 1e-9 })
        #expect(Samples.comparison.missed.map(\.scenario) == ["chunk"])
        #expect(Samples.comparison.scenarios == ["chunk", "send"])
    }
}
