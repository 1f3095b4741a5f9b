/// What SQLite answered when it did not answer `SQLITE_OK`.
struct SQLiteError: Error, Equatable {
    /// The extended result code.
    let code: Int32
    /// SQLite's own sentence; it names tables and columns, never values.
    let message: String

    /// A unique index refused the row.
    var isUniqueConflict: Bool { code == 2067 }
    /// The primary code, without the extension.
    var primaryCode: Int32 { code & 0xFF }
}
