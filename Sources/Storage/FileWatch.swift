import Glibc

/// Which file stands under a name.
struct FileIdentity: Equatable, Sendable {
    private let device: UInt
    private let inode: UInt

    /// `nil` if there is none.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (device, inode) = (UInt(status.st_dev), UInt(status.st_ino))
    }
}

/// Tells whether the database's file or its log lost its end under the hub. SQLite would not notice: it knows from
/// memory what stands where, writes on behind the gap, and acknowledges.
///
/// The log's file may shrink only to what its index says it holds: SQLite cuts it when it starts anew, to
/// `journal_size_limit` or to what the first transaction takes, and another program's checkpoint may empty it, but the
/// index comes first each time. The database's file may shrink only to the pages that the index counts, after a
/// `VACUUM` of somebody; else it never does.
struct FileWatch {
    /// What there is and what there should be.
    struct Facts: Equatable {
        var databaseBytes: Int
        var logBytes: Int
        var pageBytes: Int
        /// Frames that the log must hold.
        var frames: Int
        /// Pages of the database, those of the log among them; 0: not known.
        var pages: Int
    }

    private static let logHeaderBytes = 32
    private static let frameHeaderBytes = 24

    /// As large as the database's file was when all was well.
    private var databaseBytes = 0

    mutating func fault(in facts: Facts) -> SQLiteError? {
        let frameBytes = facts.pageBytes + Self.frameHeaderBytes
        if facts.frames > 0, facts.logBytes < Self.logHeaderBytes + facts.frames * frameBytes { return .logCut }
        let needed = facts.pages > 0 ? min(databaseBytes, facts.pages * facts.pageBytes) : databaseBytes
        if facts.databaseBytes < needed { return .databaseCut }
        databaseBytes = facts.databaseBytes
        return nil
    }
}
