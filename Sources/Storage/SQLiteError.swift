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
    var isOfFile: Bool { endsConnection || self == .moved }
}
