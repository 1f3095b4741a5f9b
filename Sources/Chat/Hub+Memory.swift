import ChatProtocol

// A room leaves memory when nobody has used it for five minutes, or earlier, least recently used first, when all logs
// and histories together take more than their total. A room in use is never let go.
extension Hub {
    /// How long a room that nobody uses keeps its log for those who come back.
    static let idleRoomNanoseconds: UInt64 = 5 * 60 * 1_000_000_000
    private static let sweepNanoseconds: UInt64 = 1_000_000_000

    /// Starts the sweep; the shell calls it once.
    public func start(now: Now) {
        effects.append(.timer(.sweep, at: now.instant + Self.sweepNanoseconds))
    }

    /// This loop's share of the node's memory for logs and histories.
    private var memoryBytesMax: Int { configuration.limits.memoryBytesMax / configuration.loops }

    func sweep() {
        var passed = 0
        for (room, since) in idleRooms {
            guard let idleSince = room.idleSince else {
                room.isQueuedIdle = false
                passed += 1
                continue
            }
            guard now.instant >= since + Self.idleRoomNanoseconds || memoryBytes > memoryBytesMax else { break }
            passed += 1
            if idleSince == since || memoryBytes > memoryBytesMax {
                forget(room)
            } else {
                idleRooms.append((room, idleSince))
            }
        }
        idleRooms.removeFirst(passed)
        effects.append(.timer(.sweep, at: now.instant + Self.sweepNanoseconds))
    }
}
