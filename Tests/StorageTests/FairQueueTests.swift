import Testing

@testable import Storage

@Suite struct FairQueueTests {
    private func queue(_ items: [(String, Int)]) -> FairQueue<String, Int> {
        var queue = FairQueue<String, Int>()
        for (owner, item) in items { queue.append(item, of: owner) }
        return queue
    }

    @Test func oneOwnersItemsKeepTheirOrder() {
        var queue = queue((1...5).map { ("a", $0) })
        var taken: [Int] = []
        while let item = queue.next() {
            taken.append(item)
            queue.ended(of: "a", after: 10)
        }
        #expect(taken == [1, 2, 3, 4, 5])
    }

    @Test func ownersWithTheSameCostsTakeTurns() {
        var queue = queue((0..<3).flatMap { round in (0..<3).map { ("\($0)", 10 * round + $0) } })
        let taken = (0..<9).map { _ in
            let item = queue.next()!
            queue.ended(of: "\(item % 10)", after: 7)
            return item
        }
        #expect(taken == [0, 1, 2, 10, 11, 12, 20, 21, 22])
        #expect(queue.next() == nil)
    }

    /// Sixteen who ask for costly things one after the other, and one who asks for little each time.
    @Test func whoAsksForLittleWaitsForHardlyAnyoneElse() {
        var queue = queue((0..<16).map { ("\($0)", $0) })
        var waits: [Int] = []
        let small = 100
        for _ in 0..<400 {
            var item = queue.next()!
            queue.append(small, of: "small")
            waits.append(0)
            while item != small {
                // No two sums are the same, as with a clock: of two that are, the first that came goes first.
                queue.ended(of: "\(item)", after: 40_000_000 + UInt64(item) * 1_234_567)
                queue.append(item, of: "\(item)")
                item = queue.next()!
                if item != small { waits[waits.count - 1] += 1 }
            }
            queue.ended(of: "small", after: 100_000)
        }
        // Beside the one that is in hand when it asks. At the start all have the same account.
        let settled = waits.dropFirst(16)
        #expect(settled.max()! <= 1)
        #expect(settled.reduce(0, +) * 20 < settled.count, "one time in twenty")
    }

    @Test func restIsNotSavedUp() {
        var queue = queue([("busy", 1)])
        _ = queue.next()
        for _ in 0..<10 {
            queue.ended(of: "busy", after: 1_000)
            queue.append(1, of: "busy")
            _ = queue.next()
        }
        queue.ended(of: "busy", after: 1_000)
        for item in 10..<14 { queue.append(item, of: "rested") }
        for _ in 0..<2 { queue.append(1, of: "busy") }
        let taken = (0..<6).map { _ in
            let item = queue.next()!
            queue.ended(of: item == 1 ? "busy" : "rested", after: 1_000)
            return item
        }
        #expect(taken == [10, 1, 11, 1, 12, 13])
    }

    @Test func whatEndsWhileOthersOfTheOwnerWaitCounts() {
        var queue = queue([("a", 1), ("a", 2), ("b", 3), ("b", 4)])
        #expect(queue.next() == 1)
        queue.ended(of: "a", after: 1_000)
        #expect(queue.next() == 3)
        queue.ended(of: "b", after: 10)
        #expect(queue.next() == 4)
        #expect(queue.next() == 2)
    }

    @Test func accountsThatSayNothingAreClosed() {
        var queue = FairQueue<Int, Int>()
        for owner in 0..<10_000 {
            queue.append(owner, of: owner)
            #expect(queue.next() == owner)
            queue.ended(of: owner, after: 0)
        }
        #expect(queue.accountCount <= FairQueue<Int, Int>.accountsMin + 1)
    }

    @Test func theFrontOfAFifoIsTakenInOrderHoweverItGrows() {
        var fifo = Fifo<Int>()
        var next = 0
        var taken = 0
        for step in 0..<1_000 {
            for _ in 0..<step % 7 {
                fifo.append(next)
                next += 1
            }
            for _ in 0..<step % 5 where !fifo.isEmpty {
                #expect(fifo.first == taken)
                #expect(fifo.takeFirst() == taken)
                taken += 1
            }
        }
        while let item = fifo.takeFirst() {
            #expect(item == taken)
            taken += 1
        }
        #expect(taken == next && fifo.isEmpty && fifo.first == nil)
    }
}
