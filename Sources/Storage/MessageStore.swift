import Chat
import ChatProtocol
import Glibc
import Wire

/// The message store: rooms, sessions, exchanges and messages in one SQLite file, `hubbub.db`.
///
/// Any thread may submit. One thread writes, in group commits; two read. Writes are executed in the order in which
/// they were submitted, and a read sees all writes that were submitted before it. Its owner closes it before letting
/// go of it.
public final class MessageStore: Sendable {
    /// Exchanges that were still running when the last process ended; they are `interrupted` now.
    public let settledAtStart: Int
    /// Answers that an end of the hub interrupted, and that are to be asked for again; oldest first.
    public let interruptedAnswers: [InterruptedAnswer]
    let queue = WorkQueue()
    private let lock: DirectoryLock
    private let file: DatabaseFile
    private let threads: [StorageThread]

    /// Takes the directory for this process, brings the database up to date and settles what was left running.
    ///
    /// - Parameter directory: made if it is missing, with mode 0700.
    /// - Parameter now: the wall clock; when the settled exchanges ended.
    /// - Parameter interruptedSince: an interrupted answer is to be asked for again if it was first asked for then or
    ///   later; `nil` means none.
    /// - Parameter report: receives what the operator should know of, on a storage thread.
    public init(
        directory: String, now: Timestamp, interruptedSince: Timestamp? = nil,
        report: @escaping @Sendable (StorageNews) -> Void = { _ in }
    ) throws(StoreError) {
        let lock = try DirectoryLock(directory: directory)
        let path = directory + "/hubbub.db"
        let threads: [StorageThread]
        do throws(StoreError) {
            let (file, writer) = try Self.open(path)
            try Self.migrate(writer, path: path, to: Migrations.all.count)
            settledAtStart = try Self.settle(writer, path: path, now: now)
            interruptedAnswers = try Self.interruptedAnswers(writer, path: path, since: interruptedSince)
            let first = try Self.openReader(file)
            let second = try Self.openReader(file)
            self.file = file
            threads = [
                Self.startWriter(writer, of: file, queue, report), Self.startReader(first, of: file, queue, report),
                Self.startReader(second, of: file, queue, report),
            ]
        } catch {
            lock.release()
            throw error
        }
        self.lock = lock
        self.threads = threads
    }

    /// Queues a request; never waits for the disk.
    ///
    /// - Parameter user: who asks; reads are shared out fairly among the users. `nil`: the hub for itself.
    /// - Parameter completion: called once, on a storage thread; after `close` at once with `.unavailable`.
    public func submit(
        _ request: StorageRequest, for user: UserID? = nil, completion: @escaping @Sendable (StorageResult) -> Void
    ) {
        let isTaken =
            switch request.work {
            case .write(let bytes, let perform):
                queue.submit(WriteJob(bytes: bytes, perform: perform, completion: completion))
            case .read(let perform): queue.submit(ReadJob(owner: user, perform: perform, completion: completion))
            }
        if !isTaken { completion(.unavailable) }
    }

    /// Answers what is queued, writes the log back into the database file and frees the directory.
    ///
    /// It waits for the storage threads, so it must not be called on one. A second call does nothing.
    public func close() {
        guard queue.close() else { return }
        for thread in threads { thread.join() }
        // The last connection to close folds the log into the file; a reader cannot.
        if let last = try? file.openWriter() { try? last.execute("PRAGMA wal_checkpoint(TRUNCATE)") }
        lock.release()
    }

    private static func startWriter(
        _ connection: sending DatabaseConnection, of file: DatabaseFile, _ queue: WorkQueue,
        _ report: @escaping @Sendable (StorageNews) -> Void
    ) -> StorageThread {
        StorageThread(name: "storage-write") {
            var commits = GroupCommit(connection, of: file, queue, report: report)
            commits.run()
        }
    }

    private static func startReader(
        _ connection: sending DatabaseConnection, of file: DatabaseFile, _ queue: WorkQueue,
        _ report: @escaping @Sendable (StorageNews) -> Void
    ) -> StorageThread {
        StorageThread(name: "storage-read") {
            var reads = ReadLoop(connection, of: file, queue, report: report)
            reads.run()
        }
    }
}

// Health.
extension MessageStore {
    /// What is wrong at present, as far as it is known; never waits.
    public var trouble: StorageTrouble? { queue.health { health, now in health.trouble(at: now) } }

    /// Tells whether the store writes and reads. What is known to fail is told at once; else a read is made, and before
    /// it a write unless one reached the disk within the last second.
    ///
    /// - Parameter completion: called once, with `nil` if all is well; on a storage thread, or at once on this one.
    public func check(completion: @escaping @Sendable (StorageTrouble?) -> Void) {
        if let trouble { return completion(trouble) }
        if !queue.health({ health, now in health.wroteLately(at: now) }) {
            _ = queue.submit(
                WriteJob(
                    bytes: 0, perform: { (_) throws(SQLiteError) in .stored }, completion: { _ in }, isProbe: true))
        }
        submit(.findStream(StreamID(""))) { [queue] result in
            let trouble = queue.health { health, now in health.trouble(at: now) }
            guard case .unavailable = result else { return completion(trouble) }
            completion(trouble ?? StorageTrouble(reason: "the store does not answer", seconds: 0))
        }
    }
}

// The schema.
extension MessageStore {
    /// The version that this program's database has.
    public static var schemaVersion: Int { Migrations.all.count }

    /// The version of a directory's database, 0 if there is none yet. Reads beside a running hub.
    public static func installedVersion(directory: String) throws(StoreError) -> Int {
        let path = directory + "/hubbub.db"
        guard access(path, F_OK) == 0 else { return 0 }
        do throws(SQLiteError) {
            return try Migrations.version(of: DatabaseConnection(path: path, isReadOnly: true))
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Takes a directory's schema up or down to a version; `nil` is the newest. Down loses what only newer ones hold.
    ///
    /// - Parameter report: receives one line for each step.
    public static func migrate(
        directory: String, to version: Int?, report: (String) -> Void
    ) throws(StoreError) {
        let target = version ?? schemaVersion
        guard (0...schemaVersion).contains(target) else { throw .unknownVersion(target, known: schemaVersion) }
        let lock = try DirectoryLock(directory: directory)
        defer { lock.release() }
        let path = directory + "/hubbub.db"
        try migrate(open(path).connection, path: path, to: target, report: report)
    }

    private static func migrate(
        _ connection: DatabaseConnection, path: String, to target: Int, report: (String) -> Void = { _ in }
    ) throws(StoreError) {
        let found: Int
        do throws(SQLiteError) {
            found = try Migrations.version(of: connection)
            if found <= schemaVersion { try Migrations.migrate(connection, to: target, report: report) }
        } catch {
            throw StoreError(migrating: path, error)
        }
        guard found <= schemaVersion else { throw .newerSchema(found: found, known: schemaVersion) }
    }
}

// Connections.
extension MessageStore {
    private static func open(
        _ path: String
    ) throws(StoreError) -> (file: DatabaseFile, connection: DatabaseConnection) {
        do throws(SQLiteError) {
            return try DatabaseFile.create(path)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    private static func openReader(_ file: DatabaseFile) throws(StoreError) -> DatabaseConnection {
        do throws(SQLiteError) {
            return try file.openReader()
        } catch {
            throw StoreError(error, path: file.path)
        }
    }

    private static func settle(_ connection: DatabaseConnection, path: String, now: Timestamp) throws(StoreError) -> Int
    {
        do throws(SQLiteError) {
            try connection.execute("BEGIN IMMEDIATE")
            let count = try RoomWriter(connection: connection).settleRunning(at: now)
            try connection.execute("COMMIT")
            return count
        } catch {
            throw StoreError(error, path: path)
        }
    }

    private static func interruptedAnswers(
        _ connection: DatabaseConnection, path: String, since: Timestamp?
    ) throws(StoreError) -> [InterruptedAnswer] {
        guard let since else { return [] }
        do throws(SQLiteError) {
            return try connection.interruptedAnswers(since: since)
        } catch {
            throw StoreError(error, path: path)
        }
    }
}

/// What a request is to the threads.
enum Work {
    case write(bytes: Int, @Sendable (RoomWriter) throws(SQLiteError) -> StorageResult)
    case read(@Sendable (RoomReader) throws(SQLiteError) -> StorageResult)
}

extension StorageRequest {
    var work: Work {
        switch self {
        case .createRoom(let room, let roomsMax):
            .write(bytes: 0) { (writer) throws(SQLiteError) in try writer.createRoom(room, roomsMax: roomsMax) }
        case .loadRoom(let roomID, let exchangesMax):
            .read { (reader) throws(SQLiteError) in try reader.loadRoom(roomID, exchangesMax: exchangesMax) }
        case .updateRoom(let room):
            .write(bytes: 0) { (writer) throws(SQLiteError) in try writer.updateRoom(room) }
        case .setMember(let roomID, let member, let max):
            .write(bytes: 0) { (writer) throws(SQLiteError) in
                try writer.setMember(roomID, member, membersMax: max)
            }
        case .removeMember(let roomID, let userID):
            .write(bytes: 0) { (writer) throws(SQLiteError) in try writer.removeMember(roomID, userID) }
        case .deleteRoom(let roomID, let now, let outcomes):
            .write(bytes: outcomes.reduce(0) { $0 + $1.bytes }) { (writer) throws(SQLiteError) in
                try writer.deleteRoom(roomID, at: now, outcomes: outcomes)
            }
        case .insertMessage(let insertion):
            .write(bytes: insertion.message.text.utf8.count) { (writer) throws(SQLiteError) in
                try writer.insertMessage(insertion)
            }
        case .findMessage(let roomID, let userID, let messageID, let text):
            .read { (reader) throws(SQLiteError) in
                try reader.findMessage(roomID, userID, messageID: messageID, text: text)
            }
        case .startExchange(let exchangeID, let now):
            .write(bytes: 0) { (writer) throws(SQLiteError) in try writer.startExchange(exchangeID, at: now) }
        case .appendSegment(let segment):
            .write(bytes: segment.text.count + segment.reasoning.count) { (writer) throws(SQLiteError) in
                try writer.appendSegment(segment)
            }
        case .finishExchange(let outcome):
            .write(bytes: outcome.bytes) { (writer) throws(SQLiteError) in try writer.finishExchange(outcome) }
        case .findStream(let streamID):
            .read { (reader) throws(SQLiteError) in try reader.findStream(streamID) }
        case .findExchange(let roomID, let exchangeID):
            .read { (reader) throws(SQLiteError) in try reader.findExchange(roomID, exchangeID) }
        case .readExchange(let roomID, let name):
            .read { (reader) throws(SQLiteError) in try reader.readExchange(roomID, name) }
        case .markCancelled(let exchangeIDs, let now):
            .write(bytes: 0) { (writer) throws(SQLiteError) in try writer.markCancelled(exchangeIDs, at: now) }
        case .createSession, .findSession, .findRoom, .touchSession, .closeSession, .resetSession: workOnSession
        case .clearHistory(let roomID, let sessionID):
            .write(bytes: 0) { (writer) throws(SQLiteError) in try writer.clearHistory(roomID, sessionID) }
        case .context(let sessionID, let agent, let exchange, let limit):
            .read { (reader) throws(SQLiteError) in
                try reader.context(sessionID, agent, of: exchange, limit: limit)
            }
        case .markRead(let roomID, let userID, let exchangeID, let now):
            .write(bytes: 0) { (writer) throws(SQLiteError) in
                try writer.markRead(roomID, userID, exchangeID, at: now)
            }
        case .historyBefore(let roomID, let before, let limit):
            .read { (reader) throws(SQLiteError) in try reader.historyBefore(roomID, before, limit: limit) }
        case .historyPage(let filter, let limit, let offset):
            .read { (reader) throws(SQLiteError) in try reader.historyPage(filter, limit: limit, offset: offset) }
        case .listRooms(let userID, let page):
            .read { (reader) throws(SQLiteError) in try reader.listRooms(userID, page) }
        }
    }
}

extension StorageRequest {
    private var workOnSession: Work {
        switch self {
        case .createSession(let session, let max):
            .write(bytes: 0) { (writer) throws(SQLiteError) in try writer.createSession(session, sessionsMax: max) }
        case .findRoom(let sessionID):
            .read { (reader) throws(SQLiteError) in try reader.findRoom(of: sessionID) }
        case .findSession(let sessionID):
            .read { (reader) throws(SQLiteError) in try reader.findSession(sessionID) }
        case .touchSession(let sessionID, let expiresAt):
            .write(bytes: 0) { (writer) throws(SQLiteError) in
                try writer.touchSession(sessionID, expiresAt: expiresAt)
            }
        case .closeSession(let sessionID, let now):
            .write(bytes: 0) { (writer) throws(SQLiteError) in try writer.closeSession(sessionID, at: now) }
        case .resetSession(let sessionID, let agent, let now):
            .write(bytes: 0) { (writer) throws(SQLiteError) in try writer.resetSession(sessionID, agent, at: now) }
        default: preconditionFailure("not a request about a session")
        }
    }
}

extension ExchangeOutcome {
    fileprivate var bytes: Int { text.count + reasoning.count }
}
