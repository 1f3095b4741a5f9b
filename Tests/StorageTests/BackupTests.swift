import Chat
import ChatProtocol
import Glibc
import Testing

@testable import Storage

@Suite struct BackupTests {
    let scratch = Scratch()
    let elsewhere = Scratch()

    @Test func aCopyIsAnotherHubsDatabase() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        #expect(store.answer(.message("before", exchange: "e1")).isStored)
        let bytes = try MessageStore.backUp(directory: scratch.path, to: elsewhere.database) { _, _ in true }
        #expect(bytes ?? 0 > 0)
        #expect(store.answer(.message("after", exchange: "e2")).isStored)
        #expect(try StoreCheck.run(file: elsewhere.database).faults == [])
        var status = stat()
        #expect(stat(elsewhere.database, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(access(elsewhere.database + "-wal", F_OK) != 0, "one file")
        let other = try elsewhere.open()
        defer { other.close() }
        #expect(other.settledAtStart == 1)
        #expect(other.answer(.history()).history?.map { $0.exchangeID.text } == ["e1"])
    }

    @Test func theCopyIsOneStateWhateverIsWrittenMeanwhile() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let text = String(repeating: "x", count: 30_000)
        for number in 0..<200 { #expect(store.answer(.message(text, exchange: "e\(number)")).isStored) }
        var steps = 0
        _ = try MessageStore.backUp(directory: scratch.path, to: elsewhere.database) { bytes, total in
            steps += 1
            #expect(bytes <= total && total > 6_000_000)
            #expect(store.answer(.message("late", exchange: "late\(steps)")).isStored)
            return true
        }
        #expect(steps > 1)
        let found = try StoreCheck.run(file: elsewhere.database)
        #expect(found.faults == [] && found.messages == 200)
    }

    @Test func nothingIsOverwrittenAndNothingIsLeftBehind() throws {
        try scratch.open().close()
        #expect(throws: StoreError.fileExists(path: scratch.database)) {
            try MessageStore.backUp(directory: scratch.path, to: scratch.database) { _, _ in true }
        }
        let partial = elsewhere.database + ".partial"
        defer { unlink(partial) }
        fclose(fopen(partial, "w"))
        #expect(throws: StoreError.fileExists(path: partial)) {
            try MessageStore.backUp(directory: scratch.path, to: elsewhere.database) { _, _ in true }
        }
        unlink(partial)
        #expect(throws: StoreError.noDatabase(path: elsewhere.path)) {
            try MessageStore.backUp(directory: elsewhere.path, to: elsewhere.database) { _, _ in true }
        }
        let nowhere = "\(elsewhere.path)/none/copy.db"
        #expect(throws: StoreError.self) {
            try MessageStore.backUp(directory: scratch.path, to: nowhere) { _, _ in true }
        }
        // Somebody takes the name while the copy grows.
        #expect(throws: StoreError.fileExists(path: elsewhere.database)) {
            try MessageStore.backUp(directory: scratch.path, to: elsewhere.database) { _, _ in
                fclose(fopen(elsewhere.database, "w"))
                return true
            }
        }
        #expect(access(partial, F_OK) != 0)
    }

    @Test func aCopyCanBeBrokenOff() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let text = String(repeating: "x", count: 30_000)
        for number in 0..<200 { #expect(store.answer(.message(text, exchange: "e\(number)")).isStored) }
        #expect(try MessageStore.backUp(directory: scratch.path, to: elsewhere.database) { _, _ in false } == nil)
        for suffix in ["", ".partial", ".partial-journal", ".partial-wal"] {
            #expect(access(elsewhere.database + suffix, F_OK) != 0)
        }
    }
}

@Suite struct StoreCheckTests {
    let scratch = Scratch()

    /// A store with something of everything.
    private func fill() throws {
        let store = try scratch.open()
        for request: StorageRequest in [
            .create("r"), .create("other"), .create("gone"), .message("a", exchange: "done", key: "k"),
            .finish("done", "whole"), .read("done"), .reset(), .message("b", exchange: "running"),
            .segment("running", 0, "par", events: [["id": 1]]), .segment("running", 3, "tial"),
            .message("c", in: "gone", exchange: "old"), .deleteRoom(RoomID("gone"), at: .at(9), outcomes: []),
        ] {
            let answer = store.answer(request)
            #expect(answer.isStored || answer.cleared != nil)
        }
        store.close()
    }

    @Test func aSoundDatabaseIsFoundSound() throws {
        try fill()
        let found = try StoreCheck.run(directory: scratch.path)
        #expect(found.faults == [])
        #expect(found.notes.count == 1 && found.notes[0].contains("2 exchanges have not ended"))
        #expect([found.rooms, found.exchanges, found.messages] == [2, 3, 3])
        #expect(found.version == MessageStore.schemaVersion)
        let store = try scratch.open()
        defer { store.close() }
        #expect(try StoreCheck.run(directory: scratch.path).notes == [], "settled, and a hub runs")
    }

    static let faults: [(sql: String, sentence: String)] = [
        ("UPDATE exchanges SET status = 'streaming' WHERE ended_at IS NOT NULL", "contradict each other"),
        ("UPDATE exchanges SET status = 'asleep' WHERE ended_at IS NOT NULL", "status that does not exist"),
        ("DELETE FROM messages WHERE text = 'b'", "without a message"),
        ("UPDATE messages SET room = 2 WHERE text = 'b'", "in another room"),
        ("UPDATE segments SET exchange = 1", "should be one text"),
        ("DELETE FROM segments WHERE text_offset = 0", "do not join"),
        ("UPDATE rooms SET exchange_count = 7 WHERE room_id = 'r'", "count their exchanges wrongly"),
        ("DELETE FROM resets; DELETE FROM sessions WHERE room = 1", "without their default session"),
        ("UPDATE sessions SET closed_at = NULL", "of deleted rooms"),
        ("UPDATE reads SET exchange = 77", "read marks"),
        ("UPDATE resets SET through = 77", "resets"),
        ("UPDATE rooms SET metadata = '{' WHERE room_id = 'r'", "not JSON"),
        ("PRAGMA foreign_keys = OFF; DELETE FROM exchanges WHERE exchange_id = 'running'", "that refer to exchanges"),
    ]

    @Test(arguments: faults) func everyFaultIsFound(sql: String, sentence: String) throws {
        try fill()
        try DatabaseConnection(path: scratch.database).execute(sql)
        let found = try StoreCheck.run(directory: scratch.path)
        #expect(found.faults.contains { $0.contains(sentence) }, "\(found.faults)")
    }

    @Test func theFaultsAboveCoverEveryRule() {
        for rule in StoreRule.all {
            #expect(Self.faults.contains { rule.sentence.contains($0.sentence) }, "\(rule.sentence)")
        }
    }

    @Test func anOlderSchemaIsCheckedAsFarAsItGoes() throws {
        try fill()
        try MessageStore.migrate(directory: scratch.path, to: 1) { _ in }
        let found = try StoreCheck.run(directory: scratch.path)
        #expect(found.faults == [] && found.notes.first?.contains("hubbub migrate up") == true)
    }

    @Test func whatIsNoDatabaseOfOursIsToldApart() throws {
        #expect(throws: StoreError.noDatabase(path: scratch.path)) { try StoreCheck.run(directory: scratch.path) }
        #expect(throws: StoreError.self) { try StoreCheck.run(file: scratch.path + "/none.db") }
        let file = try #require(fopen(scratch.database, "wb"))
        fputs(String(repeating: "This is not a database. ", count: 100), file)
        fclose(file)
        #expect(throws: StoreError.notADatabase(path: scratch.database)) {
            try StoreCheck.run(file: scratch.database)
        }
        for sql in [nil, "CREATE TABLE theirs (x)"] {
            unlink(scratch.database)
            if let sql {
                try DatabaseConnection(path: scratch.database).execute(sql)
            } else {
                fclose(fopen(scratch.database, "wb"))
            }
            #expect(throws: StoreError.notADatabase(path: scratch.database)) {
                try StoreCheck.run(file: scratch.database)
            }
            #expect(throws: StoreError.notADatabase(path: scratch.database)) {
                try StoreCheck.run(directory: scratch.path)
            }
        }
    }

    @Test func whatGoingAllTheWayDownLeavesIsSound() throws {
        try fill()
        try MessageStore.migrate(directory: scratch.path, to: 0) { _ in }
        let found = try StoreCheck.run(directory: scratch.path)
        #expect(found.faults == [] && found.version == 0)
    }
}
