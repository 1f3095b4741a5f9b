import Testing

@testable import ChatDoubles

/// A short run of the simulator; `./dev simulate` runs the long ones, on an optimised build.
@Suite struct SimulationTests {
    @Test(arguments: 0..<10) func noRuleIsBroken(_ part: UInt64) {
        for seed in part * 4..<(part + 1) * 4 {
            let scenario = Scenario(seed: seed)
            let simulation = Simulation(scenario)
            simulation.run(scenario.steps)
            #expect(simulation.violations == [], "./dev simulate --seed \(seed)")
        }
    }

    @Test func aSeedIsOneHistory() {
        func trace(_ seed: UInt64) -> [String] {
            var lines: [String] = []
            let scenario = Scenario(seed: seed)
            let simulation = Simulation(scenario)
            simulation.trace = { lines.append($0) }
            simulation.run(scenario.steps)
            return lines
        }
        #expect(trace(7) == trace(7))
        #expect(trace(7) != trace(8))
    }

    @Test func stepsMayBeTakenOut() {
        let scenario = Scenario(seed: 11)
        for divisor in 2...6 {
            let simulation = Simulation(scenario)
            simulation.run(scenario.steps.filter { $0.number % divisor == 0 })
            #expect(simulation.violations == [])
        }
    }
}
