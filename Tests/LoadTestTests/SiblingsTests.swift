import Testing

@testable import loadtest

struct SiblingsTests {
    @Test func whatCanBeDividedIs() throws {
        let options = try Options(
            .chat, ["--hub", "h", "--processes", "3", "--rooms", "10", "--sends", "9", "--watchers", "2"])
        let shares = try options.shares
        #expect(shares.map { $0[.rooms] } == [4, 3, 3])
        #expect(shares.map { $0[.sends] } == [3, 3, 3])
        #expect(shares.map { $0[.watchers] } == [2, 2, 2])
    }

    @Test func whatCannotBeDividedIsRefused() throws {
        let few = try Options(.stream, ["--hub", "h", "--processes", "3", "--rooms", "2"])
        #expect(throws: Failure.self) { try few.shares }
        let one = try Options(.fanout, ["--hub", "h", "--processes", "2"])
        #expect(throws: Failure.self) { try one.shares }
    }

    @Test func whatAllFoundIsPutTogether() {
        var first = report(rate: 1000, cpuPerDelivery: 8000, latency: 10, busy: 0.2, checked: 5)
        let second = report(rate: 3000, cpuPerDelivery: 2000, latency: 30, busy: 0.7, checked: 7)
        first.merge(second)
        #expect(first.figures.map(\.value) == [4000, 0.5, 2000])
        #expect(first.latencies[0].histogram.count == 2)
        #expect(first.latencies[0].histogram.max == 30)
        #expect(first.client.busyShare == 0.7)
        #expect(first.client.connections == 20)
        // `fail` counts as checked, too.
        #expect(first.checks[0].checked == 14)
        #expect(first.checks[0].mismatchCount == 2)
    }

    private func report(rate: Double, cpuPerDelivery: Double, latency: UInt64, busy: Double, checked: Int) -> RunReport
    {
        var report = RunReport("stream")
        report.figures = [
            Figure("deliveries", rate, .perSecond), Figure("server CPU", 0.5, .share),
            Figure("server CPU per delivery", cpuPerDelivery, .nanoseconds),
        ]
        var histogram = Histogram()
        histogram.record(latency)
        report.latencies = [Latency("token", histogram)]
        report.client = ClientFacts(busyShare: busy, connections: 10)
        var check = Check("texts")
        check.pass(checked)
        check.fail("something")
        report.checks = [check]
        return report
    }
}
