import ChatProtocol
import Testing

@testable import loadtest

struct EngineTests {
    @Test func theEarliestTimerComesFirst() {
        var heap = TimerHeap()
        var fired: [Int] = []
        for (index, time) in [50, 10, 40, 10, 30, 20, 60].enumerated() {
            heap.add(at: UInt64(time)) { fired.append(index) }
        }
        while let action = heap.popDue(45) { action() }
        #expect(fired == [1, 3, 5, 4, 2])
        #expect(heap.nextTime == 50)
    }

    @Test func aRunThatWaitsInVainSaysForWhat() throws {
        let engine = try Engine()
        let failure = #expect(throws: Failure.self) { try engine.run("a miracle", within: 0.01) { false } }
        #expect(failure?.reason.contains("a miracle") == true)
    }

    @Test func aTimerWakesTheLoop() throws {
        let engine = try Engine()
        var fired = false
        engine.schedule(at: Clock.now() + 1_000_000) { fired = true }
        try engine.run("the timer", within: 5) { fired }
    }

    @Test func aPollingLoopFiresItsTimersAndKnowsThatItOnlyWaited() throws {
        let engine = try Engine()
        engine.pollInterval = 1000
        var fired = false
        let began = Clock.now()
        engine.schedule(at: began + 20_000_000) { fired = true }
        let ownCPU = Clock.ownCPU()
        try engine.run("the timer", within: 5) { fired }
        #expect(Clock.now() >= began + 20_000_000)
        #expect(engine.spun > 0 && engine.spun <= Clock.now() - began)
        #expect(Clock.ownCPU() > ownCPU)
    }

    @Test func tokensOnTheirWayCountOnAverageOverAllWhoAreThere() throws {
        let engine = try Engine()
        let room = Room("room", engine, Tally(readsStamps: false), watchers: 1)
        for user in ["author", "second", "third", "fourth"] { room.add(Watcher(engine, user: user)) }
        let exchange = room.addExchange(SyntheticScript(), messageID: "m", sentAt: 0)
        exchange.hold(0..<2)
        exchange.hold(0..<1)
        #expect(exchange.delivered == 0)
        exchange.hold(0..<1)
        #expect(exchange.delivered == 1, "three have the first, one the second, too")
    }

    @Test(arguments: [
        ("127.0.0.1:80", "is none"), ("ws://127.0.0.1", "has no port"), ("ws://127.0.0.1:99999", "has no port"),
    ])
    func anAddressThatIsNoneIsRefused(url: String, words: String) {
        let failure = #expect(throws: Failure.self) { try ServerAddress(url: url) }
        #expect(failure?.reason.contains(words) == true)
    }

    @Test func moreSocketsThanTheLimitAllowsAreRefusedWithTheRemedy() {
        let failure = #expect(throws: Failure.self) { try Descriptors.expect(sockets: 100_000_000) }
        #expect(failure?.reason.contains("ulimit -Hn 100000064") == true)
    }
}

struct OptionsTests {
    @Test func aScenarioHasItsDefaultsAndWhatIsAskedFor() throws {
        let options = try Options(.stream, ["--url", "ws://127.0.0.1:1", "--rate", "12.5"])
        #expect(options.values[.rate] == 12.5)
        #expect(options.values[.rooms] == 200)
    }

    @Test func quickIsQuick() throws {
        let options = try Options(.stream, ["--quick", "--hub", "hubbub", "--rooms", "3"])
        #expect(options.values[.seconds] == 0.5)
        #expect(options.values[.rooms] == 3)
    }

    @Test(arguments: [
        (["--rooms", "3"], "one of --url, --hub and --floor"), (["--url", "a", "--hub", "b"], "one of"),
        (["--hub", "b", "--rooms", "many"], "--rooms needs a whole number"),
        (["--hub", "b", "--rooms", "1.5"], "--rooms needs a whole number"),
        (["--hub", "b", "--drops", "1"], "stream has no option --drops; it has --rooms"),
        (["--hub"], "--hub needs a value"), (["--hub", "b", "--limit", "x"], "NAME=NUMBER"),
    ])
    func whatIsWrongIsSaid(arguments: [String], words: String) {
        let failure = #expect(throws: Failure.self) { try Options(.stream, arguments) }
        #expect(failure?.reason.contains(words) == true, "\(failure?.reason ?? "")")
    }

    @Test func theFloorPlaysOnlyWhatItCan() {
        #expect(throws: Failure.self) { try Options(.chat, ["--floor", "f"]) }
    }

    @Test func everyScenarioHasAHelp() throws {
        for scenario in Scenario.all {
            let text = try Help.text(scenario.name)
            for (knob, _) in scenario.knobs { #expect(text.contains("--\(knob.name) ")) }
            #expect(try Help.text(nil).contains(scenario.summary))
        }
    }

    @Test func quickDefaultsAreOfKnobsThatTheScenarioHas() {
        for scenario in Scenario.all {
            let known = Set(scenario.knobs.map(\.knob))
            #expect(scenario.quick.allSatisfy { known.contains($0.knob) }, "\(scenario.name)")
            #expect(scenario.knobs.allSatisfy { $0.knob.range.contains($0.value) }, "\(scenario.name)")
        }
    }
}
