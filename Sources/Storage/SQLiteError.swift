import CSQLite

/// What SQLite answered when it did not answer `SQLITE_OK`.
struct SQLiteError: Error, Equatable {
    /// The extended result code.
    let code: Int32
    /// SQLite's own sentence, and the system's where it was the system that failed; it names tables and columns, never
    /// values.
    let message: String

    /// The file that is open is not the one that stands in the directory.
    static let moved = SQLiteError(
        code: movedCode, message: "the database file was moved, removed or replaced; put it back, or restart the hub")

    /// The log's file lost its end.
    static let logCut = SQLiteError(
        code: movedCode,
        message: "the file hubbub.db-wal was cut short, which held what was stored last; "
            + "restart the hub, and restore a backup if hubbub check finds faults")

    /// The database's file lost its end.
    static let databaseCut = SQLiteError(
        code: movedCode,
        message: "the file hubbub.db was cut short; put back what it held, or stop the hub and restore a backup")

    /// The log that is open is not the one that stands in the directory.
    ///
    /// - Parameter isSaved: what it held is in the database's file.
    static func logMoved(isSaved: Bool) -> SQLiteError {
        let held = isSaved ? "what it held is safe in hubbub.db" : "what it held is not yet in hubbub.db"
        return SQLiteError(
            code: movedCode,
            message: "the file hubbub.db-wal was moved, removed or replaced; \(held); restart the hub")
    }

    /// The file is no database of a hub.
    static let notOurs = SQLiteError(code: SQLITE_NOTADB, message: "not a database of hubbub")

    /// `SQLITE_READONLY_DBMOVED`, a macro that is not imported.
    private static let movedCode: Int32 = 1032

    /// A unique index refused the row.
    var isUniqueConflict: Bool { code == 2067 }
    /// The primary code, without the extension.
    var primaryCode: Int32 { code & 0xFF }

    /// The file holds what it should not.
    var isDamage: Bool { primaryCode == SQLITE_CORRUPT || primaryCode == SQLITE_NOTADB }

    /// Whether a connection that failed so is given up: it may have fallen back to reading only, or hold pages in
    /// memory that the disk gave it wrongly. A full disk and a foreign lock leave it as it was.
    var endsConnection: Bool {
        switch primaryCode {
        case SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_CANTOPEN, SQLITE_PROTOCOL: true
        case SQLITE_READONLY: code != Self.movedCode
        default: false
        }
    }

    /// Whether a read that failed so says that others may fail too.
    var isOfFile: Bool { endsConnection || code == Self.movedCode }
}
