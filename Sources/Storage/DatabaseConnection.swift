import CSQLite
import Glibc

/// A value on its way into a statement.
enum SQLValue {
    case null
    case int(Int64)
    case text(String)
    /// UTF-8 that is stored as text.
    case utf8([UInt8])
    case blob([UInt8])

    static func int(_ value: Int) -> SQLValue { .int(Int64(value)) }
    static func text(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
    static func int(_ value: Int?) -> SQLValue { value.map { .int(Int64($0)) } ?? .null }
}

/// The current row of a statement; valid until its query moves on.
struct Row {
    fileprivate let statement: OpaquePointer

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }
    func int(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }
    func optionalInt(_ column: Int32) -> Int64? { isNull(column) ? nil : int(column) }

    /// Text or blob; empty where the column is null.
    func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(statement, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
    }

    func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }
    func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }
}

/// One connection to the database with its prepared statements. Confined to its thread.
final class DatabaseConnection {
    private let handle: OpaquePointer
    private(set) var statements: [String: OpaquePointer] = [:]

    /// Once in a process.
    private static let countsNoMemory: Void = hb_do_not_count_memory()

    /// Opens the file; `create` makes it if it is missing, `isReadOnly` refuses every write.
    init(path: String, isReadOnly: Bool = false) throws(SQLiteError) {
        let flags = isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        _ = Self.countsNoMemory
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened else {
            let reason = String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw SQLiteError(code: code, message: reason)
        }
        handle = opened
        sqlite3_extended_result_codes(handle, 1)
        waitForLocks(milliseconds: DatabaseFile.lockMilliseconds)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    /// Whether a transaction is open. SQLite ends one by itself after some failures, a full disk among them.
    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }
    /// Rows that the last statement inserted, changed or deleted.
    var changes: Int { Int(sqlite3_changes(handle)) }
    /// Rows that all statements of this connection inserted, changed or deleted.
    var changesInAll: Int { Int(sqlite3_total_changes(handle)) }
    /// Whether the file was moved or removed under its name since it was opened.
    var hasMoved: Bool {
        var answer: Int32 = 0
        return sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &answer) == SQLITE_OK && answer != 0
    }
    /// What the files are that are open; `nil` where that cannot be told now.
    var fileFacts: FileWatch.Facts? {
        var facts = hb_file_facts()
        guard hb_file_facts(handle, &facts) != 0 else { return nil }
        return FileWatch.Facts(
            databaseBytes: Int(facts.database_bytes), logBytes: Int(facts.log_bytes), pageBytes: Int(facts.page_bytes),
            frames: Int(facts.frames), pages: Int(facts.pages))
    }
    /// The rowid of the last insertion.
    var lastInsertedRow: Int64 { sqlite3_last_insert_rowid(handle) }

    /// How long a statement waits for another connection's lock before it fails with `SQLITE_BUSY`.
    func waitForLocks(milliseconds: Int32) { sqlite3_busy_timeout(handle, milliseconds) }

    /// Keeps the log's file when the last connection closes.
    func keepLog() { hb_keep_log(handle) }

    /// Copies the log into the database's file as far as readers allow; tells whether that is all of it.
    func foldLog() throws(SQLiteError) -> Bool {
        try first("PRAGMA wal_checkpoint(PASSIVE)") { $0.int(0) == 0 && $0.int(1) == $0.int(2) } ?? false
    }

    /// Runs statements without values and without looking at rows.
    func execute(_ sql: String) throws(SQLiteError) {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw lastError }
    }

    /// Runs a prepared statement for its effect.
    func run(_ sql: String, _ values: SQLValue...) throws(SQLiteError) {
        try each(sql, values: values) { (_) throws(SQLiteError) in true }
    }

    /// Makes something of the first row, or `nil` of none.
    func first<Value>(
        _ sql: String, _ values: SQLValue..., read: (Row) throws(SQLiteError) -> Value
    ) throws(SQLiteError) -> Value? {
        var value: Value?
        try each(sql, values: values) { (row) throws(SQLiteError) in
            value = try read(row)
            return false
        }
        return value
    }

    /// Hands over row after row until `read` returns false.
    func each(_ sql: String, _ values: SQLValue..., read: (Row) throws(SQLiteError) -> Bool) throws(SQLiteError) {
        try each(sql, values: values, read: read)
    }

    /// Hands over row after row until `read` returns false.
    func each(
        _ sql: String, values: [SQLValue], read: (Row) throws(SQLiteError) -> Bool
    ) throws(SQLiteError) {
        let statement = try prepared(sql)
        // Resetting also ends a read transaction; unbinding frees the copies of long texts.
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        assert(sqlite3_bind_parameter_count(statement) == Int32(values.count))
        for (index, value) in values.enumerated() {
            guard Self.bind(value, to: statement, at: Int32(index + 1)) == SQLITE_OK else { throw lastError }
        }
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: if try !read(Row(statement: statement)) { return }
            case SQLITE_DONE: return
            default: throw lastError
            }
        }
    }

    /// Copies everything into another, empty database; inside a read transaction, one state of it.
    ///
    /// - Parameter progress: receives the bytes copied and those in all after each step; false breaks off.
    /// - Returns: whether the copy is complete.
    func copy(to target: DatabaseConnection, progress: (Int, Int) -> Bool) throws(SQLiteError) -> Bool {
        let pageBytes = try first("PRAGMA page_size") { Int($0.int(0)) } ?? 0
        guard let copy = sqlite3_backup_init(target.handle, "main", handle, "main") else { throw target.lastError }
        var code = SQLITE_OK
        var goesOn = true
        while code == SQLITE_OK, goesOn {
            code = sqlite3_backup_step(copy, Self.copyPages)
            let total = Int(sqlite3_backup_pagecount(copy))
            goesOn = progress((total - Int(sqlite3_backup_remaining(copy))) * pageBytes, total * pageBytes)
        }
        sqlite3_backup_finish(copy)
        guard code == SQLITE_OK || code == SQLITE_DONE else { throw target.lastError }
        return code == SQLITE_DONE
    }

    /// Pages of one step: few enough to look up in between.
    private static let copyPages: Int32 = 1024

    private func prepared(_ sql: String) throws(SQLiteError) -> OpaquePointer {
        if let statement = statements[sql] { return statement }
        var made: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &made, nil)
        guard code == SQLITE_OK, let made else { throw lastError }
        statements[sql] = made
        return made
    }

    private static func bind(_ value: SQLValue, to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(statement, index)
        case .int(let value): return sqlite3_bind_int64(statement, index, value)
        case .text(var value):
            return value.withUTF8 { bind(UnsafeRawBufferPointer($0), to: statement, at: index) }
        case .utf8(let bytes):
            return bytes.withUnsafeBytes { bind($0, to: statement, at: index) }
        case .blob(let bytes):
            return bytes.withUnsafeBytes { hb_bind_blob(statement, index, $0.baseAddress, Int32($0.count)) }
        }
    }

    private static func bind(_ utf8: UnsafeRawBufferPointer, to statement: OpaquePointer, at index: Int32) -> Int32 {
        hb_bind_text(statement, index, utf8.bindMemory(to: CChar.self).baseAddress, Int32(utf8.count))
    }

    private var lastError: SQLiteError {
        let code = sqlite3_extended_errcode(handle)
        let message = String(cString: sqlite3_errmsg(handle))
        // In the midst of a statement SQLite takes a read that fails with EIO for damage too (SQLITE_IOERR_CORRUPTFS).
        if code == SQLITE_CORRUPT { return SQLiteError(code: code, message: "\(message), or the disk cannot be read") }
        let system = code & 0xFF == SQLITE_IOERR ? hb_last_errno(handle) : 0
        guard system != 0 else { return SQLiteError(code: code, message: message) }
        return SQLiteError(code: code, message: "\(message): \(String(cString: strerror(system)))")
    }
}
