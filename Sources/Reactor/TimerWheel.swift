/// Names a scheduled timer. A timer that has fired or was cancelled leaves its id stale, and a stale id is refused.
public struct TimerID: Hashable, Sendable {
    let index: Int32
    let generation: UInt32
}

/// Deadlines in a hierarchical wheel of 1 ms ticks: scheduling and cancelling take constant time.
///
/// How it works: a tick number is read as eight digits of six bits. A timer lies at the level of the highest digit in
/// which it differs from the current tick, in the slot of that digit, so level 0 holds the ticks of the current 64 ms
/// one by one and each level above holds 64 times more time, more coarsely. When the current tick reaches the start of
/// a slot above level 0, its timers move down. All timers of a level are due before those of the level above, so the
/// first occupied slot of the lowest occupied level is next: two bit scans. Timers of one tick fire in the order in
/// which they were scheduled.
///
/// Invariant: no timer lies before the current tick, nor in a slot at or before the current digit above level 0.
struct TimerWheel<Payload> {
    static var nanosecondsPerTick: UInt64 { 1_000_000 }
    /// 48 bits of milliseconds: all that fits into 64 bits of nanoseconds.
    private static var levels: Int { 8 }

    private struct Timer {
        var tick: UInt64 = 0
        var generation: UInt32 = 0
        var previous: Int32 = -1
        /// The next in the slot, or the next free one.
        var next: Int32 = -1
        var payload: Payload?
    }

    private struct List {
        var first: Int32 = -1
        var last: Int32 = -1
    }

    private var current: UInt64
    private var timers: [Timer] = []
    private var firstFree: Int32 = -1
    private var lists: [List]
    /// One bit per slot that is not empty, per level.
    private var occupied: [UInt64]
    /// How many timers are scheduled.
    private(set) var count = 0

    init(now: UInt64) {
        current = now / Self.nanosecondsPerTick
        lists = Array(repeating: List(), count: Self.levels * 64)
        occupied = Array(repeating: 0, count: Self.levels)
    }

    /// When to look next: never late, and early only when timers have to move down a level.
    var nextDeadline: UInt64? {
        nextSlot.map { $0.tick * Self.nanosecondsPerTick }
    }

    /// Fires at the first tick at or after the deadline.
    mutating func schedule(at deadline: UInt64, _ payload: Payload) -> TimerID {
        let tick = deadline / Self.nanosecondsPerTick + (deadline % Self.nanosecondsPerTick == 0 ? 0 : 1)
        let index = takeFree()
        timers[Int(index)].tick = max(tick, current)
        timers[Int(index)].payload = payload
        append(index)
        count += 1
        return TimerID(index: index, generation: timers[Int(index)].generation)
    }

    /// Forgets the timer; returns false if it has fired or was cancelled already.
    @discardableResult
    mutating func cancel(_ id: TimerID) -> Bool {
        guard timers.indices.contains(Int(id.index)), timers[Int(id.index)].generation == id.generation else {
            return false
        }
        unlink(id.index)
        _ = free(id.index)
        return true
    }

    /// Moves the current tick on, and takes one timer that is due. Called until it returns `nil`, so a timer may
    /// still cancel those due after it.
    mutating func popDue(now: UInt64) -> Payload? {
        let target = now / Self.nanosecondsPerTick
        while let (level, slot, tick) = nextSlot, tick <= target {
            assert(tick >= current)
            if level == 0 {
                current = tick
                let index = lists[slot].first
                unlink(index)
                return free(index)
            }
            moveDown(level, slot, at: tick)
        }
        current = max(current, target)
        return nil
    }

    private var nextSlot: (level: Int, slot: Int, tick: UInt64)? {
        guard let level = occupied.firstIndex(where: { $0 != 0 }) else { return nil }
        let slot = occupied[level].trailingZeroBitCount
        let blockMask: UInt64 = (1 << UInt64(6 * level + 6)) - 1
        return (level, slot, (current & ~blockMask) | (UInt64(slot) << UInt64(6 * level)))
    }

    private func position(_ tick: UInt64) -> (level: Int, slot: Int) {
        let level = (63 - ((tick ^ current) | 1).leadingZeroBitCount) / 6
        return (level, Int(tick >> UInt64(6 * level)) & 63)
    }
}

// MARK: - The lists

extension TimerWheel {
    private mutating func takeFree() -> Int32 {
        guard firstFree >= 0 else {
            timers.append(Timer())
            return Int32(timers.count - 1)
        }
        defer { firstFree = timers[Int(firstFree)].next }
        return firstFree
    }

    private mutating func free(_ index: Int32) -> Payload? {
        let payload = timers[Int(index)].payload
        timers[Int(index)].payload = nil
        timers[Int(index)].generation &+= 1
        timers[Int(index)].next = firstFree
        firstFree = index
        count -= 1
        return payload
    }

    private mutating func append(_ index: Int32) {
        let (level, slot) = position(timers[Int(index)].tick)
        let last = lists[level * 64 + slot].last
        timers[Int(index)].previous = last
        timers[Int(index)].next = -1
        if last >= 0 {
            timers[Int(last)].next = index
        } else {
            lists[level * 64 + slot].first = index
        }
        lists[level * 64 + slot].last = index
        occupied[level] |= 1 << UInt64(slot)
    }

    private mutating func unlink(_ index: Int32) {
        let (level, slot) = position(timers[Int(index)].tick)
        let (previous, next) = (timers[Int(index)].previous, timers[Int(index)].next)
        if previous >= 0 {
            timers[Int(previous)].next = next
        } else {
            lists[level * 64 + slot].first = next
        }
        if next >= 0 {
            timers[Int(next)].previous = previous
        } else {
            lists[level * 64 + slot].last = previous
        }
        if lists[level * 64 + slot].first < 0 { occupied[level] &= ~(1 << UInt64(slot)) }
    }

    /// Moves a whole slot at once: a timer's place follows from the current tick, so none may stay behind.
    private mutating func moveDown(_ level: Int, _ slot: Int, at tick: UInt64) {
        var index = lists[level * 64 + slot].first
        lists[level * 64 + slot] = List()
        occupied[level] &= ~(1 << UInt64(slot))
        current = tick
        while index >= 0 {
            let next = timers[Int(index)].next
            append(index)
            index = next
        }
    }
}
