import Telemetry
import Testing

@Suite struct SamplerTests {
    @Test func oneLineOfAKindInAWhileStandsForThoseBetween() {
        var sampler = Sampler<String>(intervalNanoseconds: 100)
        #expect(sampler.admit("full", at: 1_000) == 1)
        for now in [1_000, 1_050, 1_099] as [UInt64] { #expect(sampler.admit("full", at: now) == nil) }
        #expect(sampler.admit("busy", at: 1_099) == 1, "each kind has its own")
        #expect(sampler.admit("full", at: 1_100) == 4)
        #expect(sampler.admit("full", at: 1_199) == nil)
        #expect(sampler.admit("full", at: 9_000) == 2)
        #expect(sampler.admit("full", at: 9_100) == 1)
    }

    @Test func aClockThatStartsNearZeroIsFine() {
        var sampler = Sampler<Int>()
        #expect(sampler.admit(1, at: 0) == 1)
        #expect(sampler.admit(1, at: 1) == nil)
    }
}
