import Chat
import ChatProtocol
import Testing

@testable import Agents
@testable import Reactor

/// A loop in memory: its clock moves as it is told.
private final class StillLoop {
    var now: UInt64 = 5_000_000_000
    var timers: [(id: TimerID, at: UInt64, action: () -> Void)] = []
    private var timersMade: Int32 = 0

    func schedule(at instant: UInt64, _ action: @escaping () -> Void) -> TimerID {
        #expect(instant > now && timers.isEmpty)
        timersMade += 1
        timers = [(TimerID(index: timersMade, generation: 0), instant, action)]
        return timers[0].id
    }

    var services: LoopServices {
        LoopServices(
            clock: { self.now }, watch: { _, _, _ in false }, unwatch: { _ in }, schedule: schedule,
            cancel: { id in self.timers.removeAll { $0.id == id } }, submit: { _ in })
    }
}

/// One run on such a loop: the test moves time and ends the loop's turns.
private final class SyntheticBench {
    private let loop = StillLoop()
    private(set) var said: [(at: UInt64, token: [UInt8])] = []
    private(set) var ends: [AgentEnd] = []
    /// Where each token lay in memory.
    private(set) var places: Set<UInt> = []
    /// Called within each token.
    var hears: () -> Void = {}
    /// Whether tokens are kept beyond their event.
    var keeps = true
    private(set) var stepsSoon = 0
    let script: SyntheticScript
    private(set) var run: SyntheticRun!

    init(_ json: String) throws {
        script = try SyntheticScript(parsing: json)
        run = SyntheticRun(
            script, services: loop.services, stepSoon: { [unowned self] in stepsSoon += 1 },
            say: { [unowned self] in hear($0) }, end: { [unowned self] in ends.append($0) })
        run.begin()
    }

    deinit { run.close() }

    private func hear(_ token: [UInt8]) {
        token.withUnsafeBytes { _ = places.insert(UInt(bitPattern: $0.baseAddress)) }
        said.append((loop.now, keeps ? token : []))
        hears()
    }

    /// Ends the loop's turn: the step that was asked for follows.
    func turn() {
        guard stepsSoon > 0 else { return }
        #expect(stepsSoon == 1 && loop.timers.isEmpty)
        stepsSoon = 0
        run.step()
    }

    /// Turns while there is something to do without a wait.
    @discardableResult func settle() -> Self {
        while stepsSoon > 0 { turn() }
        return self
    }

    /// Moves the clock; timers fire so much late on the way.
    func pass(milliseconds: UInt64, late: UInt64 = 0) {
        let target = loop.now + milliseconds * 1_000_000
        while let timer = loop.timers.first, timer.at + late <= target {
            loop.timers = []
            loop.now = max(loop.now, timer.at + late)
            timer.action()
            settle()
        }
        loop.now = target
    }

    /// The clock stands still for the loop: nothing fires on the way.
    func sleep(milliseconds: UInt64) { loop.now += milliseconds * 1_000_000 }

    var isAsleep: Bool { loop.timers.isEmpty && stepsSoon == 0 }
    var milliseconds: [UInt64] { said.map { ($0.at - 5_000_000_000) / 1_000_000 } }

    /// Whether everything said is the script's text, each token with the instant at which it came.
    var isTrue: Bool {
        let text = SyntheticText(seed: script.seed)
        return said.enumerated().allSatisfy { number, said in
            var token = [UInt8](repeating: 0, count: script.tokenBytes)
            token.withUnsafeMutableBytes { text.write(number, stamp: script.stamps ? said.at : nil, into: $0) }
            return token == said.token
        }
    }
}

@Suite struct SyntheticRunTests {
    @Test(arguments: ["{}", #"{"stamps":false,"seed":9,"token_bytes":20}"#, #"{"token_bytes":16384,"tokens":3}"#])
    func saysTheScriptsText(_ json: String) throws {
        let bench = try SyntheticBench(json)
        #expect(bench.said.isEmpty, "nothing from within the start")
        bench.settle()
        #expect(bench.said.count == bench.script.tokens && bench.isTrue)
        #expect(bench.ends == [.finished(reason: "stop")])
        #expect(bench.isAsleep)
    }

    @Test func letsTheLoopHaveItsTurnAfter64Tokens() throws {
        let bench = try SyntheticBench(#"{"tokens":129}"#)
        var counts: [Int] = []
        while bench.stepsSoon > 0 {
            bench.turn()
            counts.append(bench.said.count)
        }
        #expect(counts == [64, 128, 129])
        #expect(bench.ends.count == 1)
    }

    @Test func dueTimesDoNotDriftHoweverLateTimersAre() throws {
        let bench = try SyntheticBench(#"{"tokens":1001,"rate":300}"#)
        bench.settle()
        bench.pass(milliseconds: 10_000, late: 3_000_000)
        #expect(bench.said.count == 1001 && bench.isTrue)
        for (number, said) in bench.said.enumerated() {
            let due = 5_000_000_000 + UInt64(Double(number) / 300 * 1e9)
            #expect(said.at >= due && said.at <= due + 3_000_000)
        }
        #expect(bench.said[1000].at - bench.said[1].at == 3_330_000_000)
    }

    @Test func whatIsLateIsSaidAtOnceAndStampedAsItLeaves() throws {
        let bench = try SyntheticBench(#"{"tokens":1000,"rate":50}"#)
        bench.settle()
        #expect(bench.said.count == 1)
        bench.sleep(milliseconds: 4_000)
        bench.pass(milliseconds: 0)
        #expect(bench.milliseconds == [0] + Array(repeating: 4_000, count: 200))
        #expect(bench.isTrue)
        bench.pass(milliseconds: 19)
        #expect(bench.said.count == 201)
        bench.pass(milliseconds: 1)
        #expect(bench.said.count == 202)
    }

    @Test func burstsKeepTheRate() throws {
        let bench = try SyntheticBench(#"{"tokens":12,"rate":100,"burst":5}"#)
        bench.settle()
        bench.pass(milliseconds: 1_000)
        #expect(bench.milliseconds == [0, 0, 0, 0, 0, 50, 50, 50, 50, 50, 100, 100])
        #expect(bench.ends.count == 1)
    }

    @Test func saysNoMoreThanItsWindowAllows() throws {
        let bench = try SyntheticBench(#"{"tokens":10,"window":3}"#).settle()
        #expect(bench.said.count == 3 && bench.isAsleep)
        bench.run.release(1)
        #expect(bench.said.count == 4, "at once")
        bench.run.release(2)
        #expect(bench.said.count == 6 && bench.ends.isEmpty)
        bench.run.release(1_000_000)
        bench.run.release(1_000_000)
        #expect(bench.said.count == 10 && bench.isTrue)
        #expect(bench.ends == [.finished(reason: "stop")])
    }

    @Test func takesWhatIsReleasedBeforeItsFirstStep() throws {
        let bench = try SyntheticBench(#"{"tokens":10,"window":0}"#)
        bench.run.release(2)
        #expect(bench.said.isEmpty)
        bench.settle()
        #expect(bench.said.count == 2 && bench.isAsleep)
    }

    @Test func aWideReleaseTakesMoreThanOneStep() throws {
        let bench = try SyntheticBench(#"{"tokens":200,"window":0}"#).settle()
        bench.run.release(100)
        #expect(bench.said.count == 64)
        bench.run.release(10)
        #expect(bench.said.count == 64, "its next step is on its way")
        bench.settle()
        #expect(bench.said.count == 110)
    }

    @Test func aReceiverMayReleaseTheNext() throws {
        let bench = try SyntheticBench(#"{"tokens":100,"window":1}"#)
        bench.hears = { [unowned bench] in bench.run.release(1) }
        bench.turn()
        #expect(bench.said.count == 64)
        bench.settle()
        #expect(bench.said.count == 100 && bench.ends.count == 1)
    }

    @Test func aRateHoldsWithinAWindow() throws {
        let bench = try SyntheticBench(#"{"tokens":5,"window":2,"rate":10}"#).settle()
        bench.pass(milliseconds: 1_000)
        #expect(bench.milliseconds == [0, 100])
        bench.run.release(2)
        #expect(bench.milliseconds == [0, 100, 1_000, 1_000], "they were due")
        bench.run.release(1)
        #expect(bench.ends.count == 1)
    }

    @Test(arguments: [
        (#"{"tokens":6,"rate":10,"pause_after":3,"pause_ms":1000}"#, [0, 100, 200, 1_300, 1_400, 1_500] as [UInt64]),
        (#"{"tokens":4,"pause_after":2,"pause_ms":500}"#, [0, 0, 500, 500]),
        (#"{"tokens":2,"rate":10,"pause_after":0,"pause_ms":500}"#, [500, 600]),
        (#"{"tokens":2,"pause_after":2,"pause_ms":500}"#, [0, 0]),
        (#"{"tokens":2,"pause_after":1}"#, [0, 0]),
    ])
    func pausesOnce(_ json: String, _ milliseconds: [UInt64]) throws {
        let bench = try SyntheticBench(json).settle()
        bench.run.release(1)
        bench.pass(milliseconds: 499)
        let endsEarly = milliseconds.allSatisfy { $0 == 0 } && bench.script.pauseMilliseconds == 0
        #expect(bench.ends.isEmpty == !endsEarly)
        bench.pass(milliseconds: 2_000)
        #expect(bench.milliseconds == milliseconds && bench.isTrue)
        #expect(bench.ends == [.finished(reason: "stop")])
    }

    @Test func isLateByItsPauseOnlyOnce() throws {
        let bench = try SyntheticBench(#"{"tokens":100,"rate":100,"pause_after":10,"pause_ms":100}"#).settle()
        bench.sleep(milliseconds: 300)
        bench.pass(milliseconds: 0)
        #expect(bench.said.count == 10, "it pauses although it is late")
        bench.pass(milliseconds: 100)
        #expect(bench.said.count == 31, "due at 400 ms, the pause taken off")
    }

    @Test(arguments: [
        (#"{"tokens":0}"#, 0, [AgentEnd.finished(reason: "stop")]),
        (#"{"tokens":9,"fail_after":5}"#, 5, [.failed(.agentFailed, "the script fails after 5 tokens")]),
        (#"{"fail_after":0}"#, 0, [.failed(.agentFailed, "the script fails after 0 tokens")]),
        (#"{"tokens":5,"fail_after":5}"#, 5, [.failed(.agentFailed, "the script fails after 5 tokens")]),
        (#"{"tokens":5,"fail_after":6}"#, 5, [.finished(reason: "stop")]),
        (#"{"tokens":9,"stall_after":5}"#, 5, []),
        (#"{"stall_after":0}"#, 0, []),
        (#"{"tokens":5,"stall_after":5}"#, 5, []),
        (
            #"{"tokens":5,"stall_after":2,"fail_after":2,"pause_after":2,"pause_ms":1}"#, 2,
            [.failed(.agentFailed, "the script fails after 2 tokens")]
        ),
        (#"{"tokens":9,"window":3,"fail_after":3}"#, 3, [.failed(.agentFailed, "the script fails after 3 tokens")]),
    ])
    func endsAsItsScriptSays(_ json: String, _ count: Int, _ ends: [AgentEnd]) throws {
        let bench = try SyntheticBench(json).settle()
        bench.pass(milliseconds: 1_000)
        bench.run.release(100)
        #expect(bench.said.count == count && bench.ends == ends && bench.isAsleep)
    }

    @Test func saysNothingOnceItIsClosed() throws {
        let bench = try SyntheticBench(#"{"rate":10}"#).settle()
        bench.run.close()
        #expect(bench.isAsleep, "its timer is gone")
        bench.run.release(10)
        bench.run.step()
        #expect(bench.said.count == 1 && bench.ends.isEmpty)
    }

    @Test func itsReceiverMayCloseIt() throws {
        let bench = try SyntheticBench("{}")
        bench.hears = { [unowned bench] in if bench.said.count == 7 { bench.run.close() } }
        bench.settle()
        #expect(bench.said.count == 7 && bench.ends.isEmpty && bench.isAsleep)
    }

    @Test func writesEachTokenIntoTheSameMemory() throws {
        let bench = try SyntheticBench("{}")
        bench.keeps = false
        bench.settle()
        #expect(bench.said.count == 100 && bench.places.count == 1)
    }
}

@Suite struct SyntheticAgentTests {
    private static let agents = [AgentConfiguration(agentType: "load", connector: .synthetic)]

    @Test func saysAScriptOnARealLoop() throws {
        let bench = try AgentBench(Self.agents)
        bench.start(.asking(#"{"tokens":200,"window":100,"rate":100000}"#, agentType: "load"))
        #expect(bench.wait(for: "stream_1") { $0.pieces.count == 100 }.ends.isEmpty)
        bench.release(60, "stream_1")
        bench.release(40, "stream_1")
        let transcript = bench.wait(for: "stream_1")
        #expect(transcript.pieces.count == 200 && transcript.text.utf8.count == 24_000)
        #expect(transcript.ends == [.finished(reason: "stop")])
        bench.release(1, "stream_1")
        bench.stop()
        #expect(bench.transcript("stream_1") == transcript)
    }

    @Test func failsATurnThatIsNoScript() throws {
        let bench = try AgentBench(Self.agents)
        bench.start(
            .asking("Hello?", agentType: "load"),
            .asking(#"{"tokens":-1}"#, stream: "stream_2", agentType: "load"))
        #expect(
            bench.wait(for: "stream_1").ends
                == [.failed(.agentFailed, #"the message's last line must be a JSON object, such as {"tokens":100}"#)])
        #expect(
            bench.wait(for: "stream_2").ends
                == [.failed(.agentFailed, "tokens must be a whole number from 0 to 1000000")])
        bench.stop()
    }

    @Test func isCancelledWhileItWaits() throws {
        let bench = try AgentBench(Self.agents)
        bench.start(.asking(#"{"window":1}"#, agentType: "load"))
        _ = bench.wait(for: "stream_1") { $0.pieces.count == 1 }
        bench.cancel("stream_1")
        bench.release(5, "stream_1")
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        bench.stop()
        #expect(bench.transcript("stream_1").pieces.count == 1)
    }
}
