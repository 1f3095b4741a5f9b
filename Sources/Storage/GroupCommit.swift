import Chat

/// The writer thread's work: takes what is queued and commits it as one transaction.
///
/// Each request has its own savepoint, so a conflict or a reached limit undoes that request only. When the transaction
/// itself fails (a full disk, an I/O error, a foreign lock) every request in it is answered `.unavailable`, and the
/// next batch starts anew, on a new connection where the old one may have suffered. So the store recovers by itself as
/// soon as the disk does; to see that, it tries once a second while it fails.
/// Invariant: outside `commit` no transaction is open.
struct GroupCommit {
    private let file: DatabaseFile
    private let queue: WorkQueue
    private let report: @Sendable (StorageNews) -> Void
    private var connection: DatabaseConnection?

    /// While the disk fails a batch is refused this soon when it cannot have the lock: others wait behind it.
    private static let lockMillisecondsInTrouble: Int32 = 250

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
        while let batch = queue.nextBatch() {
            let results = commit(batch)
            for (job, result) in zip(batch, results ?? batch.map { _ in .unavailable }) { job.completion(result) }
            queue.answered(batch.count)
        }
    }

    /// The results in order, or `nil` if nothing of the batch was stored.
    private mutating func commit(_ batch: [WriteJob]) -> [StorageResult]? {
        do throws(SQLiteError) {
            return try commit(batch, opened())
        } catch {
            queue.health { health, now in health.writeFailed(error.message, at: now) }.map(report)
            if error.endsConnection { connection = nil } else { connection?.rollBack(report) }
            return nil
        }
    }

    private mutating func opened() throws(SQLiteError) -> DatabaseConnection {
        if let connection { return connection }
        let opened = try file.openWriter()
        connection = opened
        return opened
    }

    private func commit(_ batch: [WriteJob], _ connection: DatabaseConnection) throws(SQLiteError) -> [StorageResult] {
        assert(!connection.isInTransaction)
        guard !connection.hasMoved else { throw .moved }
        let isInTrouble = queue.health { health, _ in health.cannotWrite }
        connection.waitForLocks(
            milliseconds: isInTrouble ? Self.lockMillisecondsInTrouble : DatabaseFile.lockMilliseconds)
        let changesBefore = connection.changesInAll
        try connection.run("BEGIN IMMEDIATE")
        let isProbe = isInTrouble || batch.contains(where: \.isProbe)
        if isProbe { try connection.writeSomething() }
        let writer = RoomWriter(connection: connection)
        var results: [StorageResult] = []
        results.reserveCapacity(batch.count)
        for job in batch { results.append(try perform(job, writer)) }
        try connection.run("COMMIT")
        let wrote = isProbe || connection.changesInAll != changesBefore
        if !batch.isEmpty { queue.committed() }
        queue.health { health, now in health.committed(wrote: wrote, at: now) }.map(report)
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
            case .job(let job): job.completion(answer(job))
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
        case .stored, .cleared: true
        case .roomLimitReached, .memberLimitReached, .room, .duplicate, .noMessage, .stream, .exchange, .history,
            .historyPage, .rooms, .session, .context, .unavailable:
            false
        }
    }
}

extension DatabaseConnection {
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
