import Chat
import Glibc
import Testing
import Wire

@testable import Storage

@Suite struct OpeningTests {
    let scratch = Scratch()

    @Test func aDirectoryServesOneStoreAtATime() throws {
        let store = try scratch.open()
        #expect(throws: StoreError.directoryInUse(path: scratch.path)) { try scratch.open() }
        #expect(throws: StoreError.directoryInUse(path: scratch.path)) {
            try MessageStore.migrate(directory: scratch.path, to: nil) { _ in }
        }
        store.close()
        try scratch.open().close()
    }

    @Test func aMissingDirectoryIsMadeForItsOwnerOnly() throws {
        let path = "\(scratch.path)/outer/inner"
        try MessageStore(directory: path, now: .at(0)).close()
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
        #expect(stat("\(path)/hubbub.db", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        for name in ["hubbub.db", "hubbub.lock"] { #expect(unlink("\(path)/\(name)") == 0, "nothing else is left") }
        #expect(rmdir(path) == 0)
        #expect(rmdir("\(scratch.path)/outer") == 0)
    }

    @Test func aDatabaseOfANewerProgramIsRefusedAndUntouched() throws {
        try scratch.open().close()
        try DatabaseConnection(path: scratch.database).execute("PRAGMA user_version = 99")
        let refusal = StoreError.newerSchema(found: 99, known: MessageStore.schemaVersion)
        #expect(throws: refusal) { try scratch.open() }
        #expect(throws: refusal) { try MessageStore.migrate(directory: scratch.path, to: 0) { _ in } }
        #expect(try MessageStore.installedVersion(directory: scratch.path) == 99)
    }

    @Test func aFileThatIsNoDatabaseIsRefused() throws {
        let file = try #require(fopen(scratch.database, "wb"))
        fputs(String(repeating: "This is not a database. ", count: 100), file)
        fclose(file)
        #expect(throws: StoreError.notADatabase(path: scratch.database)) { try scratch.open() }
        #expect(throws: StoreError.notADatabase(path: scratch.database)) {
            try MessageStore.installedVersion(directory: scratch.path)
        }
    }

    @Test func aPathThatCannotBeOpenedIsRefusedAndTheLockIsFree() throws {
        #expect(mkdir(scratch.database, 0o700) == 0)
        for _ in 0..<2 {
            #expect {
                try scratch.open()
            } throws: { error in
                if case .cannotOpen(let path, _)? = error as? StoreError { path == scratch.database } else { false }
            }
        }
        #expect(throws: StoreError.self) { try MessageStore(directory: "/proc/none/data", now: .at(0)) }
    }

    @Test(arguments: [
        (StoreError.directoryInUse(path: "/d"), "--data"), (.newerSchema(found: 3, known: 2), "migrate down to 2"),
        (.cannotOpen(path: "/d", reason: "permission denied"), "permission denied"),
        (.notADatabase(path: "/d"), "backup"), (.cannotMigrate(path: "/d", reason: "disk full"), "migrate up"),
        (.unknownVersion(9, known: 2), "0 to 2"), (.diskFull(path: "/d"), "Free some"), (.locked(path: "/d"), "End it"),
    ])
    func everyErrorSaysWhatToDo(error: StoreError, hint: String) {
        #expect(error.description.contains(hint))
        #expect(error.description.hasSuffix("."))
    }
}
