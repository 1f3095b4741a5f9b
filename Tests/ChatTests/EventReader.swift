import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// A browser's side of one event stream: it reads as fast as its budget allows and checks what it reads.
final class EventReader {
    struct Event {
        let position: LogPosition?
        let data: JSONObject
        var named: String?
    }

    unowned let world: HubWorld
    let loop: Int
    let session: String
    let ref: ConnectionRef
    var connection: Connection?
    var budget = Int.max
    var answer: Result<Ack, HubError>?
    private(set) var hasBegun = false
    private(set) var events: [Event] = []
    private(set) var comments = 0
    /// What the client shows: what it had when it came back, and all since.
    private(set) var text: String
    private let earlierText: String
    private(set) var stream: String
    /// The last event's place, as `EventSource` keeps it.
    private(set) var position: LogPosition?
    /// The stream that the last `id` names beside the position.
    private(set) var named: String?

    private var received = ServerEvents()
    private var plan = WritePlan()

    /// - Parameter before: what the same HTTP connection asked last.
    init(
        world: HubWorld, loop: Int, session: String, from earlier: (EventReader, Event?)?, before: ConnectionRef? = nil
    ) {
        self.world = world
        self.loop = loop
        self.session = session
        ref = before.map(\.nextQuestion) ?? world.nextRef(loop)
        stream = earlier?.0.stream ?? ""
        earlierText = earlier.map { $0.0.text(through: $0.1) } ?? ""
        text = earlierText
        position = earlier.flatMap { $0.1?.position ?? $0.0.position }
        named = earlier.flatMap { $0.1 == nil ? $0.0.named : $0.1?.named }
    }

    var status: String { events.last?.data.text("status") ?? "" }
    var errorCode: String { events.last?.data.text("error_code") ?? "" }
    var hasEnded: Bool { !events.isEmpty && status != "streaming" }
    /// It ended before the answer did.
    var isLost: Bool { errorCode == "POSITION_LOST" || errorCode == "ACCESS_DENIED" }
    var isEmpty: Bool { answer == .success(.empty) }

    /// The text up to one of its events, or all of it.
    private func text(through event: Event?) -> String {
        guard let position = event?.position else { return text }
        return earlierText
            + events.filter { ($0.position?.seq ?? 0) <= position.seq }.map { $0.data.text("content") }.joined()
    }

    func begin() {
        check(!hasBegun, "a second head")
        hasBegun = true
    }

    func pump() {
        guard let connection, budget > 0 else { return }
        repeat {
            world.hubs[loop].plan(for: connection, into: &plan)
            let count = min(budget, plan.bytes)
            let bytes = plan.bytes(count)
            world.hubs[loop].wrote(count, of: plan, to: connection)
            for block in received.take(bytes) { take(block) }
            if budget != .max { budget -= count }
            guard count == plan.bytes else { break }
        } while plan.hasMore
    }

    /// The socket takes so many bytes more.
    func read(_ bytes: Int, running: Bool = true) {
        budget = bytes
        pump()
        world.finishTurn(loop)
        if running { world.run() }
    }

    private func check(_ condition: Bool, _ fault: @autoclosure () -> String) {
        if !condition { world.violations.append("an event stream on loop \(loop): \(fault())") }
    }

    private func take(_ block: ServerEvents.Block) {
        check(hasBegun, "an event before the head")
        check(!hasEnded, "something behind the last event: \(block.text.prefix(80))")
        check(block.strangeLine == nil, "a line that is no event's: \(block.strangeLine?.prefix(80) ?? "")")
        let (place, name) = (block.place, block.name)
        if block.isComment {
            comments += 1
            check((place == nil) == (name == nil) && block.data == nil, "a comment with more than a name")
            (position, named) = (place ?? position, name ?? named)
            return
        }
        named = name
        guard let data = block.data else { return check(false, "no data: \(block.text.prefix(80))") }
        check((name == "ended") == (data.text("status") != "streaming"), "an event's id names \(name ?? "nothing")")
        take(Event(position: place, data: data, named: name))
    }

    private func take(_ event: Event) {
        // An answer that ends before its turn has a last event only.
        let neverBegan = comments > 0 && event.data.text("status") != "streaming"
        if events.isEmpty, stream.isEmpty, event.data["error_code"] == nil, !neverBegan {
            check(event.data["stream_id"] != nil, "the first event names nothing")
            stream = event.data.text("stream_id")
        }
        if let old = position, let new = event.position, event.data.text("error_code") != "POSITION_LOST" {
            check(old.epoch != new.epoch || old.seq <= new.seq, "\(new.seq) behind \(old.seq)")
        }
        check(event.position != nil, "an event without a place")
        text += event.data.text("content")
        events.append(event)
        position = event.position ?? position
    }
}

extension ConnectionRef {
    /// What the same HTTP connection asks next.
    fileprivate var nextQuestion: ConnectionRef {
        ConnectionRef(loop: loop, descriptor: descriptor, generation: generation, question: question + 1)
    }
}

extension HubWorld {
    func reader(_ ref: ConnectionRef) -> EventReader? { readers.last { $0.ref == ref } }

    /// Reads a session's answer as an HTTP request does.
    ///
    /// - Parameter earlier: a reader to go on from, behind one of its events or behind all of them.
    @discardableResult
    func watch(
        _ session: String, stream: String? = nil, user: String = "ann", loop: Int = 0,
        after earlier: (EventReader, EventReader.Event?)? = nil, before: ConnectionRef? = nil, budget: Int = .max,
        running: Bool = true
    ) -> EventReader {
        let reader = EventReader(world: self, loop: loop, session: session, from: earlier, before: before)
        reader.budget = budget
        readers.append(reader)
        let request = WatchRequest(
            sessionID: SessionID(session), streamID: (stream ?? reader.named).map { StreamID($0) },
            after: reader.position)
        reader.connection = hubs[loop].watch(request, user: UserID(user), from: reader.ref, now: now)
        finishTurn(loop)
        if running { run() }
        return reader
    }

    /// The client's connection is gone.
    func endWatching(_ reader: EventReader) {
        guard let connection = reader.connection else { return }
        hubs[reader.loop].closed(connection, now: now)
        reader.connection = nil
        finishTurn(reader.loop)
    }

    /// Nobody reads any more: no cursor, no replica but the homes' is left.
    func expectNoReaderLeft(sourceLocation: SourceLocation = #_sourceLocation) {
        run()
        for hub in hubs {
            #expect(hub.connections.isEmpty, sourceLocation: sourceLocation)
            #expect(
                hub.replicas.values.allSatisfy { $0.isHome && $0.subscribers.isEmpty }, sourceLocation: sourceLocation)
            #expect(hub.rooms.values.allSatisfy { $0.links.isEmpty }, sourceLocation: sourceLocation)
        }
    }
}
