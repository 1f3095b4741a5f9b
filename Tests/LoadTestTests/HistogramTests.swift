import Testing
import Wire

@testable import loadtest

struct HistogramTests {
    /// Around every edge between buckets' widths, and at the ends.
    private static let edges: [UInt64] = (0...41).flatMap { bit -> [UInt64] in
        let power: UInt64 = 1 << UInt64(bit)
        return [power - 1, power, power + 1, power + power / 3]
    }

    @Test(arguments: edges) func reportsAnyDurationWithinItsPrecision(nanoseconds: UInt64) {
        var histogram = Histogram()
        histogram.record(nanoseconds)
        // Neighbours on both sides, so that the answer is the bucket's and not the exact least or most.
        histogram.record(0)
        histogram.record(Histogram.nanosecondsMax)
        let reported = Double(histogram.percentile(50))
        #expect(abs(reported - Double(nanoseconds)) <= Double(nanoseconds) / 256)
    }

    @Test func findsPercentilesOfManyDurations() {
        var histogram = Histogram()
        for microseconds in 1...100_000 { histogram.record(UInt64(microseconds) * 1000) }
        #expect(histogram.count == 100_000)
        for percent in [1, 50, 90, 99, 99.9, 99.99] {
            let exact = percent * 1_000_000
            #expect(abs(Double(histogram.percentile(percent)) - exact) <= exact / 256)
        }
        #expect(histogram.min == 1000)
        #expect(histogram.max == 100_000_000)
        #expect(histogram.percentile(100) == 100_000_000)
        #expect(abs(histogram.mean - 50_000_500) <= 50_000_500 / 256)
    }

    @Test(arguments: [(50.0, UInt64(1)), (90, 1), (90.1, 2), (99.9, 2), (100, 3)])
    func countsRanksExactly(percent: Double, expected: UInt64) {
        var histogram = Histogram()
        histogram.record(1, count: 900)
        histogram.record(2, count: 99)
        histogram.record(3)
        #expect(histogram.percentile(percent) == expected)
    }

    @Test func keepsTheExactLongestBeyondItsRange() {
        var histogram = Histogram()
        histogram.record(Histogram.nanosecondsMax * 3)
        #expect(histogram.max == Histogram.nanosecondsMax * 3)
        #expect(histogram.percentile(50) == Histogram.nanosecondsMax * 3)
    }

    @Test func saysZeroOfNothing() {
        let histogram = Histogram()
        #expect(histogram.isEmpty)
        #expect([histogram.min, histogram.max, histogram.percentile(99)] == [0, 0, 0])
        #expect(histogram.mean == 0)
    }

    @Test func mergesAsIfOneHadCountedAll() {
        var (odd, even, all) = (Histogram(), Histogram(), Histogram())
        for number in 1...5000 as ClosedRange<UInt64> {
            if number % 2 == 0 { even.record(number * number) } else { odd.record(number * number) }
            all.record(number * number)
        }
        odd.merge(even)
        #expect(odd == all)
        odd.merge(Histogram())
        #expect(odd == all)
        odd.removeAll()
        #expect(odd == Histogram())
    }

    @Test func comesBackFromJSON() throws {
        var histogram = Histogram()
        for number in 0...3000 as ClosedRange<UInt64> { histogram.record(number * number * 997) }
        let json = try JSONValue(parsing: histogram.json.compact)
        #expect(try Histogram(json: Fields(json, "file")) == histogram)
        let none = try JSONValue(parsing: Histogram().json.compact)
        #expect(try Histogram(json: Fields(none, "file")) == Histogram())
    }

    @Test func isSmallAsJSON() {
        var histogram = Histogram()
        for _ in 0..<1_000_000 { histogram.record(1_234_567) }
        #expect(histogram.json.compact.count < 120)
    }

    @Test(arguments: [
        #"{"precision_bits": 5, "min": 1, "max": 1, "buckets": [1, 1]}"#,
        #"{"precision_bits": 7, "min": 1, "max": 1, "buckets": [99999999, 1]}"#,
        #"{"precision_bits": 7, "min": 1, "max": 1, "buckets": [1, -1]}"#,
        #"{"precision_bits": 7, "min": 1, "max": 1, "buckets": [1]}"#,
        #"{"precision_bits": 7, "min": 1, "max": 1, "buckets": [1, 9223372036854775807, 1, 1]}"#,
        #"{"precision_bits": 7, "min": 2, "max": 1, "buckets": [1, 1]}"#,
        #"{"precision_bits": 7, "buckets": [1, 1]}"#,
    ])
    func refusesWhatIsNoHistogram(json: String) throws {
        let value = try JSONValue(parsing: Array(json.utf8))
        #expect(throws: Failure.self) { try Histogram(json: Fields(value, "file")) }
    }
}
