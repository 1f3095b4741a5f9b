// Coalescing: under load, what an agent says waits for the end of a window, and leaves as one chunk.
//
// All streams of a loop share its windows, so many rooms leave in one burst, and one timer serves them all. A token
// that only waits touches nothing but its own turn.
extension Hub {
    /// Nothing up to 10,000 deliveries a second on the busiest loop, then rising to the cap at 50,000, which is half of
    /// what a core can do in small rooms. In whole milliseconds, the resolution of timers.
    private var windowNanoseconds: UInt64 {
        let light = 10_000
        let heavy = 50_000
        let load = min(max(gauges.deliveriesPerSecond - light, 0), heavy - light)
        return UInt64(configuration.limits.coalesceMillisecondsMax * load / (heavy - light)) * 1_000_000
    }

    /// Holds a turn back until the window ends, unless there is none at this load.
    func holdBack(_ turn: Turn, of room: Room) -> Bool {
        if turn.isHeldBack { return true }
        let window = windowNanoseconds
        guard window > 0 else { return false }
        if heldBack.isEmpty { effects.append(.timer(.window, at: (now.instant / window + 1) * window)) }
        turn.isHeldBack = true
        heldBack.append((room, turn))
        return true
    }

    /// The window has ended: what waited is appended at once, so that a token of the same instant waits for the next.
    func endWindow() {
        for (room, turn) in heldBack {
            turn.isHeldBack = false
            room.flushPending(turn)
            touch(room)
        }
        heldBack.removeAll(keepingCapacity: true)
    }
}
