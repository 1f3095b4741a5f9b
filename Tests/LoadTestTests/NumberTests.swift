import Testing

@testable import loadtest

struct NumberTests {
    @Test(arguments: [
        (0.0, "0"), (1, "1"), (1.5, "1.5"), (1.234, "1.23"), (0.01234, "0.0123"), (0.000001234, "0.00000123"),
        (9.994, "9.99"), (9.996, "10"), (99.94, "99.9"), (99.96, "100"), (123.4, "123"), (12_345, "12,345"),
        (1_234_567.8, "1,234,568"), (-2.5, "−2.5"), (-12_345, "−12,345"), (1e-9, "1.0e−9"), (2.5e18, "2.5e18"),
        (.nan, "–"), (.infinity, "–"),
    ])
    func writesThreeDigits(value: Double, text: String) { #expect(brief(value) == text) }

    @Test(arguments: [
        (1.05, "1.05"), (0.1, "0.10"), (0.0999, "0.10"), (0.0432, "0.0432"), (99.99, "99.99"), (99.996, "100"),
        (158.21, "158"), (12_345, "12,345"), (1_234_567, "1.2e6"), (0.00001234, "1.2e−5"), (0, "0"), (.infinity, "–"),
    ])
    func keepsRatiosShort(ratio: Double, text: String) { #expect(ratioText(ratio) == text) }

    @Test(arguments: [
        (Target.atMost(1.05), 1.11, "missed by 6 %"), (.atMost(1.05), 0.84, "met by 20 %"), (.atMost(2), 2, "met"),
        (.atMost(1.1), 1.101, "missed by less than 1 %"), (.atMost(1.1), 290, "missed by a factor of 264"),
        (.atLeast(100), 120, "met by 20 %"), (.atLeast(100), 0, "missed by 100 %"), (.atMost(1), .nan, "missed"),
        (.atMost(0), 5, "missed"),
    ])
    func saysByHowMuch(target: Target, value: Double, text: String) {
        let outcome = target.outcome(of: value)
        #expect(outcome.text == text)
        #expect(outcome.tone == (text.hasPrefix("met") ? .good : .bad))
    }

    @Test(arguments: [(50.0, "50"), (99.9, "99.9"), (99.99, "99.99"), (99.999, "99.999"), (100, "100"), (0, "0")])
    func writesAllNines(percent: Double, text: String) { #expect(percentText(percent) == text) }

    @Test(arguments: [
        (Unit.nanoseconds, 0.0, "0 ns"), (.nanoseconds, 1, "1 ns"), (.nanoseconds, 999.6, "1 µs"),
        (.nanoseconds, 1_234_000, "1.23 ms"), (.nanoseconds, 61e9, "61 s"), (.nanoseconds, -2500, "−2.5 µs"),
        (.bytes, 505, "505 B"), (.bytes, 1536, "1.5 KiB"), (.bytes, 0x1p31, "2 GiB"), (.perSecond, 49_980, "49,980/s"),
        (.perSecond, 1_640_000, "1.64 M/s"), (.share, 0.416, "41.6 %"), (.ratio, 1.05, "1.05 ×"),
        (.count, 12_345, "12,345"), (.count, 0.012, "0.012"), (.bytesPerSecond, 2000, "2 kB/s"), (.seconds, 30, "30 s"),
        (.bytes, .nan, "–"),
    ])
    func writesUnitsThatKeepNumbersShort(unit: Unit, value: Double, text: String) {
        #expect(unit.text(value) == text)
    }
}
