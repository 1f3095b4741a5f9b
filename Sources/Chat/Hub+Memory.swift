import ChatProtocol

// A room leaves memory when nobody has used it for five minutes, or earlier, least recently used first, when all that
// rooms keep takes more than its total. A room in use is never let go.
extension Hub {
    /// How long a room that nobody uses keeps its log for those who come back.
    static let idleRoomNanoseconds: UInt64 = 5 * 60 * 1_000_000_000
    private static let sweepNanoseconds: UInt64 = 1_000_000_000

    /// Starts the sweep; the shell calls it once.
    public func start(now: Now) {
        effects.append(.timer(.sweep, at: now.instant + Self.sweepNanoseconds))
    }

    /// Whether this loop's rooms take more than their share, with this loop's share of what sockets have not read.
    var isShortOfMemory: Bool {
        memoryBytes + gauges.heldBytes / configuration.loops > configuration.limits.memoryBytesMax / configuration.loops
    }

    func sweep() {
        forgetIdleRooms()
        effects.append(.timer(.sweep, at: now.instant + Self.sweepNanoseconds))
    }

    /// Lets go of rooms that were idle for long enough, and while memory is short of the others too, from the one that
    /// nobody has used for the longest time.
    func forgetIdleRooms() {
        while let (room, since) = idleRooms.first {
            guard let idleSince = room.idleSince else {
                room.isQueuedIdle = false
                idleRooms.removeFirst()
                continue
            }
            guard now.instant >= since + Self.idleRoomNanoseconds || isShortOfMemory else { return }
            idleRooms.removeFirst()
            if idleSince == since || isShortOfMemory {
                forget(room)
            } else {
                idleRooms.append(room, since: idleSince)
            }
        }
    }
}

/// Rooms that nobody uses, with the time since when; the longest unused first.
struct IdleRooms {
    private var rooms: [(room: Room, since: UInt64)?] = []
    /// Entries before it were taken; they go when they are half of all.
    private var start = 0

    var first: (room: Room, since: UInt64)? { start < rooms.count ? rooms[start] : nil }

    var isEmpty: Bool { start == rooms.count }

    mutating func append(_ room: Room, since: UInt64) { rooms.append((room, since)) }

    mutating func removeFirst() {
        rooms[start] = nil
        start += 1
        guard start * 2 > rooms.count else { return }
        rooms.removeFirst(start)
        start = 0
    }
}
