import Testing

@testable import Server

@Suite struct SweepRoundTests {
    @Test(arguments: [0, 1, 512, 513, 3_000, 100_000, 1_000_000])
    func aRoundLooksAtEveryPlaceOnceAndAtFewAtATime(places: Int) {
        var round = SweepRound()
        var next = 0
        var nanoseconds: UInt64 = 0
        repeat {
            let (slice, pause) = round.slice(of: places)
            #expect(slice.lowerBound == next && slice.count <= SweepRound.socketsPerSlice)
            #expect(pause >= SweepRound.pauseNanosecondsMin)
            next = slice.upperBound
            nanoseconds += pause
        } while next < places
        #expect(next == places)
        // A second, as long as the slices do not have to follow each other more closely than timers can.
        let expected = places <= 512_000 ? 1.0 : Double(places) / 512_000
        #expect(abs(Double(nanoseconds) / 1e9 - expected) < 0.01)
        #expect(round.slice(of: places).places.lowerBound == 0, "and then it begins anew")
    }

    @Test func aRoundGoesOnWhileItsPlacesBecomeMoreAndFewer() {
        var round = SweepRound()
        #expect(round.slice(of: 600).places == 0..<512)
        #expect(round.slice(of: 2_000).places == 512..<1_024)
        #expect(round.slice(of: 100).places == 0..<100)
    }
}
