import Testing

@testable import Reactor

private let millisecond: UInt64 = 1_000_000

@Suite struct TimerWheelTests {
    /// Everything due at a time, in order.
    private func due(_ wheel: inout TimerWheel<Int>, at now: UInt64) -> [Int] {
        var payloads: [Int] = []
        while let payload = wheel.popDue(now: now) { payloads.append(payload) }
        return payloads
    }

    private func cancel(_ wheel: inout TimerWheel<Int>, _ id: TimerID) -> Bool { wheel.cancel(id) }

    @Test func firesAtTheFirstTickAtOrAfterTheDeadline() {
        var wheel = TimerWheel<Int>(now: 0)
        _ = wheel.schedule(at: 5 * millisecond, 1)
        _ = wheel.schedule(at: 5 * millisecond + 1, 2)
        #expect(due(&wheel, at: 5 * millisecond - 1) == [])
        #expect(due(&wheel, at: 5 * millisecond) == [1])
        #expect(due(&wheel, at: 6 * millisecond - 1) == [])
        #expect(due(&wheel, at: 6 * millisecond) == [2])
        #expect(wheel.count == 0)
    }

    @Test(arguments: [0, 1, 63, 64, 65, 4095, 4096, 1_000_000, 123_456_789_012])
    func firesInOrderWhateverTheDistance(_ start: UInt64) {
        let distances: [UInt64] = [1, 2, 63, 64, 65, 127, 128, 4000, 4095, 4096, 4097, 262_143, 262_144, 20_000_000]
        var wheel = TimerWheel<Int>(now: start * millisecond)
        for (index, distance) in distances.enumerated().reversed() {
            _ = wheel.schedule(at: (start + distance) * millisecond, index)
        }
        for (index, distance) in distances.enumerated() {
            #expect(due(&wheel, at: (start + distance) * millisecond - 1) == [])
            #expect(due(&wheel, at: (start + distance) * millisecond) == [index])
        }
    }

    @Test func timersOfOneTickFireInTheOrderOfScheduling() {
        var wheel = TimerWheel<Int>(now: 0)
        for payload in 0..<5 { _ = wheel.schedule(at: 1000 * millisecond, payload) }
        #expect(due(&wheel, at: 970 * millisecond) == [])
        for payload in 5..<8 { _ = wheel.schedule(at: 1000 * millisecond, payload) }
        #expect(due(&wheel, at: 5000 * millisecond) == Array(0..<8))
    }

    @Test func aLateAdvanceStillFiresInOrder() {
        var wheel = TimerWheel<Int>(now: 0)
        for payload in [70, 65, 4200, 3, 129, 66] { _ = wheel.schedule(at: UInt64(payload) * millisecond, payload) }
        #expect(due(&wheel, at: 10_000 * millisecond) == [3, 65, 66, 70, 129, 4200])
    }

    @Test func aDeadlineInThePastIsDueAtOnce() {
        var wheel = TimerWheel<Int>(now: 900 * millisecond)
        _ = wheel.schedule(at: 3 * millisecond, 1)
        #expect(wheel.nextDeadline == 900 * millisecond)
        #expect(due(&wheel, at: 900 * millisecond) == [1])
    }

    @Test func cancelsOnceAndRefusesStaleIDs() {
        var wheel = TimerWheel<Int>(now: 0)
        let first = wheel.schedule(at: 5 * millisecond, 1)
        let second = wheel.schedule(at: 5 * millisecond, 2)
        let third = wheel.schedule(at: 5 * millisecond, 3)
        #expect(cancel(&wheel, second))
        #expect(!cancel(&wheel, second))
        let reused = wheel.schedule(at: 7 * millisecond, 4)
        #expect(reused.index == second.index)
        #expect(!cancel(&wheel, second))
        #expect(due(&wheel, at: 7 * millisecond) == [1, 3, 4])
        for id in [first, third, reused] { #expect(!cancel(&wheel, id)) }
    }

    @Test func aTimerMayCancelOneThatIsDueAfterIt() {
        var wheel = TimerWheel<Int>(now: 0)
        _ = wheel.schedule(at: 100 * millisecond, 1)
        let second = wheel.schedule(at: 100 * millisecond, 2)
        let third = wheel.schedule(at: 101 * millisecond, 3)
        let first = wheel.popDue(now: 200 * millisecond)
        wheel.cancel(second)
        wheel.cancel(third)
        #expect(first == 1)
        #expect(due(&wheel, at: 200 * millisecond) == [])
    }

    @Test func theFarthestDeadlineIsKept() {
        var wheel = TimerWheel<Int>(now: 1)
        _ = wheel.schedule(at: .max, 1)
        let deadline = UInt64.max / millisecond * millisecond
        #expect(due(&wheel, at: deadline) == [])
        #expect(wheel.count == 1)
    }

    @Test func theNextDeadlineIsNeverLate() {
        var wheel = TimerWheel<Int>(now: 0)
        #expect(wheel.nextDeadline == nil)
        _ = wheel.schedule(at: 30_000 * millisecond, 1)
        var wakeUps = 0
        while let next = wheel.nextDeadline, next <= 30_000 * millisecond {
            wakeUps += 1
            if due(&wheel, at: next) == [1] {
                #expect(next == 30_000 * millisecond)
            }
        }
        #expect(wakeUps <= 3)
        #expect(wheel.nextDeadline == nil)
    }

    @Test func tenThousandTimersFireInOrder() {
        var random = SplitMix(seed: 7)
        var wheel = TimerWheel<Int>(now: 0)
        var deadlines: [UInt64] = []
        for payload in 0..<10_000 {
            deadlines.append(random.next() % 100_000)
            _ = wheel.schedule(at: deadlines[payload] * millisecond, payload)
        }
        let fired = due(&wheel, at: 100_000 * millisecond)
        let expected = deadlines.indices.sorted { (deadlines[$0], $0) < (deadlines[$1], $1) }
        #expect(fired == expected)
    }

    @Test(arguments: 1...20) func agreesWithASortedList(_ seed: UInt64) {
        var random = SplitMix(seed: seed)
        var now: UInt64 = random.next() % 1_000_000
        var wheel = TimerWheel<Int>(now: now * millisecond)
        var model: [(tick: UInt64, payload: Int, id: TimerID)] = []
        for payload in 0..<2000 {
            switch random.next() % 4 {
            case 0, 1:
                let tick = now + 1 + random.next() % (1 << (random.next() % 20))
                model.append((tick, payload, wheel.schedule(at: tick * millisecond, payload)))
            case 2:
                guard let index = model.indices.randomElement(using: &random) else { continue }
                #expect(cancel(&wheel, model.remove(at: index).id))
            default:
                now += random.next() % (1 << (random.next() % 18))
                let expected = model.filter { $0.tick <= now }.sorted { ($0.tick, $0.payload) < ($1.tick, $1.payload) }
                model.removeAll { $0.tick <= now }
                #expect(due(&wheel, at: now * millisecond) == expected.map(\.payload))
            }
            #expect(wheel.count == model.count)
        }
    }
}

/// Random numbers that a seed repeats.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
