import Glibc
import Wire

@testable import loadtest

/// Reports with something in every place.
enum Samples {
    static let machine = MachineFacts(cpu: "Test CPU <1>", cores: 2, memoryBytes: 1 << 33, kernel: "Linux 6.1")
    static let moment = Timestamp(milliseconds: 1_737_887_400_000)

    static var run: RunReport {
        var report = RunReport("stream", startedAt: moment)
        report.options = [Option("rooms", 200), Option("rate", 50.5)]
        report.seconds = 30
        report.machine = machine
        report.server = ServerFacts(url: "ws://127.0.0.1:8080/ws?a=1&b=2", version: "0.4.0", processID: 4711)
        report.client = ClientFacts(busyShare: 0.41, connections: 1000)
        report.figures = [
            Figure("throughput", 49_980, .perSecond),
            Figure("CPU per token", 7400, .nanoseconds, target: .atMost(7200)),
            Figure("sustained rate", 120, .perSecond, target: .atLeast(100)), Figure("unknown", .nan, .bytes),
        ]
        report.latencies = [Latency("token", histogram(1_000_000, upTo: 9_000_000)), Latency("cancel")]
        var throughput = Series("tokens", in: "Throughput", .perSecond, over: "time", .seconds)
        for second in 1...30 { throughput.add(Double(second), 50_000 - Double(second % 7) * 300) }
        var lonely = Series("resident", in: "Memory", .bytes, over: "connections", .count)
        lonely.add(1000, 0x1p20)
        report.series = [throughput, lonely, Series("nothing", in: "Nothing", .count, over: "time", .seconds)]
        var texts = Check("texts equal")
        texts.pass(1000)
        report.checks = [texts, Check("history")]
        report.notes = ["Watchers & writers < 2 \"cores\"."]
        return report
    }

    static var failed: RunReport {
        var report = run
        var check = Check("log positions")
        for number in 0..<25 { check.fail("gap", room: "room_a", stream: "stream_\(number)", offset: number) }
        check.fail("no stream")
        report.checks.append(check)
        return report
    }

    static var comparison: ComparisonReport {
        var report = ComparisonReport("hub", "floor", startedAt: moment)
        report.machine = machine
        report.options = [Option("watchers", 1000)]
        for pair in 1...4 {
            for (contender, factor) in [("hub", 1.1), ("floor", 1.0)] {
                let cost = factor * (1000 + Double(pair))
                report.add("CPU", cost, .nanoseconds, of: contender, to: "chunk", target: .atMost(1.05))
                report.add("rate", 1e6 / cost, .perSecond, of: contender, to: "chunk")
                report.add("busy", 0.5, .share, of: contender, to: "chunk", isCompared: false)
                report.add("CPU", cost * 2, .nanoseconds, of: contender, to: "send", target: .atMost(1.2))
            }
        }
        report.disturbance = 0.02
        return report
    }

    /// Plots of so many lines with long names, which end close together, and with values of that size.
    static func crowded(lines: Int, size: Double) -> RunReport {
        var report = RunReport("crowded", startedAt: moment)
        var (times, counts, sizes) = ([Series](), [Series](), [Series]())
        for number in 0..<lines {
            let name = "token, from when it was due to watcher, the crowd of number \(number)"
            var latency = Latency(number % 2 == 0 ? "gap \(number)" : name, histogram(100_000, upTo: 20_000_000))
            latency.histogram.record(number % 3 == 0 ? 0 : UInt64(max(size, 1)))
            report.latencies.append(latency)
            var time = Series(name, in: "Time", .nanoseconds, over: "time", .seconds)
            var count = Series(name, in: "Count", .count, over: "connections", .count)
            let long = "a_name_without_any_space_in_it_\(number)"
            var bytes = Series(long, in: "Bytes", .bytes, over: "watchers", .count)
            for step in 0...6 {
                let value = size * (1000 + Double(number)) / 1000
                time.add(Double(step) * size, value * Double(step))
                count.add(pow(100, Double(step)), value)
                bytes.add(pow(10, Double(step)) * size, value * 0x1p30)
            }
            times.append(time)
            counts.append(count)
            sizes.append(bytes)
        }
        report.series = times + counts + sizes
        return report
    }

    /// Every second target is met, where the ratio is 1.
    static func crowdedComparison(targets: Int, ratio: Double) -> ComparisonReport {
        var report = ComparisonReport("hub", "floor", startedAt: moment)
        for number in 0..<targets {
            let longer = String(repeating: ", longer", count: number)
            let scenario = "case \(number) of 200 rooms × 5 watchers × 50/s" + longer
            let target = Target.atMost(number % 2 == 0 ? 0.8 : 1.25)
            for (contender, value) in [("hub", ratio), ("floor", 1)] {
                let name = "token, from when it was due to watcher, the slowest of all"
                report.add(name, value, .nanoseconds, of: contender, to: scenario, target: target)
                report.add("count", value * 3, .count, of: contender, to: scenario)
                report.add("nothing", 0, .count, of: contender, to: scenario)
            }
        }
        return report
    }

    /// Values spread by a generator with a fixed seed, most of them short.
    static func histogram(_ count: Int, upTo most: UInt64) -> Histogram {
        var histogram = Histogram()
        var state: UInt64 = 42
        for _ in 0..<count / 1000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let share = Double(state >> 11) / 0x1p53
            histogram.record(UInt64(share * share * share * Double(most)), count: 1000)
        }
        return histogram
    }
}
