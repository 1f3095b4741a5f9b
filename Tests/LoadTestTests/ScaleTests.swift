import Testing

@testable import loadtest

struct ScaleTests {
    @Test(arguments: [
        ([0.0, 3e6], ["0", "1", "2", "3"], "ms"), ([0, 0], ["0", "0.2", "0.4", "0.6", "0.8", "1"], "ns"),
        ([5], ["0", "1", "2", "3", "4", "5"], "ns"), ([-2, 2], ["−2", "−1", "0", "1", "2"], "ns"),
        ([], ["0", "0.2", "0.4", "0.6", "0.8", "1"], "ns"), ([1e-300], [], "ns"),
    ])
    func marksALinearAxis(values: [Double], labels: [String], symbol: String) {
        let scale = Scale.linear(values, .nanoseconds, from: 0, to: 100)
        if !labels.isEmpty { #expect(scale.ticks.map(\.label) == labels) }
        #expect(scale.symbol == symbol)
        #expect(scale.ticks.count <= 12)
        expectRising(scale)
    }

    @Test(arguments: [
        ([100_000.0, 30_000_000], ["100 µs", "300 µs", "1 ms", "3 ms", "10 ms", "30 ms"]),
        ([1, 1e9], ["1 ns", "10 ns", "100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s"]),
        ([1000], ["500 ns", "700 ns", "1 µs", "1.5 µs", "2 µs"]),
        ([0, 1000], ["≤ 500 ns", "700 ns", "1 µs", "1.5 µs", "2 µs"]),
    ])
    func marksALogarithmicAxis(values: [Double], labels: [String]) {
        let scale = Scale.logarithmic(values, .nanoseconds, from: 0, to: 100)
        #expect(scale.ticks.map(\.label) == labels)
        expectRising(scale)
    }

    @Test(arguments: [
        (1, ["0", "50", "90", "99"]), (1000, ["0", "50", "90", "99", "99.9"]),
        (1_000_000_000, ["0", "50", "90", "99", "99.9", "99.99", "99.999"]),
    ])
    func showsAsManyNinesAsValuesTellApart(count: Int, labels: [String]) {
        let scale = Scale.percentile(count: count, from: 0, to: 100)
        #expect(scale.ticks.map(\.label) == labels)
        #expect(scale.position(100) == 100)
        expectRising(scale)
    }

    /// Marks stand within the axis, each after the one before, and none without a number.
    private func expectRising(_ scale: Scale, sourceLocation: SourceLocation = #_sourceLocation) {
        let places = scale.ticks.map { scale.position($0.value) }
        #expect(places.allSatisfy { (0...100).contains($0) }, sourceLocation: sourceLocation)
        #expect(zip(places, places.dropFirst()).allSatisfy { $0 < $1 }, sourceLocation: sourceLocation)
        #expect(Set(scale.ticks.map(\.label)).count == scale.ticks.count, sourceLocation: sourceLocation)
    }
}
