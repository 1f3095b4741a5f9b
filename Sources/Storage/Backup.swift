import CLinux
import Glibc

// A copy of the database while the hub runs: one state of it, made with SQLite's online backup, so the hub goes on
// writing meanwhile. The copy grows under another name and gets its own once it is complete and on disk.
extension MessageStore {
    /// Copies a directory's database into a new file, beside a running hub or without one.
    ///
    /// The copy is one file, which another hub takes as its `hubbub.db`. While the copy is made the hub's log file
    /// cannot be cut back, so it grows by what is written meanwhile.
    ///
    /// - Parameter progress: receives the bytes copied and those in all, now and then; false breaks the copy off.
    /// - Returns: the copy's bytes, or `nil` if it was broken off.
    public static func backUp(
        directory: String, to path: String, progress: (_ bytes: Int, _ total: Int) -> Bool
    ) throws(StoreError) -> Int? {
        guard access(path, F_OK) != 0 else { throw .fileExists(path: path) }
        let source = try openForReading(directory: directory)
        let partial = path + ".partial"
        let descriptor = open(partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw .fileExists(path: partial) }
            throw .cannotWrite(path: partial, reason: String(cString: strerror(errno)))
        }
        Glibc.close(descriptor)
        var isComplete = false
        defer {
            if !isComplete {
                unlink(partial)
                unlink(partial + "-journal")
            }
        }
        guard let bytes = try copy(source, to: partial, progress) else { return nil }
        guard hb_rename_new(partial, path) == 0 else {
            if errno == EEXIST { throw .fileExists(path: path) }
            throw .cannotWrite(path: path, reason: String(cString: strerror(errno)))
        }
        isComplete = true
        syncDirectory(of: path)
        return bytes
    }

    /// A connection that only reads, beside a running hub or without one.
    static func openForReading(directory: String) throws(StoreError) -> DatabaseConnection {
        let path = directory + "/hubbub.db"
        guard access(path, F_OK) == 0 else { throw .noDatabase(path: directory) }
        do throws(SQLiteError) {
            return try DatabaseConnection(path: path, isReadOnly: true)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    private static func copy(
        _ source: DatabaseConnection, to path: String, _ progress: (Int, Int) -> Bool
    ) throws(StoreError) -> Int? {
        do throws(SQLiteError) {
            let target = try DatabaseConnection(path: path)
            // From the first read on, the source stands still for this connection.
            try source.execute("BEGIN; SELECT count(*) FROM sqlite_schema")
            guard try source.copy(to: target, progress: progress) else { return nil }
            // One file, without a log beside it.
            try target.execute("PRAGMA journal_mode = DELETE")
            return try target.first("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size") {
                Int($0.int(0))
            }
        } catch {
            throw error.isDamage ? StoreError(error, path: path) : .cannotWrite(path: path, reason: error.message)
        }
    }

    /// So that the new name, too, survives a power cut.
    private static func syncDirectory(of path: String) {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        Glibc.close(descriptor)
    }
}
