/// What is wrong with the store at present.
public struct StorageTrouble: Sendable, Equatable {
    /// SQLite's or the system's own sentence; it never holds a value.
    public let reason: String
    /// How long it has been so.
    public let seconds: Int

    /// What is wrong with the store at present.
    public init(reason: String, seconds: Int) {
        self.reason = reason
        self.seconds = seconds
    }
}

/// What the operator should know of, on a storage thread.
public enum StorageNews: Sendable, Equatable {
    /// Nothing can be stored, or not everything be read, until `.recovered`. Comes again when the reason changes.
    case failed(String)
    /// One request failed for reasons of its own; the others were executed.
    case requestFailed(String)
    /// Everything works again, after so long.
    case recovered(seconds: Int)
    /// So many writes waited this long for the disk.
    case slowCommit(milliseconds: Int, writes: Int)
}

/// What the storage threads know of the disk: what fails, since when, and when to look again.
///
/// A write that reached the disk ends a failure to write. A failure to read ends when the whole database has been read
/// without a fault: the next request may touch other pages, so its success says nothing.
struct StorageHealth {
    /// How often the writer tries again while nothing else asks it to.
    static let retryNanoseconds: UInt64 = 1_000_000_000
    /// A batch that takes longer than this is a trouble too: the disk hangs, or somebody holds the database.
    static let slowNanoseconds: UInt64 = 2_000_000_000
    /// A batch that takes longer than this is worth a line in the log.
    static let slowCommitNanoseconds: UInt64 = 500_000_000
    /// How often the writer looks at the files while it has nothing to write.
    static let lookNanoseconds: UInt64 = 1_000_000_000
    /// A write this young says that the disk works.
    static let freshNanoseconds: UInt64 = 1_000_000_000
    /// A check reads everything, so it gets a small share of the time.
    private static let checkShare: UInt64 = 10

    private struct Failure {
        let reason: String
        let since: UInt64
    }

    private var writing: Failure?
    private var reading: Failure?
    private var batchBeganAt: UInt64?
    private var wroteAt: UInt64?
    private var checkBeganAt: UInt64 = 0
    /// When the writer tries again by itself.
    private(set) var retryDueAt: UInt64?
    /// When the writer looks at the files by itself.
    private(set) var lookDueAt: UInt64 = 0
    /// When a reader checks the database.
    private(set) var checkDueAt: UInt64?

    var cannotWrite: Bool { writing != nil }

    func wroteLately(at now: UInt64) -> Bool { wroteAt.map { now < $0 + Self.freshNanoseconds } ?? false }

    func trouble(at now: UInt64) -> StorageTrouble? {
        if let failure = writing ?? reading {
            return StorageTrouble(reason: failure.reason, seconds: Int((now - failure.since) / 1_000_000_000))
        }
        guard let began = batchBeganAt, now >= began + Self.slowNanoseconds else { return nil }
        return StorageTrouble(reason: "a write has not come back", seconds: Int((now - began) / 1_000_000_000))
    }

    // MARK: - Writing

    mutating func batchBegan(at now: UInt64) {
        batchBeganAt = now
        looked(at: now)
    }

    mutating func looked(at now: UInt64) { lookDueAt = now + Self.lookNanoseconds }

    /// Before `committed`: says so if the batch took long.
    func slowCommit(of writes: Int, at now: UInt64) -> StorageNews? {
        guard let began = batchBeganAt, now >= began + Self.slowCommitNanoseconds else { return nil }
        return .slowCommit(milliseconds: Int((now - began) / 1_000_000), writes: writes)
    }

    /// - Parameter wrote: something reached the disk; a transaction without a change says nothing about it.
    mutating func committed(wrote: Bool, at now: UInt64) -> StorageNews? {
        batchBeganAt = nil
        guard wrote else { return nil }
        wroteAt = now
        retryDueAt = nil
        guard let failure = writing else { return nil }
        writing = nil
        return recovered(from: failure, at: now)
    }

    mutating func writeFailed(_ reason: String, at now: UInt64) -> StorageNews? {
        batchBeganAt = nil
        wroteAt = nil
        retryDueAt = now + Self.retryNanoseconds
        let known = writing
        writing = Failure(reason: reason, since: known?.since ?? now)
        return known?.reason == reason ? nil : .failed(reason)
    }

    // MARK: - Reading

    mutating func readFailed(_ reason: String, at now: UInt64) -> StorageNews? {
        guard reading == nil else { return nil }
        reading = Failure(reason: reason, since: now)
        checkDueAt = now + Self.retryNanoseconds
        return .failed(reason)
    }

    mutating func checkBegan(at now: UInt64) {
        checkBeganAt = now
        checkDueAt = nil
    }

    mutating func checked(isSound: Bool, at now: UInt64) -> StorageNews? {
        guard let failure = reading else { return nil }
        guard isSound else {
            checkDueAt = now + max(Self.retryNanoseconds, (now - checkBeganAt) * Self.checkShare)
            return nil
        }
        reading = nil
        return recovered(from: failure, at: now)
    }

    private func recovered(from failure: Failure, at now: UInt64) -> StorageNews? {
        guard writing == nil, reading == nil else { return nil }
        return .recovered(seconds: Int((now - failure.since) / 1_000_000_000))
    }
}
