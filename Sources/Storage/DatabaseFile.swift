import Glibc

/// The database's file and its log as they were when the store was opened, and how to open them again.
///
/// A file that was moved, removed or replaced since is not opened: what the hub holds in memory belongs to the old one.
struct DatabaseFile: Sendable {
    let path: String
    private let database: FileIdentity
    private let log: FileIdentity?

    /// How long a connection waits for another's lock.
    static let lockMilliseconds: Int32 = 5_000

    /// Opens the file for the first time, made for its owner only if it is missing.
    static func create(_ path: String) throws(SQLiteError) -> (DatabaseFile, DatabaseConnection) {
        // SQLite would make the file readable by everyone, also in a directory that was there before with a wider mode.
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 { Glibc.close(descriptor) }
        let connection = try openWriter(path)
        // SQLite makes the log at the first read.
        try connection.execute("SELECT count(*) FROM sqlite_schema")
        guard let database = FileIdentity(path) else { throw .moved }
        return (DatabaseFile(path: path, database: database, log: FileIdentity(path + "-wal")), connection)
    }

    /// Whether the log that stands in the directory is the one that the store opened.
    var hasLog: Bool { log == nil || FileIdentity(path + "-wal") == log }

    func openWriter() throws(SQLiteError) -> DatabaseConnection {
        try expectUnmoved()
        return try Self.openWriter(path)
    }

    func openReader() throws(SQLiteError) -> DatabaseConnection {
        try expectUnmoved()
        let connection = try DatabaseConnection(path: path, isReadOnly: true)
        // SQLite opens the log at the first read. Here that is now, while there are descriptors.
        try connection.execute("PRAGMA temp_store = MEMORY; SELECT count(*) FROM sqlite_schema")
        return connection
    }

    private func expectUnmoved() throws(SQLiteError) {
        guard FileIdentity(path) == database else { throw .moved }
        // SQLite would make another log in its place.
        guard hasLog else { throw .logMoved(isSaved: false) }
    }

    private static func openWriter(_ path: String) throws(SQLiteError) -> DatabaseConnection {
        let connection = try DatabaseConnection(path: path)
        // Debian's SQLite overwrites deleted rows with zeros unless told otherwise, at a tenth of the speed. Temporary
        // tables in memory need neither a descriptor nor another disk. A log that grew large while a backup read beside
        // it is cut back when it starts anew. It grows to 16 MiB before its pages go into the database, four times
        // SQLite's own measure: a page that many commits change goes there once. The log's index is still one block,
        // so readers search no longer.
        try connection.execute(
            """
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
            PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864;
            PRAGMA wal_autocheckpoint = 4000
            """)
        return connection
    }
}
