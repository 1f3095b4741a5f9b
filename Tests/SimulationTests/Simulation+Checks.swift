import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

// What must be true when everything has come to rest, and in the midst of a history when nothing waits.
extension Simulation {
    /// A log keeps to its bytes; one that took over what it lacked may hold twice as much until its next entry.
    func checkLogs() {
        for hub in hubs {
            for log in hub.replicas.values.map(\.log) where log.entries.count > 2 {
                let sizes = log.entries.map { $0.frame?.count ?? 0 }
                let bytes = sizes.reduce(0, +)
                check(
                    bytes <= 2 * scenario.limits.logTailBytesMax + (sizes.max() ?? 0),
                    "the log of \(log.roomID) holds \(bytes) bytes")
            }
        }
    }

    /// What an agent said is on disk a little later.
    func checkCheckpoints() {
        let said = hubs.flatMap { $0.rooms.values.flatMap(\.turns) }.filter { $0.phase == .streaming }
            .map { (turn: $0, count: oracle.said[$0.streamID.text]?.count ?? 0) }
        // Tokens wait for the end of a window first.
        advance(by: 300_000_000 + UInt64(scenario.limits.coalesceMillisecondsMax) * 1_000_000)
        drain()
        for (turn, count) in said where turn.phase == .streaming && disk.health == .fine {
            let stored = disk.store.partials[turn.exchangeID]?.text.count ?? 0
            check(stored >= count, "\(turn.streamID) has said \(count) bytes, stored are \(stored)")
        }
    }

    // MARK: - At the end

    func checkEverything() {
        checkNothingRuns()
        checkClients()
        checkMessages()
        checkOrder()
        checkPresence()
        checkEventStreams()
    }

    private func checkNothingRuns() {
        check(gauges.streamCount == 0, "\(gauges.streamCount) places of streams are taken")
        check(webRequests.isEmpty, "HTTP requests without an answer: \(webRequests.values.sorted())")
        for hub in hubs {
            check(hub.activeStreams == 0, "loop \(hub.index) runs \(hub.activeStreams) streams")
            for user in hub.users.values where user.permitsTaken > 0 {
                fail("\(user.id) holds \(user.permitsTaken) permits")
            }
            for room in hub.rooms.values.sorted(by: { $0.id.text < $1.id.text }) {
                if case .live = room.phase {} else { fail("\(room.id) is \(room.phase)") }
                check(room.uncommitted.isEmpty && room.edits.isEmpty, "\(room.id) waits for commits")
                check(room.turns.isEmpty, "\(room.id) has turns")
            }
            check(
                hub.memoryBytes == hub.rooms.values.reduce(0) { $0 + $1.accountedBytes },
                "loop \(hub.index) counts \(hub.memoryBytes) bytes")
        }
        check(
            gauges.sessionCount == hubs.reduce(0) { $0 + $1.sessionRooms.count - $1.rooms.count },
            "\(gauges.sessionCount) sessions are counted")
        for row in disk.store.exchanges { check(row.status.isTerminal, "\(row.exchangeID) is \(row.status) on disk") }
    }

    private func checkClients() {
        for device in devices where device.link != nil {
            for (room, view) in device.views.sorted(by: { $0.key < $1.key }) where view.isJoined && !view.isDeleted {
                checkView(view, of: room, device)
            }
        }
    }

    /// A client holds what is on disk: the newest exchanges, their messages, their texts.
    private func checkView(_ view: RoomView, of room: String, _ device: Device) {
        let rows = disk.store.exchanges(of: RoomID(room))
        let ids = Set(view.exchanges.map(\.id))
        let held = rows.filter { ids.contains($0.exchangeID.text) }
        // What ran when the room was joined may be older than where the history is cut.
        let history = Set(view.exchanges.filter(\.isOfHistory).map(\.id))
        let first = view.isCut ? rows.firstIndex { history.contains($0.exchangeID.text) } ?? rows.count : 0
        check(
            held.count == ids.count && rows[first...].allSatisfy { ids.contains($0.exchangeID.text) },
            "\(device.name) holds \(view.exchanges.map(\.id)) of \(room), stored are \(rows.map(\.exchangeID.text))")
        for exchange in view.exchanges {
            guard let row = held.first(where: { $0.exchangeID.text == exchange.id }) else { continue }
            check(
                row.messages.map(\.text) == exchange.messages,
                "\(device.name) holds the messages \(exchange.messages) of \(exchange.id)")
            guard row.agentType != "" else { continue }
            check(
                Array(row.text.utf8) == exchange.text && Array((row.reasoning ?? "").utf8) == exchange.reasoning,
                "\(device.name) holds another text of \(exchange.id) than is stored")
            check(row.events.count == exchange.eventCount, "\(device.name) holds \(exchange.eventCount) events")
            check(exchange.status == row.status.rawValue, "\(device.name) holds \(exchange.id) as \(exchange.status)")
        }
    }

    /// What was acknowledged is there once, what was refused is not.
    private func checkMessages() {
        var counts: [String: Int] = [:]
        for row in disk.store.exchanges { for message in row.messages { counts[message.text, default: 0] += 1 } }
        for send in devices.filter({ $0.link != nil }).flatMap(\.sends) where send.isOpen {
            fail("'\(send.text)' was sent \(send.transmissions) times and never answered")
        }
        for send in sends {
            let count = counts[send.text] ?? 0
            check(count <= 1, "'\(send.text)' is stored \(count) times")
            let row = oracle.rows[send.text]
            if send.exchange != nil {
                check(
                    count == 1 || row?.exchangeIDs.allSatisfy(oracle.removed.contains) == true,
                    "'\(send.text)' was acknowledged and is gone")
            }
            if send.wasMissed, send.acks > 0, send.transmissions == 1, oracle.clearings == 0,
                !deletionsAsked.contains(send.room)
            {
                fail("'\(send.text)' was stored, and a cancel behind it did not find it")
            }
            if send.refusal != nil, send.transmissions == 1 {
                check(row == nil, "'\(send.text)' was refused with \(send.refusal ?? "") and is stored")
            }
        }
    }

    /// Messages that one link sent to one session were stored in their order.
    private func checkOrder() {
        for (place, sends) in ordered.sorted(by: { $0.key < $1.key }) {
            var last = -1
            for send in sends where send.transmissions == 1 && send.acks == 1 {
                guard let order = oracle.messageOrder[send.text] else { continue }
                check(order > last, "'\(send.text)' was stored before what was sent before it, \(place)")
                last = order
            }
        }
    }

    /// Everyone knows who is here, who has read what, and nobody writes any more.
    private func checkPresence() {
        for device in devices where device.link != nil {
            for (room, view) in device.views.sorted(by: { $0.key < $1.key }) where view.isJoined && !view.isDeleted {
                let here = devices.filter { $0.link != nil && $0.views[room]?.isJoined == true }.map(\.user)
                let shown = device.presences[room] ?? []
                check(
                    Set(here) == Set(shown), "\(device.name) sees \(shown) in \(room), where \(Set(here).sorted()) are")
                check(device.writers[room] ?? [] == [], "\(device.name) sees \(device.writers[room] ?? []) write")
                let marks = disk.store.marks(of: RoomID(room)).map { ($0.userID.text, $0.exchangeID.text) }
                let told = device.marks[room] ?? [:]
                check(
                    told == Dictionary(uniqueKeysWithValues: marks),
                    "\(device.name) knows \(told) as read in \(room), stored are \(marks)")
            }
        }
    }

    private func checkEventStreams() {
        for reader in readers where reader.isOpen {
            check(
                reader.connection.isOver || reader.answer != nil,
                "the event stream \(reader.ref.text) of \(reader.session) hangs")
        }
    }

    /// Everyone goes; after a while nothing is left in memory.
    func leaveAll() {
        for link in openLinks { notice(link) }
        for reader in readers where reader.isOpen { leave(reader) }
        drain()
        advance(by: 7 * 60_000_000_000)
        drain()
        for hub in hubs {
            let left = "\(hub.rooms.count) rooms, \(hub.replicas.count) replicas, \(hub.users.count) users"
            check(
                hub.rooms.isEmpty && hub.replicas.isEmpty && hub.users.isEmpty && hub.connections.isEmpty
                    && hub.sessionRooms.isEmpty && hub.streams.isEmpty && hub.idleRooms.isEmpty
                    && hub.memoryBytes == 0,
                "loop \(hub.index) keeps \(left), \(hub.memoryBytes) bytes for nobody")
        }
        check(gauges.heldBytes == 0, "\(gauges.heldBytes) bytes of snapshots are held for nobody")
        check(gauges.sessionCount == 0, "\(gauges.sessionCount) sessions are counted for nobody")
    }
}
