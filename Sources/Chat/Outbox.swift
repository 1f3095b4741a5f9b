// What one socket still has to be sent, and in which order.
//
// Three lanes, whole frames only: replies, then state (only the latest of each), then the log, where the socket owns
// nothing but one number per room, its position. `next` plans one gathered write from all lanes; `wrote` says how much
// the kernel took. A frame that was begun is kept and finished first; frames that were not begun are forgotten and
// planned anew, so a reader that was behind gets collapsed chunks the next time instead of what was planned before.
//
// Invariant: between `next` and `wrote` nothing touches the outbox or the logs its cursors read.

import ChatProtocol
import Wire

/// A piece of memory to write; laid out like `struct iovec`.
public struct Span {
    /// Where the piece starts.
    public var base: UnsafeRawPointer
    /// In bytes.
    public var count: Int
}

/// One planned write, reused for every connection of a loop.
public struct WritePlan {
    /// What to write, in order.
    public internal(set) var spans: [Span] = []
    /// The bytes of all spans.
    public internal(set) var bytes = 0
    /// More may be left once this is written: the plan is full, or a reply waits for a cursor that this plan moves.
    public internal(set) var hasMore = false
    var frames: [PlannedFrame] = []
    /// Rooms whose log no longer reaches back to this reader's position.
    var lost: [RoomID] = []
    /// Frames made for this plan, which the log may let go of while it makes the next one.
    private var made: [SharedBytes] = []

    /// At most this many bytes are planned for one connection and turn.
    static let bytesMax = 256 * 1024
    /// `IOV_MAX`: at most this many pieces go into one gathered write.
    static let spansMax = 1024

    /// An empty plan.
    public init() {}

    var isFull: Bool { bytes >= Self.bytesMax || spans.count >= Self.spansMax - 1 }

    /// Forgets everything but the memory it took.
    public mutating func reset() {
        spans.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        lost.removeAll(keepingCapacity: true)
        made.removeAll(keepingCapacity: true)
        bytes = 0
        hasMore = false
    }

    mutating func add(made frame: SharedBytes, then done: PlannedFrame.Done) {
        made.append(frame)
        add(frame, then: done)
    }

    mutating func add(
        _ head: SharedBytes, body: SharedBytes? = nil, from skipped: Int = 0, then done: PlannedFrame.Done
    ) {
        var count = append(head, from: skipped)
        if let body { count += append(body, from: max(0, skipped - head.count)) }
        bytes += count
        frames.append(
            PlannedFrame(head: .passUnretained(head), body: body.map { .passUnretained($0) }, count: count, done: done))
    }

    /// Adds what a piece has from a byte on, and says how much that is.
    private mutating func append(_ piece: SharedBytes, from start: Int) -> Int {
        guard start < piece.count else { return 0 }
        spans.append(Span(base: piece.base + start, count: piece.count - start))
        return piece.count - start
    }
}

/// A frame of a plan: its bytes, held by the lane it came from, and what is true once it is written.
struct PlannedFrame {
    enum Done {
        case begun
        case reply
        case state
        /// The states of a room up to a version.
        case version(subscription: Int, UInt32)
        case position(subscription: Int, UInt64)
        case left(subscription: Int)

        var isReply: Bool {
            if case .reply = self { true } else { false }
        }
    }

    let head: Unmanaged<SharedBytes>
    let body: Unmanaged<SharedBytes>?
    /// What this plan writes of it.
    let count: Int
    let done: Done
}

/// A cursor: one socket's position in one room's log.
struct Subscription {
    let replica: Replica
    var position: UInt64
    /// Its place among the replica's subscribers.
    var place: Int
    /// An event stream reads this answer alone.
    var stream: StreamID?
    /// What of a snapshot is still to follow; until it is sent the position lies within it.
    var catchUp: CatchUp?
    /// The room's states that it has been sent.
    var version: UInt32 = 0
    /// A snapshot was asked for; until it comes nothing of this room is sent.
    var awaitsSnapshot = false
    /// What is sent when the cursor has reached the end of a deleted room's log.
    var farewell: SharedBytes?

    /// Whether what follows its position is here; otherwise it needs a snapshot.
    var canGoOn: Bool {
        guard let catchUp else { return replica.log.index(after: position) != nil }
        guard case .text(let record) = catchUp.items[Int(position - catchUp.start)] else { return true }
        return replica.log.holds(record)
    }
}

/// What one socket still has to be sent. Confined to its loop.
struct Outbox {
    private struct Reply {
        let head: SharedBytes
        let body: SharedBytes?
        var barrier: Barrier?
        var held: HeldBytes?
        /// What it takes of the lane's memory.
        var cost: Int { Limits.replyOverheadBytes + head.count + (body?.count ?? 0) }
    }

    private struct StateFrame {
        let roomID: RoomID
        let kind: RoomNotice.Kind
        let frame: SharedBytes
    }

    private struct BegunFrame {
        let head: SharedBytes
        let body: SharedBytes?
        var written: Int
        let held: HeldBytes?
    }

    private(set) var replyBytes = 0
    var subscriptions: [Subscription] = []
    private var replies: [Reply] = []
    private var state: [StateFrame] = []
    private var begun: BegunFrame?
    private var rotation = 0
    /// The last write did not take all: chunks are collapsed until the reader has caught up.
    private(set) var isBehind = false

    // MARK: - Filling

    mutating func reply(
        _ head: SharedBytes, body: SharedBytes? = nil, barrier: Barrier? = nil, held: HeldBytes? = nil
    ) {
        let reply = Reply(head: head, body: body, barrier: barrier, held: held)
        replies.append(reply)
        replyBytes += reply.cost
    }

    /// A `joined`: the room's log goes on behind it, so what waited for the cursor's old place goes before it.
    mutating func joined(_ roomID: RoomID, _ head: SharedBytes, body: SharedBytes, held: HeldBytes?) {
        for index in replies.indices where replies[index].barrier?.roomID == roomID { replies[index].barrier = nil }
        reply(head, body: body, held: held)
    }

    mutating func notice(_ notice: RoomNotice) {
        state.removeAll { held in
            guard held.roomID == notice.roomID else { return false }
            switch (held.kind, notice.kind) {
            case (_, .membership), (.summary, .summary): return true
            case (.membership, .summary): return false
            }
        }
        state.append(StateFrame(roomID: notice.roomID, kind: notice.kind, frame: notice.frame))
    }

    /// Forgets everything but a frame that was begun; the last frame follows it.
    mutating func finish(with last: SharedBytes) {
        replies.removeAll()
        replyBytes = 0
        state.removeAll()
        reply(last)
    }

    func subscription(of roomID: RoomID) -> Int? {
        subscriptions.firstIndex { $0.replica.log.roomID == roomID }
    }

    /// The only cursor of a connection that has nothing else to be sent.
    var idleCursor: Subscription? {
        guard subscriptions.count == 1, replies.isEmpty, state.isEmpty, begun == nil, !isBehind else { return nil }
        let cursor = subscriptions[0]
        return cursor.stream == nil && !cursor.awaitsSnapshot && cursor.farewell == nil ? cursor : nil
    }

    // MARK: - Draining

    /// Plans the next gathered write; an empty plan means that there is nothing to send now.
    ///
    /// HOT
    mutating func next(_ plan: inout WritePlan) {
        plan.reset()
        // What an empty plan leaves out waits for something else to happen: entries on their way here, or a snapshot.
        defer { plan.hasMore = (plan.hasMore || plan.isFull) && plan.bytes > 0 }
        if let begun { plan.add(begun.head, body: begun.body, from: begun.written, then: .begun) }
        let held = planReplies(&plan)
        for latest in state where !plan.isFull { plan.add(latest.frame, then: .state) }
        guard !subscriptions.isEmpty else { return }
        if let held {
            // A `joined` may stand behind the held reply, so no other room's log may go first, and nothing that
            // happened after the reply.
            planLog(of: held.subscription, through: held.seq, &plan)
            plan.hasMore = true
            return
        }
        for index in subscriptions.indices where !plan.isFull { planStates(of: index, &plan) }
        rotation = (rotation + 1) % subscriptions.count
        for step in 0..<subscriptions.count where !plan.isFull {
            planLog(of: (rotation + step) % subscriptions.count, &plan)
        }
    }

    /// Plans replies up to one whose barrier is not reached; returns which subscription has to get where first.
    private mutating func planReplies(_ plan: inout WritePlan) -> (subscription: Int, seq: UInt64)? {
        for reply in replies where !plan.isFull {
            if let barrier = reply.barrier, let cursor = lagging(barrier) { return (cursor, barrier.seq) }
            plan.add(reply.head, body: reply.body, then: .reply)
        }
        return nil
    }

    /// The states of a room that have changed since they were last sent here, in the order of their changes.
    private func planStates(of subscription: Int, _ plan: inout WritePlan) {
        let states = subscriptions[subscription].replica.states
        let sent = subscriptions[subscription].version
        guard states.version != sent, subscriptions[subscription].stream == nil else { return }
        let changed = states.latest.filter { $0.version > sent }.sorted { $0.version < $1.version }
        for (version, frame) in changed where !plan.isFull {
            if let frame { plan.add(frame, then: .version(subscription: subscription, version)) }
        }
    }

    private func lagging(_ barrier: Barrier) -> Int? {
        guard let index = subscription(of: barrier.roomID) else { return nil }
        let cursor = subscriptions[index]
        guard cursor.position < barrier.seq, !cursor.awaitsSnapshot, cursor.canGoOn else { return nil }
        return index
    }

    private mutating func planLog(of subscription: Int, through last: UInt64 = .max, _ plan: inout WritePlan) {
        guard !subscriptions[subscription].awaitsSnapshot else { return }
        if let stream = subscriptions[subscription].stream { return planEvents(of: stream, subscription, &plan) }
        let log = subscriptions[subscription].replica.log
        if subscriptions[subscription].catchUp != nil, !planCatchUp(of: subscription, through: last, &plan) { return }
        let position = subscriptions[subscription].catchUp?.end ?? subscriptions[subscription].position
        guard var index = log.index(after: position) else { return lose(subscription, &plan) }
        // An entry has a name, a text and a frame; taken out as a whole, each would be retained for every reader.
        while index < log.entries.count, log.entries[index].seq <= last, !plan.isFull {
            let frame = log.entries[index].frame
            if isBehind || frame == nil, let run = log.collapse(from: index) {
                index += run.count
                plan.add(made: run.frame, then: .position(subscription: subscription, log.entries[index - 1].seq))
            } else if let frame {
                plan.add(frame, then: .position(subscription: subscription, log.entries[index].seq))
                index += 1
            } else {
                return lose(subscription, &plan)
            }
        }
        if index == log.entries.count, let farewell = subscriptions[subscription].farewell, !plan.isFull {
            plan.add(farewell, then: .left(subscription: subscription))
        }
    }

    /// Plans what is still to follow of a snapshot; `false` if that is not all planned.
    private func planCatchUp(of subscription: Int, through last: UInt64, _ plan: inout WritePlan) -> Bool {
        guard let catchUp = subscriptions[subscription].catchUp else { return true }
        let log = subscriptions[subscription].replica.log
        var seq = subscriptions[subscription].position
        for item in catchUp.items[Int(seq - catchUp.start)...] {
            guard !plan.isFull, seq < last else { return false }
            seq += 1
            switch item {
            case .frame(let frame): plan.add(frame, then: .position(subscription: subscription, seq))
            case .text(let record):
                guard let frame = log.frame(of: record, at: seq) else {
                    lose(subscription, &plan)
                    return false
                }
                plan.add(made: frame, then: .position(subscription: subscription, seq))
            }
        }
        return true
    }

    /// The same for an event stream, whose events are made of the log's texts and merge whatever is there.
    private mutating func planEvents(of stream: StreamID, _ subscription: Int, _ plan: inout WritePlan) {
        let log = subscriptions[subscription].replica.log
        guard var index = log.index(after: subscriptions[subscription].position) else {
            return lose(subscription, &plan)
        }
        var isUnplanned = true
        while index < log.entries.count, !plan.isFull {
            switch log.events(of: stream, from: index) {
            case .content(let frame, let count):
                index += count
                isUnplanned = false
                plan.add(made: frame, then: .position(subscription: subscription, log.entries[index - 1].seq))
            case .ended(let frame): return plan.add(made: frame, then: .left(subscription: subscription))
            case .nothing(let count):
                index += count
                // With nothing to write it moves at once, since a reader that waits must not fall behind the log; but
                // not past an event of this plan, which the kernel may not take.
                if isUnplanned { subscriptions[subscription].position = log.entries[index - 1].seq }
            case .lost: return lose(subscription, &plan)
            }
        }
    }

    /// The log no longer reaches back to a cursor: it needs a snapshot, or of a deleted room only the farewell.
    private func lose(_ subscription: Int, _ plan: inout WritePlan) {
        guard replies.isEmpty else {
            // The lane is looked at again once it has gone out: perhaps nothing else happens in this room.
            plan.hasMore = true
            return
        }
        if let farewell = subscriptions[subscription].farewell {
            plan.add(farewell, then: .left(subscription: subscription))
        } else {
            plan.lost.append(subscriptions[subscription].replica.log.roomID)
        }
    }

    /// Takes note of how many bytes of the plan the kernel took; the rooms whose farewell was sent are returned.
    mutating func wrote(_ count: Int, of plan: WritePlan) -> [RoomID] {
        var rest = count
        var sent = Sent()
        for frame in plan.frames where rest > 0 {
            let whole = rest >= frame.count
            // Before what it came from is given up.
            if !whole { begin(frame, written: rest, held: frame.done.isReply ? replies[sent.replies].held : nil) }
            switch frame.done {
            case .begun:
                if whole { begun = nil } else { begun?.written += rest }
            case .reply: sent.replies += 1
            case .state: sent.states += 1
            case .version(let subscription, let version): subscriptions[subscription].version = version
            case .position(let subscription, let seq): moved(subscription, to: seq)
            case .left(let subscription): sent.farewells.append(subscriptions[subscription].replica.log.roomID)
            }
            rest -= min(rest, frame.count)
        }
        if sent.replies > 0 {
            replyBytes -= replies.prefix(sent.replies).reduce(0) { $0 + $1.cost }
            replies.removeFirst(sent.replies)
            // An emptied array keeps its memory; most connections are idle, and theirs is given back.
            if replies.isEmpty { replies = [] }
        }
        if sent.states > 0 {
            state.removeFirst(sent.states)
            if state.isEmpty { state = [] }
        }
        isBehind = count < plan.bytes
        return sent.farewells
    }

    private struct Sent {
        var replies = 0
        var states = 0
        var farewells: [RoomID] = []
    }

    /// Holds the rest of a frame; what it was planned for counts as done, since nothing can come before that rest.
    private mutating func begin(_ frame: PlannedFrame, written: Int, held: HeldBytes?) {
        if case .begun = frame.done { return }
        begun = BegunFrame(
            head: frame.head.takeUnretainedValue(), body: frame.body?.takeUnretainedValue(), written: written,
            held: held)
    }

    private mutating func moved(_ subscription: Int, to seq: UInt64) {
        subscriptions[subscription].position = seq
        if let catchUp = subscriptions[subscription].catchUp, seq >= catchUp.end {
            subscriptions[subscription].catchUp = nil
        }
    }
}
