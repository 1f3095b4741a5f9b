import Testing

/// Nothing that a stranger, a model or a program sends costs more than linear time.
struct CostTests {
    /// Four times the bytes cost four times as much; sixteen times would be the square.
    @Test(arguments: CostCase.all) func fourTimesTheBytesCostNoMoreThanEightTimesTheWork(_ example: CostCase) {
        for nasty in Nasty.allCases {
            // What else the machine does can make a ratio larger for a while, and never smaller each time.
            var ratio = Double.infinity
            for _ in 0..<10 where ratio >= 8 {
                let small = example.work(nasty.text(bytes: example.bytes / 4))
                let large = example.work(nasty.text(bytes: example.bytes))
                ratio = min(ratio, CostMeter.ratio(small: small, large: large))
            }
            #expect(ratio < 8, "\(nasty)")
        }
    }
}

extension CostCase: CustomTestStringConvertible {
    var testDescription: String { name }
}
