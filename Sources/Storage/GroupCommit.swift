import Chat

/// The writer thread's work: takes what is queued and commits it as one transaction.
///
/// A request that fails is undone, and no other. Savepoints do that, but SQLite copies every page that changes within
/// one, a quarter of its own work for a send. So a batch does without, and only if a request in it is to be undone, all
/// are, and are executed once more with a savepoint each. One that is refused for a conflict or a limit leaves nothing
/// to undo, so no client can make others wait for that.
///
/// When the transaction itself fails (a full disk, an I/O error, a foreign lock) every request in it is answered
/// `.unavailable`, and the next batch starts anew, on a new connection where the old one may have suffered. So the
/// store recovers by itself as soon as the disk does; to see that, it tries once a second while it fails. Before each
/// batch, and once a second without one, it looks whether the files are still there and whole.
/// Invariant: outside `commit` no transaction is open.
struct GroupCommit {
    private let file: DatabaseFile
    private let queue: WorkQueue
    private let report: @Sendable (StorageNews) -> Void
    private var connection: DatabaseConnection?
    private var watch = FileWatch()

    /// While the disk fails a batch is refused this soon when it cannot have the lock: others wait behind it.
    private static let lockMillisecondsInTrouble: Int32 = 250

    init(
        _ connection: DatabaseConnection, of file: DatabaseFile, _ queue: WorkQueue,
        report: @escaping @Sendable (StorageNews) -> Void
    ) {
        connection.keepLog()
        self.connection = connection
        self.file = file
        self.queue = queue
        self.report = report
    }

    mutating func run() {
        while let work = queue.nextWrite() {
            switch work {
            case .look: _ = attempt { (commits, connection) throws(SQLiteError) in try commits.look(connection) }
            case .batch(let batch):
                let results = attempt { (commits, connection) throws(SQLiteError) in
                    try commits.look(connection)
                    return try commits.commit(batch, connection)
                }
                for (job, result) in zip(batch, results ?? batch.map { _ in .unavailable }) { job.completion(result) }
                queue.answered(batch.count)
            }
        }
    }

    /// What came of it, or `nil` if it failed, and so nothing of it was stored.
    private mutating func attempt<Value>(
        _ body: (inout GroupCommit, DatabaseConnection) throws(SQLiteError) -> Value
    ) -> Value? {
        do throws(SQLiteError) {
            let connection = try opened()
            return try body(&self, connection)
        } catch {
            queue.health { health, now in health.writeFailed(error.message, at: now) }.map(report)
            if error.endsConnection { connection = nil } else { connection?.rollBack(report) }
            return nil
        }
    }

    private mutating func opened() throws(SQLiteError) -> DatabaseConnection {
        if let connection { return connection }
        let opened = try file.openWriter()
        opened.keepLog()
        connection = opened
        return opened
    }

    /// Whether the files are still the ones that were opened, and whole. What a log held that was removed is saved: the
    /// connection has it open still, but nobody after it.
    private mutating func look(_ connection: DatabaseConnection) throws(SQLiteError) {
        guard !connection.hasMoved else { throw .moved }
        if let facts = connection.fileFacts, let fault = watch.fault(in: facts) { throw fault }
        guard file.hasLog else { throw .logMoved(isSaved: try connection.foldLog()) }
    }

    private func commit(_ batch: [WriteJob], _ connection: DatabaseConnection) throws(SQLiteError) -> [StorageResult] {
        assert(!connection.isInTransaction)
        let isInTrouble = queue.health { health, _ in health.cannotWrite }
        connection.waitForLocks(
            milliseconds: isInTrouble ? Self.lockMillisecondsInTrouble : DatabaseFile.lockMilliseconds)
        let isProbe = isInTrouble || batch.contains(where: \.isProbe)
        var changesBefore = connection.changesInAll
        try connection.begin(isProbe: isProbe)
        let writer = RoomWriter(connection: connection)
        var results = try performTogether(batch, writer)
        if results.count < batch.count {
            try connection.run("ROLLBACK")
            changesBefore = connection.changesInAll
            try connection.begin(isProbe: isProbe)
            results = try performEach(batch, writer)
        }
        try connection.run("COMMIT")
        let wrote = isProbe || connection.changesInAll != changesBefore
        if !batch.isEmpty { queue.committed() }
        let (slow, news) = queue.health { health, now in
            (health.slowCommit(of: batch.count, at: now), health.committed(wrote: wrote, at: now))
        }
        slow.map(report)
        news.map(report)
        return results
    }

    /// The results in order, fewer than there are requests if one is to be undone.
    private func performTogether(_ batch: [WriteJob], _ writer: RoomWriter) throws(SQLiteError) -> [StorageResult] {
        let connection = writer.connection
        var results: [StorageResult] = []
        results.reserveCapacity(batch.count)
        for job in batch {
            let changesBefore = connection.changesInAll
            do throws(SQLiteError) {
                let result = try job.perform(writer)
                guard result.isKept || connection.changesInAll == changesBefore else { break }
                results.append(result)
            } catch {
                guard connection.isInTransaction else { throw error }
                break
            }
        }
        return results
    }

    private func performEach(_ batch: [WriteJob], _ writer: RoomWriter) throws(SQLiteError) -> [StorageResult] {
        var results: [StorageResult] = []
        for job in batch { results.append(try perform(job, writer)) }
        return results
    }

    private func perform(_ job: WriteJob, _ writer: RoomWriter) throws(SQLiteError) -> StorageResult {
        let connection = writer.connection
        try connection.run("SAVEPOINT request")
        let result: StorageResult
        do throws(SQLiteError) {
            result = try job.perform(writer)
        } catch {
            guard connection.isInTransaction else { throw error }
            if error.isDamage {
                queue.health { health, now in health.readFailed(error.message, at: now) }.map(report)
            } else {
                report(.requestFailed(error.message))
            }
            result = .unavailable
        }
        if !result.isKept { try connection.run("ROLLBACK TO request") }
        try connection.run("RELEASE request")
        return result
    }
}

/// A reader thread's work: one request after the other, each on one consistent state of the database.
struct ReadLoop {
    private let file: DatabaseFile
    private let queue: WorkQueue
    private let report: @Sendable (StorageNews) -> Void
    private var connection: DatabaseConnection?

    init(
        _ connection: DatabaseConnection, of file: DatabaseFile, _ queue: WorkQueue,
        report: @escaping @Sendable (StorageNews) -> Void
    ) {
        self.connection = connection
        self.file = file
        self.queue = queue
        self.report = report
    }

    mutating func run() {
        while let work = queue.nextRead() {
            switch work {
            case .job(let job):
                let began = WorkQueue.now()
                job.completion(answer(job))
                queue.ended(job, after: WorkQueue.now() - began)
            case .check: check()
            }
        }
    }

    private mutating func answer(_ job: ReadJob) -> StorageResult {
        do throws(SQLiteError) {
            let connection = try opened()
            try connection.run("BEGIN")
            let result = try job.perform(RoomReader(connection: connection))
            try connection.run("COMMIT")
            return result
        } catch {
            if error.isOfFile {
                queue.health { health, now in health.readFailed(error.message, at: now) }.map(report)
            } else {
                report(.requestFailed(error.message))
            }
            if error.endsConnection { connection = nil } else { connection?.rollBack(report) }
            return .unavailable
        }
    }

    private mutating func opened() throws(SQLiteError) -> DatabaseConnection {
        if let connection { return connection }
        let opened = try file.openReader()
        connection = opened
        return opened
    }

    /// Reads the whole database on a new connection, which has nothing in memory.
    private mutating func check() {
        connection = nil
        var isSound = false
        do throws(SQLiteError) {
            let opened = try file.openReader()
            isSound = try opened.first("PRAGMA quick_check(1)") { $0.text(0) } == "ok"
            connection = opened
        } catch {
            connection = nil
        }
        queue.health { health, now in health.checked(isSound: isSound, at: now) }.map(report)
    }
}

extension StorageResult {
    /// Whether what the request wrote stays; after any other result it is undone.
    fileprivate var isKept: Bool {
        switch self {
        case .stored, .cleared, .duplicate: true
        case .roomLimitReached, .sessionLimitReached, .memberLimitReached, .room, .roomOfSession, .noMessage,
            .stream, .exchange, .wholeExchange, .history, .historyPage, .rooms, .session, .context, .unavailable:
            false
        }
    }
}

extension DatabaseConnection {
    /// - Parameter isProbe: the transaction writes, whatever is in it.
    fileprivate func begin(isProbe: Bool) throws(SQLiteError) {
        try run("BEGIN IMMEDIATE")
        if isProbe { try writeSomething() }
    }

    /// Ends the transaction that a failure left open, if SQLite has not done so by itself.
    fileprivate func rollBack(_ report: (StorageNews) -> Void) {
        guard isInTransaction else { return }
        do throws(SQLiteError) {
            try run("ROLLBACK")
        } catch {
            report(.requestFailed(error.message))
        }
    }

    /// Writes a page whose content stays as it is: the schema's version is stored anew.
    fileprivate func writeSomething() throws(SQLiteError) {
        try execute("PRAGMA user_version = \(Migrations.version(of: self))")
    }
}
