import Chat
import ChatProtocol
import Glibc
import Synchronization
import Testing
import Wire

@testable import Storage

/// A directory of its own for one test, removed with all that is in it when the test ends.
final class Scratch: Sendable {
    let path: String

    init() {
        var template = Array("\(Self.base)/hubbub-storage-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template)!)
    }

    deinit {
        for name in ["hubbub.db", "hubbub.db-wal", "hubbub.db-shm", "hubbub.lock"] { unlink("\(path)/\(name)") }
        rmdir("\(path)/hubbub.db")
        rmdir(path)
    }

    var database: String { "\(path)/hubbub.db" }

    func open(at now: Int64 = 0) throws -> MessageStore {
        try MessageStore(directory: path, now: Timestamp(milliseconds: now))
    }

    private static var base: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }
}

/// Writes over what is there, and cuts it to size.
func copyFile(_ from: String, _ to: String) throws {
    let source = try #require(fopen(from, "rb"))
    defer { fclose(source) }
    let target = try #require(fopen(to, "wb"))
    defer { fclose(target) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&bytes, 1, bytes.count, source), count > 0 { fwrite(bytes, 1, count, target) }
}

/// What came on other threads, in order.
final class Inbox<Item: Sendable>: Sendable {
    private let items = Mutex<[Item]>([])
    private let semaphore = Semaphore()

    func add(_ item: Item) {
        items.withLock { $0.append(item) }
        semaphore.signal()
    }

    /// Waits for the next one.
    func next() -> Item {
        semaphore.wait()
        return items.withLock { $0.removeFirst() }
    }
}

/// Collects the answers of many requests, in the order in which they came.
final class Answers: Sendable {
    private let collected = Mutex<[(label: Int, result: StorageResult)]>([])
    private let semaphore = Semaphore()

    func take(_ label: Int) -> @Sendable (StorageResult) -> Void {
        { result in
            self.collected.withLock { $0.append((label, result)) }
            self.semaphore.signal()
        }
    }

    func wait(for count: Int) -> [(label: Int, result: StorageResult)] {
        for _ in 0..<count { semaphore.wait() }
        return collected.withLock { $0 }
    }
}

/// A POSIX semaphore at a stable address.
struct Semaphore: Sendable {
    private nonisolated(unsafe) let handle = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(handle, 0, 0) }

    func signal() { sem_post(handle) }
    func wait() { while sem_wait(handle) != 0 {} }
}

extension MessageStore {
    /// Submits and waits for the answer.
    func answer(_ request: StorageRequest) -> StorageResult {
        let answers = Answers()
        submit(request, completion: answers.take(0))
        return answers.wait(for: 1)[0].result
    }

    /// Asks for its health and waits for the answer.
    func checked() -> StorageTrouble? {
        let inbox = Inbox<StorageTrouble?>()
        check { inbox.add($0) }
        return inbox.next()
    }

    /// Runs SQL on the writer's connection, as a request of its own.
    @discardableResult func onWriter(_ sql: String) -> StorageResult {
        let answers = Answers()
        submit(sql, completion: answers.take(0))
        return answers.wait(for: 1)[0].result
    }

    func submit(_ sql: String, completion: @escaping @Sendable (StorageResult) -> Void) {
        let job = WriteJob(
            bytes: 0,
            perform: { (writer) throws(SQLiteError) in
                try writer.connection.execute(sql)
                return .stored
            }, completion: completion)
        #expect(queue.submit(job))
    }

    /// Holds the writer until the semaphore is signalled, so that what is submitted meanwhile becomes one batch.
    func hold(until released: Semaphore) {
        let entered = Semaphore()
        let job = WriteJob(
            bytes: 0,
            perform: { (_) throws(SQLiteError) in
                entered.signal()
                released.wait()
                return .stored
            }, completion: { _ in })
        #expect(queue.submit(job))
        entered.wait()
    }

    /// Submits requests while the writer is held, so that they become one batch or as few as hold them, and waits for
    /// their results, which must come in order.
    func answerTogether(_ requests: [StorageRequest]) -> [StorageResult] {
        let released = Semaphore()
        let answers = Answers()
        hold(until: released)
        for (number, request) in requests.enumerated() { submit(request, completion: answers.take(number)) }
        released.signal()
        let results = answers.wait(for: requests.count)
        #expect(results.map { $0.label } == Array(requests.indices))
        return results.map { $0.result }
    }
}

extension StorageResult {
    var isStored: Bool { if case .stored = self { true } else { false } }
    var isUnavailable: Bool { if case .unavailable = self { true } else { false } }
    var isRoomLimitReached: Bool { if case .roomLimitReached = self { true } else { false } }
    var isSessionLimitReached: Bool { if case .sessionLimitReached = self { true } else { false } }
    var isMemberLimitReached: Bool { if case .memberLimitReached = self { true } else { false } }
    var head: RoomHead? { if case .room(let head) = self { head } else { nil } }
    var duplicate: StoredMessage? { if case .duplicate(let message) = self { message } else { nil } }
    var stream: StoredStream? { if case .stream(let stream) = self { stream } else { nil } }
    var history: [ExchangeRecord]? { if case .history(let exchanges, _) = self { exchanges } else { nil } }
    var nextBefore: ExchangeID? { if case .history(_, let before) = self { before } else { nil } }
    var page: [ExchangeRecord]? { if case .historyPage(let exchanges, _, _) = self { exchanges } else { nil } }
    var next: Int64? { if case .historyPage(_, _, let next) = self { next } else { nil } }
    var wholeExchange: ExchangeRecord? { if case .wholeExchange(let exchange) = self { exchange } else { nil } }
    var rooms: [RoomListing]? { if case .rooms(let rooms, _) = self { rooms } else { nil } }
    var exchange: RegeneratedExchange? { if case .exchange(let exchange) = self { exchange } else { nil } }
    var session: SessionRecord? { if case .session(let session) = self { session } else { nil } }
    var roomOfSession: RoomID? { if case .roomOfSession(let room) = self { room } else { nil } }
    var cleared: Int? { if case .cleared(let count) = self { count } else { nil } }
    /// Each message as `role: text`.
    var context: [String]? {
        if case .context(let messages) = self { messages.map { "\($0.role.rawValue): \($0.text)" } } else { nil }
    }
    var total: Int? {
        switch self {
        case .historyPage(_, let total, _): total
        case .rooms(_, let total): total
        case .stored, .roomLimitReached, .sessionLimitReached, .memberLimitReached, .room, .roomOfSession, .duplicate,
            .noMessage, .stream, .exchange, .wholeExchange, .history, .session, .cleared, .context, .unavailable:
            nil
        }
    }
}

extension Timestamp {
    static func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }
}

extension RoomRecord {
    static func example(
        _ id: String, owner: String = "ada", name: String = "Room", createdAt: Int64 = 0, metadata: JSONObject = [:],
        session: SessionID? = nil
    ) -> RoomRecord {
        RoomRecord(
            roomID: RoomID(id), userID: UserID(owner), name: name, createdAt: .at(createdAt),
            lastActivity: .at(createdAt), messageCount: 0, metadata: metadata,
            defaultSessionID: session ?? SessionID("session_\(id)"))
    }
}

extension StorageRequest {
    static func createSession(_ session: SessionRecord) -> StorageRequest {
        .createSession(session, sessionsMax: Limits().sessionsPerRoom)
    }

    static func loadRoom(_ id: RoomID) -> StorageRequest {
        .loadRoom(id, exchangesMax: Limits().snapshotExchangesMax)
    }

    static func create(_ id: String, owner: String = "ada", roomsMax: Int = 0) -> StorageRequest {
        .createRoom(.example(id, owner: owner), roomsMax: roomsMax)
    }

    static func member(
        _ user: String, of room: String = "r", _ role: MemberRole = .editor, at time: Int64 = 3, max: Int = 1_000
    ) -> StorageRequest {
        .setMember(
            RoomID(room), MemberRecord(userID: UserID(user), role: role, joinedAt: .at(time)), membersMax: max)
    }

    static func noMember(_ user: String, of room: String = "r") -> StorageRequest {
        .removeMember(RoomID(room), UserID(user))
    }

    /// A message of a user in a room; exchange `e` has stream `stream_e`.
    static func message(
        _ text: String, in room: String = "r", exchange: String, key: String? = nil, user: String = "ada",
        opens: Bool = true, session: String? = nil, agent: String = "guide", regenerates: String? = nil,
        at time: Int64 = 1
    ) -> StorageRequest {
        .insertMessage(
            MessageInsertion(
                exchange: ExchangeRecord(
                    exchangeID: ExchangeID(exchange), streamID: StreamID("stream_\(exchange)"), roomID: RoomID(room),
                    sessionID: SessionID(session ?? "session_\(room)"), userID: UserID(user), agentType: agent,
                    regenerateOf: regenerates.map { ExchangeID($0) }, startedAt: .at(time)),
                opensExchange: opens,
                message: MessageRecord(
                    messageID: key, userID: UserID(user), role: .user, text: text, timestamp: .at(time))))
    }

    /// A message that no agent answers.
    static func note(
        _ text: String, in room: String = "r", exchange: String, key: String? = nil, user: String = "ada",
        at time: Int64 = 1
    ) -> StorageRequest {
        var record = ExchangeRecord(
            exchangeID: ExchangeID(exchange), streamID: StreamID(""), roomID: RoomID(room),
            sessionID: SessionID("session_\(room)"), userID: UserID(user), agentType: "", startedAt: .at(time))
        record.status = .completed
        return .insertMessage(
            MessageInsertion(
                exchange: record, opensExchange: true,
                message: MessageRecord(
                    messageID: key, userID: UserID(user), role: .user, text: text, timestamp: .at(time))))
    }

    static func read(
        _ exchange: String, in room: String = "r", by user: String = "ada", at time: Int64 = 5
    ) -> StorageRequest {
        .markRead(RoomID(room), UserID(user), ExchangeID(exchange), at: .at(time))
    }

    static func segment(
        _ exchange: String, _ offset: Int, _ text: String, reasoning: (Int, String) = (0, ""),
        events: [JSONValue] = []
    ) -> StorageRequest {
        .appendSegment(
            ResponseSegment(
                exchangeID: ExchangeID(exchange), textOffset: offset, text: Array(text.utf8),
                reasoningOffset: reasoning.0, reasoning: Array(reasoning.1.utf8), events: events))
    }

    static func finish(
        _ exchange: String, _ text: String, _ status: ExchangeStatus = .completed, at time: Int64 = 9
    ) -> StorageRequest {
        .finishExchange(.example(exchange, text, status, at: time))
    }

    static func page(_ filter: HistoryFilter, limit: Int = 50, offset: Int = 0) -> StorageRequest {
        .historyPage(filter, limit: limit, offset: offset)
    }

    static func reset(_ session: String = "session_r", agent: String? = nil) -> StorageRequest {
        .resetSession(SessionID(session), agentType: agent, at: .at(20))
    }

    static func clear(_ room: String = "r", session: String? = nil) -> StorageRequest {
        .clearHistory(RoomID(room), session.map { SessionID($0) })
    }

    static func context(
        _ session: String = "session_r", agent: String = "guide", of exchange: String? = nil, limit: Int = 20
    ) -> StorageRequest {
        .context(SessionID(session), agentType: agent, of: exchange.map { ExchangeID($0) }, limit: limit)
    }

    static func history(_ room: String = "r", before: String? = nil, limit: Int = 20) -> StorageRequest {
        .historyBefore(RoomID(room), before.map { ExchangeID($0) }, limit: limit)
    }
}

extension ExchangeOutcome {
    static func example(
        _ exchange: String, _ text: String, _ status: ExchangeStatus = .completed, at time: Int64 = 9
    ) -> ExchangeOutcome {
        ExchangeOutcome(
            exchangeID: ExchangeID(exchange), outcome: StreamOutcome(status: status, endedAt: .at(time)),
            text: Array(text.utf8), reasoning: [], events: [])
    }
}
