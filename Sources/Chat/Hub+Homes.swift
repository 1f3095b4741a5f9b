import ChatProtocol
import Wire

// The homes of a loop: users route commands and hold permits, rooms decide.
extension Hub {
    func handle(_ message: HubMessage) {
        switch message {
        case .socketOpened(let userID, let ref): openSocket(ref, of: userID)
        case .socketClosed(let userID, let ref, let rooms):
            withUser(userID) { $0.close(ref) }
            for roomID in rooms { send(.socketLeft(roomID, ref), toHomeOf: roomID) }
        case .socketLeft(let roomID, let ref):
            if let room = rooms[roomID] {
                touch(room)
                room.socketLeft(ref)
            }
        case .command(let command): route(command)
        case .roomCommand(let roomID, let command): admit(command, to: .room(roomID))
        case .createRoom(let record, let command): createRoom(record, command)
        case .cancelStream(let streamID, let command): admit(command, to: .stream(streamID))
        case .releaseTokens(let streamID, let count):
            if let (room, turn) = streams[streamID] { room.release(count, of: turn) }
        case .sessionCommand(let sessionID, let command): admit(command, to: .session(sessionID))
        case .snapshotWanted(let roomID, let ref, let cause, let seq):
            sendSnapshot(of: roomID, after: seq, to: ref, cause)
        case .replicaIdle(let roomID, let loop, let lastAnswer):
            if let room = rooms[roomID] {
                touch(room)
                room.replicaIdle(loop: loop, lastAnswer: lastAnswer)
            }
        case .flow(let roomID, let items): apply(items, to: roomID)
        case .permitReturned(let userID): withUser(userID) { $0.returnPermit() }
        case .notice(let userIDs, let notice): spread(notice, to: userIDs)
        case .answer(let origin, let result, let roomID, let barrier):
            deliver(result, to: origin, roomID: roomID, barrier: barrier)
        case .deliverNotice(let sockets, let notice): deliver(notice, to: sockets)
        case .closeSocket(let ref, let code, let reason):
            if connections[ref] != nil { effects.append(.close(ref, code, reason: reason)) }
        }
    }

    // MARK: - Users

    private func withUser(_ id: UserID, _ body: (User) -> Void) {
        let user = users[id] ?? User(id: id)
        users[id] = user
        body(user)
        if user.isIdle { users[id] = nil }
    }

    private func openSocket(_ ref: ConnectionRef, of userID: UserID) {
        let limit = configuration.limits.socketsPerUser
        withUser(userID) { user in
            guard !user.open(ref, max: limit) else { return }
            send(
                .closeSocket(ref, .tooManyConnections, reason: "a user may hold \(limit) connections"),
                to: ref.loop)
        }
    }

    private func route(_ command: Command) {
        switch command.request {
        case .createRoom(let creation): makeRoom(creation, command)
        case .listRooms(let page):
            ask(.listRooms(command.user, page), .answer(command.origin, nil), for: command.user)
        case .join(let joins):
            for join in joins { forward(command, to: join.roomID) }
        case .getRoom(let roomID), .updateRoom(let roomID, _), .deleteRoom(let roomID), .leave(let roomID),
            .setMember(let roomID, _, _), .removeMember(let roomID, _),
            .history(let roomID, _, _), .openSession(let roomID?), .typing(let roomID, _), .read(let roomID, _),
            .clearHistory(let roomID?, nil), .exchange(let roomID, _):
            forward(command, to: roomID)
        case .openSession(nil): makeRoom(RoomCreation(), command)
        case .historyPage(let filter, let limit, let offset): routeHistory(filter, limit, offset, command)
        case .send(let send): forward(withPermit(command), to: send.roomID)
        case .begin(var send):
            let record = newRoom(RoomCreation(), of: command.user)
            send.roomID = record.roomID
            var command = withPermit(command)
            command.request = .send(send)
            self.send(.createRoom(record, command), toHomeOf: record.roomID)
        case .cancel(.room(let roomID, _)): forward(command, to: roomID)
        case .cancel(.stream(let id)): forward(.cancelStream(id, command), by: id.text, prefix: "stream_", command)
        case .release(let id, let count):
            forward(.releaseTokens(id, count), by: id.text, prefix: "stream_", command)
        case .watch(let watch):
            let id = watch.sessionID
            forward(.sessionCommand(id, command), by: id.text, prefix: "session_", command)
        case .cancel(.session(let id)), .closeSession(let id), .getSession(let id), .stopSession(let id),
            .reset(let id, _), .clearHistory(_, let id?):
            forward(.sessionCommand(id, command), by: id.text, prefix: "session_", command)
        case .auth, .clearHistory, .ping:
            preconditionFailure("answered on the socket's loop")
        }
    }

    private func forward(_ command: Command, to roomID: RoomID) {
        send(.roomCommand(roomID, command), toHomeOf: roomID)
    }

    private func forward(_ message: HubMessage, by id: String, prefix: String, _ command: Command) {
        guard let slot = Slot(in: id, prefix: prefix) else {
            answer(command.origin, .failure(HubError(.notFound, "there is no such stream or session")), roomID: nil)
            return
        }
        send(message, to: configuration.home(of: slot))
    }

    /// A stream permit goes with the command if one is free.
    private func withPermit(_ command: Command) -> Command {
        var command = command
        withUser(command.user) { command.hasPermit = $0.takePermit(max: configuration.limits.streamsPerUser) }
        return command
    }

    /// A room or a session is read at its room's home, where rights are checked; what a user said everywhere, by that
    /// user alone.
    private func routeHistory(_ filter: HistoryFilter, _ limit: Int, _ offset: Int, _ command: Command) {
        if let roomID = filter.roomID { return forward(command, to: roomID) }
        if let id = filter.sessionID {
            return forward(.sessionCommand(id, command), by: id.text, prefix: "session_", command)
        }
        guard filter.userID == command.user else { return answer(command.origin, .failure(.notYours), roomID: nil) }
        ask(.historyPage(filter, limit: limit, offset: offset), .answer(command.origin, nil), for: command.user)
    }

    private func makeRoom(_ creation: RoomCreation, _ command: Command) {
        let record = newRoom(creation, of: command.user)
        send(.createRoom(record, command), toHomeOf: record.roomID)
    }

    private func newRoom(_ creation: RoomCreation, of user: UserID) -> RoomRecord {
        let roomID = makeRoomID()
        return RoomRecord(
            roomID: roomID, userID: user, name: creation.name, createdAt: now.timestamp, lastActivity: now.timestamp,
            messageCount: 0, metadata: creation.metadata,
            defaultSessionID: SessionID(makeID("session_", in: roomID)))
    }

    private func spread(_ notice: RoomNotice, to userIDs: [UserID]) {
        var sockets: [Int: [ConnectionRef]] = [:]
        for user in userIDs.compactMap({ users[$0] }) {
            for socket in user.sockets { sockets[socket.loop, default: []].append(socket) }
        }
        for loop in sockets.keys.sorted() { send(.deliverNotice(sockets[loop] ?? [], notice), to: loop) }
    }

    // MARK: - Rooms

    /// The room, loading it if it is not in memory.
    private func withRoom(_ id: RoomID, for user: UserID, _ body: (Room) -> Void) {
        let room = rooms[id] ?? load(id, for: user)
        touch(room)
        body(room)
    }

    private func load(_ id: RoomID, for user: UserID) -> Room {
        let room = Room(id: id, hub: self)
        rooms[id] = room
        room.ask(.loadRoom(id, exchangesMax: configuration.limits.snapshotExchangesMax), .head, for: user)
        return room
    }

    private func createRoom(_ record: RoomRecord, _ command: Command) {
        let room = Room(id: record.roomID, hub: self)
        rooms[record.roomID] = room
        touch(room)
        if case .send(let send) = command.request { return room.begin(record, with: send, command) }
        room.ask(
            .createRoom(record, roomsMax: configuration.limits.roomsPerUser), .creation(record, command))
    }

    /// Takes a command to its room, which may have to be loaded or found first.
    func perform(_ command: Command, at address: Addressed) {
        switch address {
        case .room(let roomID): withRoom(roomID, for: command.user) { $0.handle(command) }
        case .session(let sessionID): perform(command, on: sessionID)
        case .stream(let streamID): cancelStream(streamID, command)
        }
    }

    private func cancelStream(_ streamID: StreamID, _ command: Command) {
        guard let room = streams[streamID]?.room else {
            ask(.findStream(streamID), .streamStatus(command.origin), for: command.user)
            return
        }
        touch(room)
        room.handle(command)
    }

    /// Takes a command to its session's room, which may have to be found first.
    private func perform(_ command: Command, on sessionID: SessionID) {
        guard let room = sessionRooms[sessionID] else {
            if case .historyPage(let filter, _, _) = command.request {
                return ask(.findRoom(of: sessionID), .history(filter, command), for: command.user)
            }
            wait(command, at: .session(sessionID))
            return ask(.findSession(sessionID), .session(sessionID, command), for: command.user)
        }
        touch(room)
        room.handle(command)
    }

    func found(_ result: StorageResult, of sessionID: SessionID, for command: Command) {
        resume(command, at: .session(sessionID)) {
            switch result {
            case .session(let session?):
                withRoom(session.roomID, for: command.user) { room in
                    room.meet(session)
                    room.handle(command)
                }
            case .unavailable: answer(command.origin, .failure(.storageUnavailable), roomID: nil)
            default: answer(command.origin, .failure(.noSession), roomID: nil)
            }
        }
    }

    /// A session of no room has no history.
    func roomFound(_ result: StorageResult, _ filter: HistoryFilter, for command: Command) {
        switch result {
        case .roomOfSession(let roomID?): withRoom(roomID, for: command.user) { $0.handle(command) }
        case .unavailable: answer(command.origin, .failure(.storageUnavailable), roomID: nil)
        default: answer(command.origin, .success(.historyPage([], total: 0)), roomID: nil)
        }
    }

    /// A room that has replicas is in memory, unless it was deleted; then its readers are on their way out. A socket's
    /// wish for a snapshot comes straight from its loop and may come behind its `leave`: then it is not brought back.
    private func sendSnapshot(of roomID: RoomID, after seq: UInt64, to ref: ConnectionRef, _ cause: JoinCause) {
        if let room = rooms[roomID], room.hasHead, room.awaits(ref, cause) {
            touch(room)
            room.snapshotWanted(by: ref, cause, after: seq)
        } else if case .requested(let id) = cause {
            answer(
                Origin(connection: ref, face: .frame(id: id, type: .join)), .failure(.noRoom), roomID: roomID)
        }
    }

    /// The room's log and tail are gone from memory.
    func forget(_ room: Room) {
        guard rooms[room.id] === room else { return }
        for index in room.sessions.indices { room.left(room.sessions[index]) }
        rooms[room.id] = nil
        if let replica = replicas[room.id], replica.isHome { replicas[room.id] = nil }
        memoryBytes -= room.accountedBytes
        room.accountedBytes = 0
        room.hasLeftMemory = true
    }

    // MARK: - Answers of storage

    func answer(to result: StorageResult) -> Result<Ack, HubError> {
        switch result {
        case .rooms(let rooms, let total): .success(.rooms(rooms, total: total))
        case .history(let exchanges, let nextBefore): .success(.history(exchanges, nextBefore: nextBefore))
        case .historyPage(let exchanges, let total, let next):
            .success(.historyPage(exchanges, total: total, next: next))
        case .wholeExchange(let exchange?): .success(.exchange(exchange))
        case .wholeExchange(nil): .failure(HubError(.notFound, "the exchange was removed from the history"))
        case .unavailable: .failure(.storageUnavailable)
        case .stored, .roomLimitReached, .sessionLimitReached, .memberLimitReached, .room, .duplicate, .noMessage,
            .stream, .exchange, .session, .roomOfSession, .cleared, .context:
            .success(.empty)
        }
    }

    func cancelAnswer(to result: StorageResult) -> Result<Ack, HubError> {
        switch result {
        case .stream(let stream?): .success(.cancel(.ended(stream.status)))
        case .unavailable: .failure(.storageUnavailable)
        default: .failure(HubError(.notFound, "there is no such stream"))
        }
    }

    // MARK: - Identifiers

    /// An identifier for something inside a room: it carries the room's slot, so it routes without a look-up.
    func makeID(_ prefix: String, in roomID: RoomID) -> String {
        prefix + Slot(of: roomID.text).hex + hex(randomBits(), digits: 16)
    }

    func makeEpoch() -> String { hex(randomBits(), digits: 16) }

    /// `room_` with a random UUID (RFC 9562, version 4).
    private func makeRoomID() -> RoomID {
        let high = randomBits() & 0xffff_ffff_ffff_0fff | 0x4000
        let low = randomBits() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        let digits = Array(hex(high, digits: 16) + hex(low, digits: 16))
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }
        return RoomID("room_" + groups.joined(separator: "-"))
    }

    private func hex(_ bits: UInt64, digits: Int) -> String {
        let text = String(bits, radix: 16)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }
}

extension HubError {
    static let notYours = HubError(.accessDenied, "Access denied: this belongs to another user")
    static let storageUnavailable = HubError(
        .storageUnavailable, "nothing was stored, because storage is not available now; try again",
        retryAfterMilliseconds: 1000)
}
