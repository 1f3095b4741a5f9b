import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct MigrationTests {
    let scratch = Scratch()

    private func schema(of connection: DatabaseConnection) throws -> [String] {
        var lines: [String] = []
        try connection.each("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name") { row in
            lines.append("\(row.text(0)) \(row.text(1)) \(row.text(2))")
            return true
        }
        return lines
    }

    @Test func everyStepGoesUpAndDownAndUpAgain() throws {
        let connection = try DatabaseConnection(path: ":memory:")
        var schemas = [try schema(of: connection)]
        for version in 1...Migrations.all.count {
            try Migrations.migrate(connection, to: version)
            schemas.append(try schema(of: connection))
        }
        for version in (0..<Migrations.all.count).reversed() {
            try Migrations.migrate(connection, to: version)
            #expect(try Migrations.version(of: connection) == version)
            #expect(try schema(of: connection) == schemas[version])
        }
        try Migrations.migrate(connection, to: Migrations.all.count)
        #expect(try schema(of: connection) == schemas.last)
        #expect(schemas[0] == [])
    }

    @Test func theCommandMigratesADirectory() throws {
        #expect(try MessageStore.installedVersion(directory: scratch.path) == 0)
        var lines: [String] = []
        try MessageStore.migrate(directory: scratch.path, to: nil) { lines.append($0) }
        #expect(try MessageStore.installedVersion(directory: scratch.path) == MessageStore.schemaVersion)
        #expect(lines.count == MessageStore.schemaVersion)
        #expect(lines.first == "migrated up from version 0 to 1")
        try MessageStore.migrate(directory: scratch.path, to: 0) { lines.append($0) }
        #expect(lines.last == "migrated down from version 1 to 0")
        #expect(try MessageStore.installedVersion(directory: scratch.path) == 0)
        #expect(throws: StoreError.unknownVersion(-1, known: MessageStore.schemaVersion)) {
            try MessageStore.migrate(directory: scratch.path, to: -1) { _ in }
        }
        try scratch.open().close()
        #expect(try MessageStore.installedVersion(directory: scratch.path) == MessageStore.schemaVersion)
    }

    @Test func aStepThatFailsLeavesTheVersionBeforeIt() throws {
        let connection = try DatabaseFile.create(scratch.database).1
        try connection.execute("CREATE TABLE segments (id INTEGER)")
        #expect(throws: SQLiteError.self) { try Migrations.migrate(connection, to: 1) }
        #expect(try Migrations.version(of: connection) == 0)
        #expect(try schema(of: connection) == ["table segments CREATE TABLE segments (id INTEGER)"])
        #expect {
            try MessageStore.migrate(directory: scratch.path, to: nil) { _ in }
        } throws: { error in
            if case .cannotMigrate(_, let reason)? = error as? StoreError { reason.contains("segments") } else { false }
        }
    }

    @Test func aDatabaseOfTheFirstVersionKeepsItsRows() throws {
        let connection = try DatabaseFile.create(scratch.database).1
        try Migrations.migrate(connection, to: 1)
        try connection.execute(
            """
            INSERT INTO rooms VALUES (1, 'r', 'ada', 'rooms', 'Room', 0, 0, 1, '{}', 'session_r', NULL);
            INSERT INTO sessions VALUES (1, 'session_r', 1, NULL, 1, 0, NULL, NULL);
            INSERT INTO exchanges (exchange_id, stream_id, room, session_id, user_id, agent_type, status, text,
                started_at, ended_at)
            VALUES ('e', 'stream_e', 1, 'session_r', 'ada', 'guide', 'completed', 'answer', 1, 2);
            INSERT INTO messages (exchange, room, user_id, role, text, timestamp) VALUES (1, 1, 'ada', 'user', 'hi', 1)
            """)
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.context()).context == ["user: hi", "assistant: answer"])
        #expect(store.answer(.page(HistoryFilter(userID: UserID("ada")))).page?.map { $0.text } == ["answer"])
        #expect(store.answer(.history()).history?.map(\.regenerateOf) == [nil])
        #expect(store.answer(.reset()).cleared == 1)
    }
}
