import ChatProtocol

/// The sessions of a room that are in memory, with their turns. What a token costs must not depend on how many there
/// are, so nothing here walks over all of them: they are found by id, and by the time at which one has to be looked at.
///
/// Invariant: `places` has the place of each session, and `turns` are those of all sessions.
struct SessionTable {
    private var sessions: [Session] = []
    private var places: [SessionID: Int] = [:]
    /// Turns that have not ended, in the order in which they were opened.
    private(set) var turns: [Turn] = []
    /// What the sessions take of the room's memory.
    private(set) var bytes = 0
    private var deadlines = DeadlineHeap<SessionID>()
    /// Sessions that have changed since they were last looked at.
    private var changed: Set<SessionID> = []

    var indices: Range<Int> { sessions.indices }
    var count: Int { sessions.count }

    /// Changing a session has it looked at in `next(due:)`.
    subscript(index: Int) -> Session {
        get { sessions[index] }
        _modify {
            yield &sessions[index]
            changed.insert(sessions[index].id)
        }
    }

    func index(of id: SessionID) -> Int? { places[id] }

    mutating func append(_ session: Session) {
        assert(places[session.id] == nil && session.turns.isEmpty)
        places[session.id] = sessions.count
        sessions.append(session)
        changed.insert(session.id)
    }

    /// Takes out a session without turns; the last one takes its place.
    mutating func remove(at index: Int) -> Session {
        let last = sessions.removeLast()
        let removed = index == sessions.count ? last : sessions[index]
        assert(removed.turns.isEmpty)
        bytes -= removed.countedBytes
        places[removed.id] = nil
        if index < sessions.count {
            sessions[index] = last
            places[last.id] = index
        }
        return removed
    }

    mutating func open(_ turn: Turn, in index: Int) {
        self[index].turns.append(turn)
        turns.append(turn)
    }

    mutating func end(_ turn: Turn, in index: Int) {
        self[index].turns.removeAll { $0 === turn }
        turns.removeAll { $0 === turn }
    }

    // MARK: - Time

    /// Names the sessions that are to be looked at: those that have changed, and those whose time has come.
    mutating func takeDue(at instant: UInt64) -> [SessionID] {
        while let due = deadlines.popDue(at: instant) {
            if let index = places[due.key], sessions[index].lookAt == due.at {
                sessions[index].lookAt = nil
                changed.insert(due.key)
            }
        }
        guard !changed.isEmpty else { return [] }
        defer { changed.removeAll(keepingCapacity: true) }
        for id in changed { if let index = places[id] { count(index) } }
        return changed.sorted { $0.text < $1.text }
    }

    private mutating func count(_ index: Int) {
        bytes += sessions[index].bytes - sessions[index].countedBytes
        sessions[index].countedBytes = sessions[index].bytes
    }

    /// A session has to be looked at then, if not before.
    mutating func look(at index: Int, when instant: UInt64) {
        if let known = sessions[index].lookAt, known <= instant { return }
        sessions[index].lookAt = instant
        deadlines.push(sessions[index].id, at: instant)
    }

    /// When the next session has to be looked at.
    var nextDeadline: UInt64? { deadlines.first }
}

/// Keys by the times at which they are due, the earliest first. A key may stand here more than once: whoever takes one
/// out knows whether it still counts.
struct DeadlineHeap<Key> {
    private var entries: [(at: UInt64, key: Key)] = []

    /// The earliest time.
    var first: UInt64? { entries.first?.at }

    mutating func push(_ key: Key, at instant: UInt64) {
        entries.append((instant, key))
        var place = entries.count - 1
        while place > 0, entries[(place - 1) / 2].at > entries[place].at {
            entries.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    /// Takes out the earliest key, if its time has come.
    mutating func popDue(at now: UInt64) -> (at: UInt64, key: Key)? {
        guard let earliest = entries.first, earliest.at <= now else { return nil }
        let last = entries.removeLast()
        guard !entries.isEmpty else { return earliest }
        entries[0] = last
        var place = 0
        while true {
            let children = (2 * place + 1..<2 * place + 3).prefix { $0 < entries.count }
            guard let child = children.min(by: { entries[$0].at < entries[$1].at }),
                entries[child].at < entries[place].at
            else { return earliest }
            entries.swapAt(place, child)
            place = child
        }
    }
}
