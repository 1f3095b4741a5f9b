import Chat
import Glibc

/// What a look at a whole database found: SQLite's own checks, then what must hold between our rows.
public struct StoreCheck: Sendable, Equatable {
    /// The database's schema version.
    public private(set) var version = 0
    /// Rooms that are not deleted.
    public private(set) var rooms = 0
    /// All exchanges, those of deleted rooms too.
    public private(set) var exchanges = 0
    /// All messages.
    public private(set) var messages = 0
    /// What should not be, a sentence each.
    public private(set) var faults: [String] = []
    /// What the operator may want to know, a sentence each.
    public private(set) var notes: [String] = []

    /// As many as are told of each kind.
    private static let toldMax = 20

    /// Checks a directory's database, beside a running hub or without one; changes nothing.
    public static func run(directory: String) throws(StoreError) -> StoreCheck {
        let connection = try MessageStore.openForReading(directory: directory)
        return try run(connection, path: directory + "/hubbub.db", isServed: DirectoryLock.isHeld(directory))
    }

    /// Checks a database by its file, such as a backup.
    public static func run(file: String) throws(StoreError) -> StoreCheck {
        guard access(file, R_OK) == 0 else {
            throw .cannotOpen(path: file, reason: String(cString: strerror(errno)))
        }
        let connection: DatabaseConnection
        do throws(SQLiteError) {
            connection = try DatabaseConnection(path: file, isReadOnly: true)
        } catch {
            throw StoreError(error, path: file)
        }
        // A copy has what ran when it was made.
        return try run(connection, path: file, isServed: true)
    }

    private static func run(
        _ connection: DatabaseConnection, path: String, isServed: Bool
    ) throws(StoreError) -> StoreCheck {
        var check = StoreCheck()
        do throws(SQLiteError) {
            // One state of it, whatever a hub writes meanwhile.
            try connection.execute("BEGIN")
            check.version = try Migrations.version(of: connection)
            // An empty file is an empty database to SQLite, and another program's may be sound as well.
            guard try check.isOurs(connection) else { throw SQLiteError.notOurs }
        } catch {
            throw StoreError(error, path: path)
        }
        guard check.version <= MessageStore.schemaVersion else {
            throw .newerSchema(found: check.version, known: MessageStore.schemaVersion)
        }
        do throws(SQLiteError) {
            try check.checkFile(connection)
            try check.checkRows(connection, isServed: isServed)
        } catch {
            check.faults.append("the file cannot be read: \(error.message)")
        }
        return check
    }

    /// Whether a hub made the file. What `migrate down 0` leaves has no table any more, but a page.
    private func isOurs(_ connection: DatabaseConnection) throws(SQLiteError) -> Bool {
        guard version == 0 else { return true }
        let tables = try count(connection, "sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        let pages = try connection.first("PRAGMA page_count") { $0.int(0) } ?? 0
        return tables == 0 && pages > 0
    }

    private mutating func checkFile(_ connection: DatabaseConnection) throws(SQLiteError) {
        var found: [String] = []
        try connection.each("PRAGMA integrity_check(\(Self.toldMax))") { (row) throws(SQLiteError) in
            found.append(row.text(0))
            return true
        }
        if found != ["ok"] { faults += found.map { "SQLite: \($0)" } }
        var strays: [String: Int] = [:]
        try connection.each("PRAGMA foreign_key_check") { (row) throws(SQLiteError) in
            strays["\(row.text(0)) that refer to \(row.text(2))", default: 0] += 1
            return true
        }
        for (what, count) in strays.sorted(by: { $0.key < $1.key }) {
            faults.append("\(count) rows of \(what) that are not there")
        }
    }

    private mutating func checkRows(_ connection: DatabaseConnection, isServed: Bool) throws(SQLiteError) {
        guard version == MessageStore.schemaVersion else {
            notes.append(
                "the schema has version \(version) of \(MessageStore.schemaVersion), so only the file was checked; "
                    + "`hubbub migrate up` brings it up")
            return
        }
        rooms = try count(connection, "rooms WHERE deleted_at IS NULL")
        exchanges = try count(connection, "exchanges")
        messages = try count(connection, "messages")
        for rule in StoreRule.all {
            let broken = try count(connection, rule.broken)
            if broken > 0 { faults.append("\(broken) \(rule.sentence)") }
        }
        let running = try count(connection, "exchanges WHERE ended_at IS NULL")
        if running > 0, !isServed {
            notes.append("\(running) exchanges have not ended: the hub was killed; its next start settles them")
        }
    }

    private func count(_ connection: DatabaseConnection, _ rows: String) throws(SQLiteError) -> Int {
        try connection.first("SELECT count(*) FROM \(rows)") { Int($0.int(0)) } ?? 0
    }
}

/// What must hold between our rows.
struct StoreRule {
    /// Says what is wrong, behind a number.
    let sentence: String
    /// The rows that break the rule, as they stand behind `FROM`.
    let broken: String

    static let all: [StoreRule] = [
        StoreRule(
            sentence: "exchanges whose status and end contradict each other",
            broken: "exchanges WHERE (ended_at IS NULL) <> (status IN ('waiting', 'streaming'))"),
        StoreRule(
            sentence: "exchanges with a status that does not exist",
            broken: """
                exchanges WHERE status NOT IN
                    ('waiting', 'streaming', 'completed', 'cancelled', 'failed', 'interrupted')
                """),
        StoreRule(
            sentence: "exchanges without a message",
            broken: "exchanges WHERE NOT EXISTS (SELECT 1 FROM messages WHERE messages.exchange = exchanges.id)"),
        StoreRule(
            sentence: "messages in another room than their exchange",
            broken: "messages JOIN exchanges ON exchanges.id = exchange WHERE messages.room <> exchanges.room"),
        StoreRule(
            sentence: "pieces of answers that have ended, which should be one text",
            broken: "segments JOIN exchanges ON exchanges.id = segments.exchange WHERE ended_at IS NOT NULL"),
        StoreRule(
            sentence: "pieces of answers that do not join the one before",
            broken: """
                (SELECT text_offset - lag(text_offset + length(text), 1, 0) OVER one AS text_gap,
                    reasoning_offset - lag(reasoning_offset + length(reasoning), 1, 0) OVER one AS reasoning_gap
                    FROM segments WINDOW one AS (PARTITION BY exchange ORDER BY id))
                WHERE text_gap <> 0 OR reasoning_gap <> 0
                """),
        StoreRule(
            sentence: "rooms that count their exchanges wrongly",
            broken: """
                rooms WHERE exchange_count <> (SELECT count(*) FROM exchanges WHERE exchanges.room = rooms.id)
                """),
        StoreRule(
            sentence: "rooms without their default session",
            broken: """
                rooms WHERE NOT EXISTS (
                    SELECT 1 FROM sessions WHERE session_id = default_session_id AND room = rooms.id AND is_default)
                """),
        StoreRule(
            sentence: "open sessions of deleted rooms",
            broken: """
                sessions JOIN rooms ON rooms.id = sessions.room
                WHERE rooms.deleted_at IS NOT NULL AND sessions.closed_at IS NULL
                """),
        StoreRule(
            sentence: "read marks at no exchange of their room",
            broken: """
                reads WHERE NOT EXISTS (
                    SELECT 1 FROM exchanges WHERE exchanges.id = reads.exchange AND exchanges.room = reads.room)
                """),
        StoreRule(
            sentence: "resets that reach beyond their open session's exchanges",
            broken: """
                resets JOIN sessions ON sessions.id = resets.session
                WHERE closed_at IS NULL AND through > coalesce((
                    SELECT max(exchanges.id) FROM exchanges WHERE exchanges.session_id = sessions.session_id), 0)
                """),
        StoreRule(
            sentence: "rows with metadata, events or usage that are not JSON",
            broken: """
                (SELECT metadata AS json FROM rooms UNION ALL SELECT metadata FROM messages
                    UNION ALL SELECT events FROM exchanges UNION ALL SELECT usage FROM exchanges
                    UNION ALL SELECT events FROM segments) WHERE json IS NOT NULL AND NOT json_valid(json)
                """),
    ]
}
