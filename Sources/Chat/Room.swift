// A room's home: the one place that decides for a room. Commands come here in order; answers, log entries and
// questions to storage and agents leave from here. A room is first loading (its head is read while commands wait),
// then live, perhaps deleting, then gone.
//
// Durable, then acknowledged, then streamed: a message enters the log when its commit has returned, its turn starts
// after that, and `stream-ended` follows the commit of the outcome.
//
// Invariant: every turn stands in its session's list and in the hub's `streams` from its first send until its end
// is in the log, and holds one permit of its user and one place of the node all that time.

import ChatProtocol
import Wire

/// A room's home. Confined to its loop.
final class Room {
    enum Phase {
        case loading(parked: [Command])
        case live
        case deleting(Deletion)
        case gone
    }

    /// A deletion that waits for streams to stop and commits to return.
    struct Deletion {
        let by: UserID
        let origin: Origin
        let at: Timestamp
        var isCommitting = false
    }

    /// What a storage result is for.
    enum Awaited {
        case head
        case creation(RoomRecord, Command)
        case insertion(PendingSend)
        case refusal(Command, HubError)
        case regenerated(Command)
        /// The session that a send names.
        case sessionOfSend(SessionID, Command)
        case start
        case opening(SessionRecord, Command)
        case closing(SessionRecord, Command)
        case touched
        /// With the turns that the session is to forget.
        case reset(Command, [Turn])
        case clearing(Command)
        case reload(Int)
        case read(ExchangeID, Command)
        case context(Turn)
        case checkpoint(Turn)
        case outcome(Turn)
        /// What to answer once a cancel is on disk.
        case cancelMarked(Ack, Command)
        case lateOutcome(Turn)
        case update(Origin, UserID)
        case member(MemberRecord, Command)
        case removal(UserID, Command)
        case deletion([Turn])
        case page(Origin)
        case cancelledMessage(Origin)
    }

    let id: RoomID
    unowned let hub: Hub
    var phase = Phase.loading(parked: [])
    var record: RoomRecord {
        didSet { metadataBytes = JSONValue.object(record.metadata).approximateBytes }
    }
    /// Everyone but the owner.
    var members: [UserID: MemberRecord] = [:]
    /// Changes of the record that storage has not answered, oldest first.
    var edits: [RoomRecord] = []
    var history: RoomHistory
    var commitCount = 0
    var replica: Replica
    /// Loops that hold a replica of this room.
    var links: [ReplicaLink] = []
    var sessions = SessionTable()
    /// Turns in which something has happened since the loop's turn began; see `note`.
    var noted: [Turn] = []
    /// What the turns hold of messages and responses.
    var turnBytes = 0
    /// What the room's metadata takes.
    private var metadataBytes = 0
    /// The clock has come to a time that was asked for.
    private(set) var timeHasCome = false
    var uncommitted: [PendingSend] = []
    /// Turns that have ended for everyone, but on disk: storage failed for too long. Their outcomes are tried again.
    var unstored: [Turn] = []
    /// Clearings of the history that are on their way to disk: until they are there no outcome is given up.
    var clearings = 0
    /// Used again for a second.
    var snapshot: Snapshot?
    var live = LiveState()

    var isTouched = false
    /// How often the history was asked for anew.
    var reloads = 0
    /// The answer to the last question is still to come.
    var isReloading = false
    /// When it is asked for once more: storage failed.
    var reloadAt: UInt64?
    var isQueuedIdle = false
    /// When the room was last of use to anyone; `nil` while it is.
    var idleSince: UInt64?
    /// When the last watcher of what runs here left; see `Room+Abandon`.
    var unwatchedSince: UInt64?
    var accountedBytes = 0
    /// Another object stands for this room, or none.
    var hasLeftMemory = false
    /// When the timers that were asked for are due: a later one stays when an earlier one is needed before it.
    private var timersAt: [UInt64] = []
    private var awaiting = 0
    private var outgoing: [LogEntry] = []
    /// The weight of what was appended in this turn.
    private var grownBy = 0
    private var summaryIsWanted = false
    private var summarySentAt: UInt64?

    /// A loop that holds a replica.
    struct ReplicaLink {
        let loop: Int
        /// The position at which it opened: it has had every entry since.
        let openedAt: UInt64
        /// The number of the last answer to a join that was sent there.
        var lastAnswer: UInt64
    }

    /// A room that is loading.
    init(id: RoomID, hub: Hub) {
        self.id = id
        self.hub = hub
        history = RoomHistory(exchangesMax: hub.configuration.limits.snapshotExchangesMax)
        record = RoomRecord(
            roomID: id, userID: UserID(""), name: "", createdAt: hub.now.timestamp, lastActivity: hub.now.timestamp,
            messageCount: 0, metadata: JSONObject(), defaultSessionID: SessionID(""))
        let position = LogPosition(epoch: hub.makeEpoch(), seq: 0)
        let log = RoomLog(roomID: id, after: position, bytesMax: hub.configuration.limits.logTailBytesMax)
        replica = Replica(log: log, isHome: true)
    }

    var log: RoomLog { replica.log }
    var hasHead: Bool {
        switch phase {
        case .live, .deleting: true
        case .loading, .gone: false
        }
    }
    var now: Now { hub.now }
    var limits: Limits { hub.configuration.limits }
    var turns: [Turn] { sessions.turns }

    /// Something has happened in a turn: it is looked at when the loop's turn ends.
    func note(_ turn: Turn) {
        guard !turn.isNoted else { return }
        turn.isNoted = true
        noted.append(turn)
    }

    // MARK: - Commands

    func handle(_ command: Command) {
        switch phase {
        case .loading(var parked):
            // Joins are bounded by the sockets' own limits and parked without counting.
            guard parked.count < limits.parkedCommandsPerRoom || command.isJoin else {
                return refuse(command, HubError(.busy, "the room is loading; try again", retryAfterMilliseconds: 200))
            }
            hub.wait(command, at: .room(id))
            parked.append(command)
            phase = .loading(parked: parked)
        case .live: perform(command)
        case .deleting, .gone: refuse(command, .noRoom)
        }
    }

    private func perform(_ command: Command) {
        if let error = refusal(of: command) { return refuse(command, error) }
        switch command.request {
        case .getRoom: answer(command, .success(.roomWithMembers(record, memberList)))
        case .setMember(_, let userID, let role): setMember(userID, role, command)
        case .removeMember(_, let userID): removeMember(userID, command)
        case .updateRoom(_, let change): update(change, command)
        case .deleteRoom: delete(command)
        case .join(let joins):
            for request in joins { join(request, command) }
        case .leave: leave(command)
        case .send(let send): self.send(send, command)
        case .cancel(let target): cancel(target, command)
        case .history(_, let before, let limit):
            ask(.historyBefore(id, before, limit: limit), .page(command.origin), for: command.user)
        case .exchange(_, let name): ask(.readExchange(id, name), .page(command.origin), for: command.user)
        case .historyPage(let filter, let limit, let offset):
            ask(.historyPage(filter, limit: limit, offset: offset), .page(command.origin), for: command.user)
        case .openSession: openSession(command)
        case .closeSession(let id), .getSession(let id), .stopSession(let id), .reset(let id, _):
            performOnSession(id, command)
        case .watch(let watch): performOnSession(watch.sessionID, command)
        case .clearHistory(_, let sessionID):
            if let sessionID { performOnSession(sessionID, command) } else { clearHistory(of: nil, command) }
        case .typing(_, let isActive): setTyping(isActive, command)
        case .read(_, let exchangeID): markRead(exchangeID, command)
        case .auth, .createRoom, .begin, .listRooms, .ping, .release: preconditionFailure("never routed to a room")
        }
    }

    // MARK: - Storage

    func ask(_ request: StorageRequest, _ awaited: Awaited, for user: UserID? = nil) {
        awaiting += 1
        hub.ask(request, .room(self, awaited), for: user)
    }

    func stored(_ result: StorageResult, for awaited: Awaited) {
        awaiting -= 1
        switch awaited {
        case .head: loaded(result)
        case .creation(let record, let command): created(record, command, result)
        case .insertion(let pending): inserted(pending, result)
        case .refusal(let command, let error): refuseUnlessStored(command, error, result)
        case .regenerated(let command): hub.resume(command, at: .room(id)) { regeneratedFound(result, for: command) }
        case .start, .touched: break
        case .sessionOfSend(let sessionID, let command):
            hub.resume(command, at: .room(id)) { sessionFound(sessionID, result, for: command) }
        case .opening(let session, let command): sessionOpened(session, command, result)
        case .closing(let session, let command): sessionClosed(session, command, result)
        case .reset(let command, let turns): sessionReset(command, turns, result)
        case .clearing(let command): historyCleared(command, result)
        case .reload(let number): historyReloaded(result, number)
        case .read(let exchangeID, let command): readMarked(exchangeID, command, result)
        case .context(let turn): contextRead(turn, result)
        case .checkpoint(let turn): checkpointed(turn, result)
        case .outcome(let turn): settled(turn, result)
        case .cancelMarked(let ack, let command): cancelMarked(ack, command, result)
        case .lateOutcome(let turn): storedLate(turn, result)
        case .update(let origin, let user): updated(origin, user, result)
        case .member(let member, let command): memberSet(member, command, result)
        case .removal(let userID, let command): memberRemoved(userID, command, result)
        case .deletion(let turns): deletionStored(turns, result)
        case .cancelledMessage(let origin): answerCancel(origin, result)
        case .page(let origin): hub.answer(origin, hub.answer(to: result), roomID: id)
        }
    }

    private func loaded(_ result: StorageResult) {
        switch result {
        case .room(let head?): becomeLive(head)
        case .unavailable: vanish(.storageUnavailable)
        default: vanish(.noRoom)
        }
    }

    private func created(_ record: RoomRecord, _ command: Command, _ result: StorageResult) {
        let origin = command.origin
        switch result {
        case .stored:
            becomeLive(RoomHead(room: record, members: [], history: [], nextBefore: nil))
            if case .openSession = command.request {
                openSession(command)
            } else {
                hub.answer(origin, .success(.room(record)), roomID: id)
            }
            notify(.membership, ServerFrame.roomAdded(record))
        case .roomLimitReached:
            hub.answer(origin, .failure(tooManyRooms), roomID: nil)
            vanish(.noRoom)
        default:
            hub.answer(origin, .failure(.storageUnavailable), roomID: nil)
            vanish(.noRoom)
        }
    }

    var tooManyRooms: HubError {
        HubError(
            .roomLimitExceeded, "Maximum room limit (\(limits.roomsPerUser)) reached. Please delete old rooms.")
    }

    func becomeLive(_ head: RoomHead) {
        guard case .loading(let parked) = phase else { return }
        record = head.room
        members = Dictionary(uniqueKeysWithValues: head.members.map { ($0.userID, $0) })
        history.replace(with: head.history, nextBefore: head.nextBefore)
        live.reads = head.reads
        if !live.reads.isEmpty { live.want(.read) }
        meetDefaultSession()
        phase = .live
        hub.replicas[id] = replica
        for command in parked { hub.resume(command, at: .room(id)) { handle(command) } }
    }

    func meetDefaultSession() {
        meet(
            SessionRecord(
                sessionID: record.defaultSessionID, userID: nil, roomID: id, createdAt: record.createdAt,
                expiresAt: nil))
    }

    /// There is no such room, or it could not be read: whoever waited is told, and the next command tries again.
    func vanish(_ error: HubError) {
        guard case .loading(let parked) = phase else { return }
        phase = .gone
        hub.forget(self)
        for command in parked { hub.resume(command, at: .room(id)) { refuse(command, error) } }
    }

    // MARK: - Answers

    func answer(_ command: Command, _ result: Result<Ack, HubError>, barrier: Barrier? = nil) {
        hub.answer(command.origin, result, roomID: id, barrier: barrier)
    }

    /// Answers with an error; a stream permit that came along goes back.
    func refuse(_ command: Command, _ error: HubError) {
        returnPermit(of: command)
        answer(command, .failure(error))
    }

    func returnPermit(of command: Command) {
        if command.hasPermit { hub.send(.permitReturned(command.user), toHomeOf: command.user) }
    }

    // MARK: - The log

    /// Appends the next entry; it leaves for all replicas when the turn of the loop ends.
    func append(
        _ content: LogEntry.Content, delta: [UInt8] = [], weight: Int = 1, _ encode: (_ seq: UInt64) -> SharedBytes
    ) {
        let seq = log.seq + 1
        let entry = LogEntry(
            firstSeq: seq, seq: seq, content: content, frame: encode(seq), delta: delta, weight: weight)
        log.append(entry)
        grownBy += weight
        if !links.isEmpty { outgoing.append(entry) }
    }

    func flushFlow() {
        guard !outgoing.isEmpty else { return }
        for link in links { hub.send(.flow(id, [.entries(outgoing)]), to: link.loop) }
        outgoing.removeAll(keepingCapacity: true)
    }

    func send(_ item: FlowItem, toReplicaOn loop: Int) {
        if loop == hub.index { hub.apply(item, to: replica) } else { hub.send(.flow(id, [item]), to: loop) }
    }

    // MARK: - The end of a turn, and time

    func turnEnded() {
        let looked = tick()
        flushFlow()
        if grownBy > 0 { hub.grew(replica, by: grownBy) }
        grownBy = 0
        sendStateIfDue()
        sendSummaryIfDue()
        account()
        setTimer(looked)
    }

    /// All that the room keeps in memory; what it keeps of a snapshot counts for the node.
    private var keptBytes: Int {
        Limits.roomOverheadBytes + headBytes + log.bytes + log.recordBytes + log.collapsedBytes + history.bytes
            + sessions.bytes + turnBytes
    }

    /// Roughly: the row, the members and the read marks.
    private var headBytes: Int {
        record.name.utf8.count + metadataBytes + (members.count + live.reads.count + live.watchers.count) * 200
    }

    private func account() {
        guard !hasLeftMemory else { return }
        let bytes = keptBytes
        hub.memoryBytes += bytes - accountedBytes
        accountedBytes = bytes
        let isIdle =
            replica.subscribers.isEmpty && links.isEmpty && uncommitted.isEmpty && unstored.isEmpty && awaiting == 0
            && turns.isEmpty && hasHead
        if !isIdle {
            idleSince = nil
        } else if idleSince == nil {
            idleSince = now.instant
            log.forgetCollapsed()
            if !isQueuedIdle { hub.idleRooms.append(self, since: now.instant) }
            isQueuedIdle = true
        }
    }

    /// The turns to look at: those in which something has happened, or all when a time that was asked for has come.
    func takeNoted() -> [Turn] {
        let taken = timeHasCome ? turns : noted
        for turn in noted { turn.isNoted = false }
        noted.removeAll(keepingCapacity: true)
        timeHasCome = false
        return taken
    }

    func timerFired() {
        timersAt.removeAll { $0 <= now.instant }
        timeHasCome = true
    }

    /// - Parameter looked: the turns that were looked at; each other has asked for its time before.
    private func setTimer(_ looked: [Turn]) {
        var deadline = earliest(earliest(live.nextDeadline, abandonDeadline), earliest(reloadAt, sessions.nextDeadline))
        deadline = earliest(deadline, snapshot?.endsAt)
        for turn in looked { deadline = earliest(deadline, nextDeadline(turn)) }
        for turn in unstored { deadline = earliest(deadline, turn.settleRetryAt) }
        if summaryIsWanted, case .live = phase {
            deadline = earliest(deadline, (summarySentAt ?? 0) + Self.summaryNanoseconds)
        }
        guard let deadline, !timersAt.contains(where: { $0 <= deadline }) else { return }
        timersAt.append(deadline)
        hub.effects.append(.timer(.room(id), at: deadline))
    }

    // MARK: - News for members

    private static let summaryNanoseconds: UInt64 = 1_000_000_000

    func wantSummary() { summaryIsWanted = true }

    private func sendSummaryIfDue() {
        guard summaryIsWanted, case .live = phase else { return }
        if let sent = summarySentAt, now.instant < sent + Self.summaryNanoseconds { return }
        summaryIsWanted = false
        summarySentAt = now.instant
        let last = lastExchange
        for (unread, users) in Dictionary(grouping: everyone, by: unread).sorted(by: { $0.key < $1.key }) {
            notify(.summary, ServerFrame.roomSummary(record, lastExchange: last, unread: unread), users)
        }
    }

    /// The newest exchange, ended or not.
    var lastExchange: ExchangeRecord? {
        turns.last { !$0.record.messages.isEmpty }?.ended ?? history.exchanges.last
    }

    private var everyone: [UserID] { [record.userID] + memberList.map(\.userID) }

    /// Tells the users' homes, grouped by loop; without users those of the owner and all members.
    func notify(_ kind: RoomNotice.Kind, _ payload: [UInt8], _ users: [UserID]? = nil) {
        let notice = RoomNotice(roomID: id, kind: kind, frame: .textFrame(payload))
        let byLoop = Dictionary(grouping: users ?? everyone) { hub.configuration.home(of: $0) }
        for loop in byLoop.keys.sorted() { hub.send(.notice(byLoop[loop] ?? [], notice), to: loop) }
    }
}

extension Command {
    var isJoin: Bool {
        if case .join = request { true } else { false }
    }
}

extension HubError {
    static let noRoom = HubError(.notFound, "Room not found")
}

/// The earlier of two times, of which either may be missing.
func earliest(_ one: UInt64?, _ other: UInt64?) -> UInt64? {
    guard let one, let other else { return one ?? other }
    return min(one, other)
}
