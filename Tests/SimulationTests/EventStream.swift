import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

/// A browser's `EventSource` on one answer, with the network below it.
final class EventStream {
    unowned let world: Simulation
    let ref: ConnectionRef
    let loop: Int
    let session: String
    var connection: Connection!
    /// The hub has not closed it, nor has it gone away.
    var isOpen = true
    var isLazy = false
    var isBlocked = false
    var capacity = 1_000_000
    var answer: Result<Ack, HubError>?
    private(set) var hasBegun = false
    private(set) var stream = ""
    /// What the reader shows, also from before it came back.
    private(set) var text: [UInt8] = []
    /// The last event's place, as `EventSource` keeps it.
    private(set) var position: LogPosition?
    /// The stream that the last `id` names beside the position.
    private(set) var named: String?
    /// Of the last event; empty before it.
    private(set) var end = ""
    private(set) var errorCode = ""
    /// What it had when it asked.
    private let cameBack: Bool
    private var unread: [UInt8] = []
    private var received = ServerEvents()

    init(world: Simulation, loop: Int, session: String, from earlier: EventStream?) {
        self.world = world
        self.loop = loop
        self.session = session
        ref = world.nextRef(loop)
        cameBack = earlier?.position != nil
        if let earlier, cameBack {
            stream = earlier.stream
            text = earlier.text
            position = earlier.position
            named = earlier.named
        }
    }

    var hasUnread: Bool { !unread.isEmpty }
    var space: Int { max(0, capacity - unread.count) }
    var isWritable: Bool { isBlocked && space > 0 }
    var hasEnded: Bool { !end.isEmpty }
    var isLost: Bool { errorCode == "POSITION_LOST" }
    private var name: String { "the event stream \(ref.text) of \(stream)" }

    private func check(_ condition: Bool, _ fault: @autoclosure () -> String) {
        if !condition { world.fail("\(name): \(fault())") }
    }

    func begin() {
        check(!hasBegun, "a second head")
        hasBegun = true
    }

    // MARK: - Bytes

    func take(_ count: Int, of plan: WritePlan) {
        unread += plan.bytes(count)
        check(count == 0 || hasBegun, "bytes before the head")
    }

    func read(_ count: Int) {
        let blocks = received.take(unread.prefix(count))
        unread.removeFirst(min(count, unread.count))
        for block in blocks { take(block) }
    }

    // MARK: - Events

    private func take(_ block: ServerEvents.Block) {
        world.note("\(name) gets \(block.text.prefix(160))")
        check(!hasEnded, "something behind the last event")
        if block.isComment {
            (position, named) = (block.place ?? position, block.name ?? named)
            return
        }
        guard let data = block.data, let place = block.place else {
            return check(false, "an event without data or place")
        }
        named = block.name
        event(data, place)
    }

    private func event(_ data: JSONObject, _ place: LogPosition) {
        errorCode = data.text("error_code")
        if data["stream_id"] != nil {
            check(stream.isEmpty || stream == data.text("stream_id"), "another stream, \(data.text("stream_id"))")
            stream = data.text("stream_id")
        }
        if let position, position.epoch == place.epoch, !isLost {
            check(position.seq <= place.seq, "\(place.seq) behind \(position.seq)")
        }
        position = place
        let status = data.text("status")
        if status != "streaming" { end = status }
        text += data.bytes("content")
        check(!stream.isEmpty || text.isEmpty, "text of a stream that was not named")
        if !stream.isEmpty {
            check((world.oracle.said[stream] ?? []).starts(with: text), "not what its agent said")
        }
        if hasEnded, !isLost { checkEnd() }
    }

    /// What was shown as ended is what is stored.
    private func checkEnd() {
        guard !stream.isEmpty, let exchange = world.oracle.exchange(ofStream: stream),
            errorCode != "STORAGE_UNAVAILABLE"
        else { return }
        guard let outcome = world.oracle.outcomes[exchange] else { return check(false, "ended and not stored so") }
        check(outcome.text == text, "ends with \(text.count) bytes, stored are \(outcome.text.count)")
    }
}

// Event streams: they are asked for, break off and come back.
extension Simulation {
    func performOnEventStreams(_ kind: Step.Kind) {
        guard !gauges.isDraining else { return }
        switch kind {
        case .watch:
            guard readers.count(where: \.isOpen) < 6 else { return }
            let room = anyRoom()
            let stream = dice.chance(1, in: 2) ? dice.pick(agents.suffix(6))?.turn : nil
            watch(stream?.sessionID.text ?? anySession(of: room), stream: stream?.streamID.text, from: nil)
        case .comeBack:
            guard let reader = dice.pick(readers.suffix(8).filter { $0.position != nil }) else { return }
            if reader.isOpen { leave(reader) }
            watch(reader.session, stream: reader.named, from: reader)
        default: if let reader = dice.pick(readers.filter(\.isOpen)) { leave(reader) }
        }
    }

    private func watch(_ session: String, stream: String?, from earlier: EventStream?) {
        let reader = EventStream(world: self, loop: dice.below(loops), session: session, from: earlier)
        reader.isLazy = !scenario.clientsAreFast && dice.chance(1, in: 4)
        reader.capacity = scenario.clientsAreFast ? 1_000_000 : [200, 1_000, 1_000_000][dice.below(3)]
        readers.append(reader)
        eventStreams[reader.ref] = reader
        let request = WatchRequest(
            sessionID: SessionID(session), streamID: stream.map { StreamID($0) }, after: reader.position)
        note(
            "event stream \(reader.ref.text) of \(session), \(stream ?? "any"), asks from \(reader.position?.seq ?? 0)"
        )
        onLoop(reader.loop) { hub in
            reader.connection = hub.watch(request, user: UserID("ann"), from: reader.ref, now: now)
        }
    }

    func leave(_ reader: EventStream) {
        guard reader.isOpen else { return }
        note("the event stream \(reader.ref.text) is gone")
        reader.isOpen = false
        eventStreams[reader.ref] = nil
        onLoop(reader.loop) { $0.closed(reader.connection, now: now) }
    }

    func read(_ reader: EventStream, _ count: Int) { reader.read(count) }

    func writable(_ reader: EventStream) {
        reader.isBlocked = false
        // The shell is not told of room for an event stream; it flushes what the hub has for it at its next turn.
        onLoop(reader.loop) { $0.markWritable(reader.connection) }
    }

    func flush(_ reader: EventStream) {
        guard !reader.isBlocked else { return }
        let hub = hubs[reader.loop]
        hub.plan(for: reader.connection, into: &plan)
        var count = min(plan.bytes, reader.space)
        if plan.bytes > 0, !isSettling, dice.chance(1, in: 12) { count = dice.below(count + 1) }
        reader.take(count, of: plan)
        hub.wrote(count, of: plan, to: reader.connection)
        if count < plan.bytes {
            reader.isBlocked = true
        } else if plan.hasMore {
            hub.markWritable(reader.connection)
        }
    }
}
