/// What is to happen at which time; the earliest comes out first, and of equal times the one that was added first.
struct TimerHeap {
    private struct Entry {
        let time: UInt64
        let number: UInt64
        let action: () -> Void

        func isBefore(_ other: Entry) -> Bool { (time, number) < (other.time, other.number) }
    }

    private var entries: [Entry] = []
    private var added: UInt64 = 0

    var nextTime: UInt64? { entries.first?.time }

    mutating func add(at time: UInt64, _ action: @escaping () -> Void) {
        added += 1
        entries.append(Entry(time: time, number: added, action: action))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].isBefore(entries[parent]) else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes out the earliest action that is due.
    mutating func popDue(_ now: UInt64) -> (() -> Void)? {
        guard let first = entries.first, first.time <= now else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < entries.count else { return first.action }
            let right = left + 1
            let least = right < entries.count && entries[right].isBefore(entries[left]) ? right : left
            guard entries[least].isBefore(entries[parent]) else { return first.action }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
