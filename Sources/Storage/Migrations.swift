import ChatProtocol
import Wire

/// One step of the schema, there and back.
struct Migration {
    let up: String
    let down: String
}

/// The schema as numbered steps; a database's number stands in its `user_version`.
///
/// A step that has been released is never edited: a change is a new step.
enum Migrations {
    static let all: [Migration] = [
        Migration(up: firstUp, down: firstDown), Migration(up: secondUp, down: secondDown),
        Migration(up: thirdUp, down: thirdDown), Migration(up: fourthUp, down: fourthDown),
        Migration(up: fifthUp, down: fifthDown),
    ]

    static func version(of connection: DatabaseConnection) throws(SQLiteError) -> Int {
        try connection.first("PRAGMA user_version") { Int($0.int(0)) } ?? 0
    }

    /// Goes up or down to `target`, one transaction for each step, so an interrupted run continues where it stood.
    static func migrate(
        _ connection: DatabaseConnection, to target: Int, report: (String) -> Void = { _ in }
    ) throws(SQLiteError) {
        var version = try version(of: connection)
        precondition((0...all.count).contains(version) && (0...all.count).contains(target))
        while version != target {
            let isUp = version < target
            let next = isUp ? version + 1 : version - 1
            let sql = isUp ? all[version].up : all[next].down
            do {
                try connection.execute("BEGIN IMMEDIATE; \(sql); PRAGMA user_version = \(next); COMMIT")
            } catch {
                if connection.isInTransaction { try connection.execute("ROLLBACK") }
                throw error
            }
            report("migrated \(isUp ? "up" : "down") from version \(version) to \(next)")
            version = next
        }
    }

    // Rows refer to each other by rowid: it is small, every index ends with it, and for exchanges it is the order of
    // the first commit. Times are milliseconds since 1970. `ended_at` is null exactly while an exchange is waiting or
    // streaming. `stream_id` and `agent_type` are null where no agent answers; `origin` says which face made a room.
    private static let firstUp = """
        CREATE TABLE rooms (
            id INTEGER PRIMARY KEY,
            room_id TEXT NOT NULL UNIQUE,
            user_id TEXT NOT NULL,
            origin TEXT NOT NULL,
            room_name TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            last_activity INTEGER NOT NULL,
            exchange_count INTEGER NOT NULL DEFAULT 0,
            metadata TEXT NOT NULL,
            default_session_id TEXT NOT NULL,
            deleted_at INTEGER
        ) STRICT;
        CREATE INDEX rooms_by_activity ON rooms (user_id, last_activity DESC, room_id) WHERE deleted_at IS NULL;
        CREATE INDEX rooms_by_creation ON rooms (user_id, created_at DESC, room_id) WHERE deleted_at IS NULL;
        CREATE INDEX rooms_by_name ON rooms (user_id, room_name, room_id) WHERE deleted_at IS NULL;
        CREATE INDEX rooms_by_origin ON rooms (user_id, origin) WHERE deleted_at IS NULL;

        CREATE TABLE members (
            id INTEGER PRIMARY KEY,
            room INTEGER NOT NULL REFERENCES rooms,
            user_id TEXT NOT NULL,
            role TEXT NOT NULL,
            joined_at INTEGER NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX members_by_room ON members (room, user_id);
        CREATE INDEX members_by_user ON members (user_id);

        CREATE TABLE sessions (
            id INTEGER PRIMARY KEY,
            session_id TEXT NOT NULL UNIQUE,
            room INTEGER NOT NULL REFERENCES rooms,
            user_id TEXT,
            is_default INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            expires_at INTEGER,
            closed_at INTEGER
        ) STRICT;
        CREATE INDEX sessions_open ON sessions (room) WHERE closed_at IS NULL;

        CREATE TABLE exchanges (
            id INTEGER PRIMARY KEY,
            exchange_id TEXT NOT NULL UNIQUE,
            stream_id TEXT UNIQUE,
            room INTEGER NOT NULL REFERENCES rooms,
            session_id TEXT NOT NULL,
            user_id TEXT NOT NULL,
            agent_type TEXT,
            status TEXT NOT NULL,
            text TEXT NOT NULL DEFAULT '',
            reasoning TEXT,
            events TEXT,
            usage TEXT,
            finish_reason TEXT,
            error_code TEXT,
            error_message TEXT,
            started_at INTEGER NOT NULL,
            streaming_at INTEGER,
            ended_at INTEGER
        ) STRICT;
        CREATE INDEX exchanges_by_room ON exchanges (room);
        CREATE INDEX exchanges_running ON exchanges (status) WHERE ended_at IS NULL;

        CREATE TABLE messages (
            id INTEGER PRIMARY KEY,
            exchange INTEGER NOT NULL REFERENCES exchanges ON DELETE CASCADE,
            room INTEGER NOT NULL REFERENCES rooms,
            message_id TEXT,
            user_id TEXT NOT NULL,
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            timestamp INTEGER NOT NULL,
            metadata TEXT
        ) STRICT;
        CREATE INDEX messages_by_exchange ON messages (exchange);
        CREATE UNIQUE INDEX messages_by_key ON messages (room, user_id, message_id) WHERE message_id IS NOT NULL;

        CREATE TABLE segments (
            id INTEGER PRIMARY KEY,
            exchange INTEGER NOT NULL REFERENCES exchanges ON DELETE CASCADE,
            text_offset INTEGER NOT NULL,
            text BLOB NOT NULL,
            reasoning_offset INTEGER NOT NULL,
            reasoning BLOB NOT NULL,
            events TEXT
        ) STRICT;
        CREATE INDEX segments_by_exchange ON segments (exchange)
        """

    private static let firstDown = """
        DROP TABLE segments;
        DROP TABLE messages;
        DROP TABLE exchanges;
        DROP TABLE sessions;
        DROP TABLE members;
        DROP TABLE rooms
        """

    // A reset says up to which exchange a session has forgotten its context: of one agent, or of all where `agent_type`
    // is null. The agent stands in the index of sessions so that a context skips other agents' exchanges unread.
    private static let secondUp = """
        CREATE TABLE resets (
            id INTEGER PRIMARY KEY,
            session INTEGER NOT NULL REFERENCES sessions,
            agent_type TEXT,
            through INTEGER NOT NULL,
            reset_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX resets_by_session ON resets (session, agent_type);
        CREATE INDEX exchanges_by_session ON exchanges (session_id, id, agent_type);
        CREATE INDEX exchanges_by_user ON exchanges (user_id)
        """

    private static let secondDown = """
        DROP INDEX exchanges_by_user;
        DROP INDEX exchanges_by_session;
        DROP TABLE resets
        """

    // A read says which exchange of a room is the newest that a user has read.
    private static let thirdUp = """
        CREATE TABLE reads (
            id INTEGER PRIMARY KEY,
            room INTEGER NOT NULL REFERENCES rooms,
            user_id TEXT NOT NULL,
            exchange INTEGER NOT NULL,
            read_at INTEGER NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX reads_by_room ON reads (room, user_id)
        """

    private static let thirdDown = "DROP TABLE reads"

    // The exchange that this one answers anew, by its id: it may be removed while this one stays. `told_before` is the
    // row up to which, without it, that one's context reaches, and so this one's. SQLite hands out no rowid below the
    // greatest, so it stays true as long as this row is there.
    private static let fourthUp = """
        ALTER TABLE exchanges ADD COLUMN regenerate_of TEXT;
        ALTER TABLE exchanges ADD COLUMN told_before INTEGER
        """

    // When a cancel of the exchange was accepted, where a restart has to know. Open sessions are counted by room and
    // expiry; of the read marks of users who are not members the oldest go.
    private static let fifthUp = """
        ALTER TABLE exchanges ADD COLUMN cancelled_at INTEGER;
        DROP INDEX sessions_open;
        CREATE INDEX sessions_open ON sessions (room, expires_at) WHERE closed_at IS NULL;
        CREATE INDEX reads_by_time ON reads (room, read_at)
        """

    private static let fifthDown = """
        DROP INDEX reads_by_time;
        DROP INDEX sessions_open;
        CREATE INDEX sessions_open ON sessions (room) WHERE closed_at IS NULL;
        ALTER TABLE exchanges DROP COLUMN cancelled_at
        """

    private static let fourthDown = """
        ALTER TABLE exchanges DROP COLUMN told_before;
        ALTER TABLE exchanges DROP COLUMN regenerate_of
        """
}
