import Chat

/// The writer thread's work: takes what is queued and commits it as one transaction.
///
/// Each request has its own savepoint, so a conflict or a reached limit undoes that request only. When the transaction
/// itself fails (a full disk, an I/O error) every request in it is answered `.unavailable`, and the next batch starts
/// anew: the store recovers by itself as soon as the disk does.
/// Invariant: outside `commit` no transaction is open.
struct GroupCommit {
    let writer: RoomWriter
    /// Receives SQLite's sentence about each failure; it never holds a value.
    let onFailure: @Sendable (String) -> Void

    private var connection: DatabaseConnection { writer.connection }

    func run(_ queue: WorkQueue) {
        while let batch = queue.nextBatch() {
            let results = commit(batch)
            if results != nil { queue.committed() }
            for (job, result) in zip(batch, results ?? batch.map { _ in .unavailable }) { job.completion(result) }
            queue.answered(batch.count)
        }
    }

    /// The results in order, or `nil` if nothing of the batch was stored.
    private func commit(_ batch: [WriteJob]) -> [StorageResult]? {
        assert(!connection.isInTransaction)
        do throws(SQLiteError) {
            try connection.run("BEGIN IMMEDIATE")
            var results: [StorageResult] = []
            results.reserveCapacity(batch.count)
            for job in batch { results.append(try perform(job)) }
            try connection.run("COMMIT")
            return results
        } catch {
            onFailure(error.message)
            connection.rollBack(onFailure)
            return nil
        }
    }

    private func perform(_ job: WriteJob) throws(SQLiteError) -> StorageResult {
        try connection.run("SAVEPOINT request")
        let result: StorageResult
        do throws(SQLiteError) {
            result = try job.perform(writer)
        } catch {
            guard connection.isInTransaction else { throw error }
            onFailure(error.message)
            result = .unavailable
        }
        if !result.isKept { try connection.run("ROLLBACK TO request") }
        try connection.run("RELEASE request")
        return result
    }
}

/// A reader thread's work: one request after the other, each on one consistent state of the database.
struct ReadLoop {
    let reader: RoomReader
    /// Receives SQLite's sentence about each failure; it never holds a value.
    let onFailure: @Sendable (String) -> Void

    func run(_ queue: WorkQueue) {
        while let job = queue.nextRead() { job.completion(answer(job)) }
    }

    private func answer(_ job: ReadJob) -> StorageResult {
        do throws(SQLiteError) {
            try reader.connection.run("BEGIN")
            let result = try job.perform(reader)
            try reader.connection.run("COMMIT")
            return result
        } catch {
            onFailure(error.message)
            reader.connection.rollBack(onFailure)
            return .unavailable
        }
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
    fileprivate func rollBack(_ onFailure: (String) -> Void) {
        guard isInTransaction else { return }
        do throws(SQLiteError) {
            try run("ROLLBACK")
        } catch {
            onFailure(error.message)
        }
    }
}
