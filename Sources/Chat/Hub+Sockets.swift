import ChatProtocol
import Wire

// The socket's side of a loop: frames in, answers and notices out, replicas and their cursors.
extension Hub {
    /// Plans what to write to a connection next; `wrote` follows, also when there is nothing to write.
    public func plan(for connection: Connection, into plan: inout WritePlan) {
        connection.ownCursor()
        connection.outbox.next(&plan)
    }

    /// Takes note of how much of a plan was written; rooms whose log the reader fell behind are asked for a snapshot.
    public func wrote(_ count: Int, of plan: WritePlan, to connection: Connection) {
        for roomID in connection.outbox.wrote(count, of: plan) {
            guard let index = connection.outbox.subscription(of: roomID) else { continue }
            unsubscribe(connection, from: connection.outbox.subscriptions[index].replica)
            if connection.watched != nil { connection.isOver = true }
        }
        for roomID in plan.lost {
            guard let index = connection.outbox.subscription(of: roomID) else { continue }
            connection.outbox.subscriptions[index].awaitsSnapshot = true
            let position = connection.outbox.subscriptions[index].position
            let cause = connection.watched.map(JoinCause.watching) ?? .fellBehind
            send(.snapshotWanted(roomID, connection.ref, cause, after: position), toHomeOf: roomID)
        }
        pauseOrResumeReading(connection)
        settle()
        connection.outbox.idleCursor?.replica.admit(connection)
    }

    // MARK: - Broadcasts

    /// Takes the replicas with something for readers that have caught up. Broadcasts go before what single connections
    /// are sent, so that these catch up with them.
    public func takeBroadcasts() -> [Replica] {
        let taken = dirtyReplicas
        dirtyReplicas.removeAll(keepingCapacity: true)
        for replica in taken { replica.isDirty = false }
        return taken
    }

    /// Plans a broadcast and names its receivers, each of which gets the same bytes; `broadcast` follows.
    public func plan(for replica: Replica, into plan: inout WritePlan) -> [ConnectionRef] {
        replica.planBroadcast(&plan)
        guard plan.bytes == 0 || !plan.lost.isEmpty else { return replica.caughtUp }
        // The log has been cut before their position: each asks for a snapshot of its own.
        for connection in replica.subscribers.prefix(replica.caughtUp.count) { markDirty(connection) }
        plan.reset()
        return []
    }

    /// Takes note of a broadcast: everybody has all of it but those that took less.
    public func broadcast(_ plan: WritePlan, of replica: Replica, short: [(ConnectionRef, wrote: Int)]) {
        for (ref, count) in short {
            guard let connection = connections[ref] else { continue }
            connection.ownCursor()
            wrote(count, of: plan, to: connection)
        }
        replica.broadcast(plan, now: now.instant)
        if plan.hasMore { markCaughtUpDirty(replica) }
    }

    // MARK: - Outside the log

    /// Sends a control frame (RFC 6455 section 5.5) between two frames of the hub.
    public func control(_ frame: [UInt8], on connection: Connection) {
        connection.outbox.reply(SharedBytes(frame))
        repliesGrew(connection)
    }

    /// Ends a connection's part in the hub; only its `Close` frame is still sent.
    public func finish(_ connection: Connection, with closeFrame: [UInt8], now: Now) {
        closed(connection, now: now)
        connection.outbox.finish(with: SharedBytes(closeFrame))
        markDirty(connection)
    }

    func reply(to connection: Connection, _ payload: [UInt8], barrier: Barrier? = nil) {
        connection.outbox.reply(.textFrame(payload), barrier: barrier)
        repliesGrew(connection)
    }

    private func repliesGrew(_ connection: Connection) {
        markDirty(connection)
        pauseOrResumeReading(connection)
    }

    private func pauseOrResumeReading(_ connection: Connection) {
        guard connection.isAskingTooMuch != connection.isReadingPaused else { return }
        connection.isReadingPaused.toggle()
        effects.append(connection.isReadingPaused ? .pauseReading(connection.ref) : .resumeReading(connection.ref))
    }

    /// The kernel has room again for a connection, or it had more than one write's share to send.
    public func markWritable(_ connection: Connection) { markDirty(connection) }

    /// HOT
    func markDirty(_ connection: Connection) {
        guard !connection.isDirty else { return }
        connection.ownCursor()
        connection.isDirty = true
        dirty.append(connection)
    }

    /// Takes the connections that have something to send.
    public func takeDirty() -> [Connection] {
        let taken = dirty
        dirty.removeAll(keepingCapacity: true)
        for connection in taken { connection.isDirty = false }
        return taken
    }

    // MARK: - Frames

    func handle(_ frame: ClientFrame, on connection: Connection) {
        if case .auth = frame.request {
            let error = HubError(.notImplemented, "`auth` is not part of this version")
            reply(to: connection, ServerFrame.error(id: frame.id, for: frame.type.rawValue, roomID: nil, error))
            return
        }
        let origin = Origin(connection: connection.ref, face: .frame(id: frame.id, type: frame.type))
        switch frame.request {
        case .ping: reply(to: connection, ServerFrame.pong(id: frame.id))
        case .join(let joins): join(joins, origin, connection)
        default:
            let command = Command(origin: origin, user: connection.user, request: frame.request)
            if frame.type.isAnswered { connection.unanswered += 1 }
            send(.command(command), toHomeOf: connection.user)
        }
        pauseOrResumeReading(connection)
    }

    private func join(_ joins: [JoinRequest], _ origin: Origin, _ connection: Connection) {
        for join in joins {
            let joined = connection.joins(join.roomID)
            guard joined || connection.roomCount < Limits.joinedRoomsPerSocket else {
                let error = HubError(
                    .validationError, "one socket may join \(Limits.joinedRoomsPerSocket) rooms; leave one first")
                reply(
                    to: connection,
                    ServerFrame.error(id: origin.frameID, for: "join", roomID: join.roomID, error))
                continue
            }
            connection.joinBegan(join.roomID)
            connection.unanswered += 1
            let request = JoinRequest(roomID: join.roomID, after: joined ? nil : join.after)
            send(
                .command(Command(origin: origin, user: connection.user, request: .join([request]))),
                toHomeOf: connection.user)
        }
    }

    // MARK: - Answers

    func deliver(_ result: Result<Ack, HubError>, to origin: Origin, roomID: RoomID?, barrier: Barrier?) {
        if case .failure(let error) = result { effects.append(.refused(error.code)) }
        switch origin.face {
        case .http: effects.append(.answerHTTP(origin.connection, result))
        case .frame(let id, let type):
            guard let connection = connections[origin.connection] else { return }
            if type == .join { connection.joinEnded(roomID) }
            if type.isAnswered { connection.unanswered -= 1 }
            switch result {
            case .success(let ack):
                reply(to: connection, ServerFrame.ack(id: id, for: type, ack), barrier: barrier)
            case .failure(let error):
                reply(
                    to: connection, ServerFrame.error(id: id, for: type.rawValue, roomID: roomID, error),
                    barrier: barrier)
            }
        }
    }

    func deliver(_ notice: RoomNotice, to sockets: [ConnectionRef]) {
        for ref in sockets {
            guard let connection = connections[ref], connection.outbox.subscription(of: notice.roomID) == nil else {
                continue
            }
            connection.outbox.notice(notice)
            markDirty(connection)
        }
    }

    // MARK: - Replicas

    func apply(_ items: [FlowItem], to roomID: RoomID) {
        for item in items {
            if case .open(let position, let texts) = item {
                let log = RoomLog(roomID: roomID, after: position, bytesMax: configuration.limits.logTailBytesMax)
                texts.forEach(log.adopt)
                replicas[roomID] = Replica(log: log, isHome: false)
                continue
            }
            guard let replica = replicas[roomID] else { continue }
            apply(item, to: replica)
        }
    }

    func apply(_ item: FlowItem, to replica: Replica) {
        let roomID = replica.log.roomID
        switch item {
        case .open: break
        case .entries(let entries):
            entries.forEach(replica.log.append)
            grew(replica, by: entries.reduce(0) { $0 + $1.weight })
        case .joined(let answer): joined(answer, replica)
        case .left(let ref, let origin):
            if let connection = connections[ref] { unsubscribe(connection, from: replica) }
            deliver(.success(.left(roomID)), to: origin, roomID: roomID, barrier: nil)
        case .removed(let userID):
            for connection in replica.subscribers where connection.user == userID { cut(connection, from: replica) }
        case .deleted:
            let farewell = SharedBytes.textFrame(ServerFrame.left(roomID: roomID, reason: .deletion))
            // An event stream has its own last event, which comes before this, unless the log is too short for it.
            let lost = SharedBytes(
                StreamEvent.lost(at: LogPosition(epoch: replica.log.epoch, seq: replica.log.seq)))
            for connection in replica.subscribers {
                guard let index = connection.outbox.subscription(of: roomID) else { continue }
                connection.outbox.subscriptions[index].farewell = connection.isEventStream ? lost : farewell
                connection.outbox.subscriptions[index].awaitsSnapshot = false
                markDirty(connection)
            }
        case .state(let kind, let frame):
            replica.set(kind, frame)
            markSubscribersDirty(replica)
        case .close: replicas[roomID] = nil
        }
    }

    /// A replica's log has grown by so much.
    func grew(_ replica: Replica, by weight: Int) {
        markSubscribersDirty(replica)
        load.count(weight * replica.subscribers.count)
    }

    func markSubscribersDirty(_ replica: Replica) {
        markCaughtUpDirty(replica)
        for connection in replica.subscribers[replica.caughtUp.count...] { markDirty(connection) }
    }

    private func markCaughtUpDirty(_ replica: Replica) {
        guard !replica.caughtUp.isEmpty, !replica.isDirty else { return }
        replica.isDirty = true
        dirtyReplicas.append(replica)
    }

    /// A connection's user is no longer a member: its cursor ends where it is.
    private func cut(_ connection: Connection, from replica: Replica) {
        unsubscribe(connection, from: replica)
        guard connection.isEventStream else {
            return reply(to: connection, ServerFrame.left(roomID: replica.log.roomID, reason: .membership))
        }
        let position = LogPosition(epoch: replica.log.epoch, seq: replica.log.seq)
        connection.outbox.reply(SharedBytes(StreamEvent.removed(at: position)))
        connection.isOver = true
        connection.wasRemoved = true
        repliesGrew(connection)
    }

    private func joined(_ answer: JoinAnswer, _ replica: Replica) {
        replica.saw(answer)
        guard let connection = connections[answer.connection] else {
            reportIfIdle(replica)
            return
        }
        replica.log.prepend(answer.missed)
        guard replica.log.index(after: answer.position.seq) != nil else {
            // The tail was trimmed while the answer was on its way: only a snapshot is without a gap.
            let roomID = replica.log.roomID
            let seq = answer.position.seq
            send(.snapshotWanted(roomID, answer.connection, answer.cause, after: seq), toHomeOf: roomID)
            return
        }
        if case .watching(let stream) = answer.cause { return beginEvents(of: stream, answer, connection, replica) }
        if case .requested = answer.cause {
            connection.joinEnded(replica.log.roomID)
            connection.unanswered -= 1
        }
        replica.subscribe(connection, at: answer.position.seq, catchUp: answer.catchUp)
        let prefix = ServerFrame.joinedPrefix(id: answer.cause.frameID)
        var head: [UInt8] = []
        WebSocketFrameWriter.header(
            opcode: .text, payloadCount: prefix.count + answer.body.count, fin: true, into: &head)
        connection.outbox.joined(
            replica.log.roomID, SharedBytes(head + prefix), body: answer.body, held: answer.held)
        repliesGrew(connection)
    }

    private func beginEvents(
        of stream: StreamID, _ answer: JoinAnswer, _ connection: Connection, _ replica: Replica
    ) {
        guard !connection.isOver else { return }
        if connection.watched == nil { effects.append(.beginEvents(connection.ref)) }
        connection.watched = stream
        // A reply without bytes would never count as written.
        if answer.body.count > 0 { connection.outbox.reply(answer.body) }
        if answer.isLast {
            unsubscribe(connection, from: replica)
            connection.isOver = true
        } else {
            replica.subscribe(connection, at: answer.position.seq, stream: stream)
        }
        repliesGrew(connection)
    }

    func unsubscribe(_ connection: Connection, from replica: Replica) {
        replica.unsubscribe(connection)
        reportIfIdle(replica)
    }

    private func reportIfIdle(_ replica: Replica) {
        guard replica.subscribers.isEmpty else { return }
        let roomID = replica.log.roomID
        send(.replicaIdle(roomID, loop: index, lastAnswer: replica.lastAnswer), toHomeOf: roomID)
    }
}
