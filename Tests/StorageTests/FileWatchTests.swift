import Chat
import Glibc
import Testing

@testable import Storage

@Suite struct FileWatchTests {
    typealias Facts = FileWatch.Facts

    /// Sizes one after the other; `nil`: all is well.
    struct Course: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let facts: [Facts]
        let fault: SQLiteError?

        init(_ name: String, _ facts: [(database: Int, log: Int, frames: Int, pages: Int)], _ fault: SQLiteError?) {
            testDescription = name
            self.facts = facts.map {
                Facts(databaseBytes: $0.database, logBytes: $0.log, pageBytes: 100, frames: $0.frames, pages: $0.pages)
            }
            self.fault = fault
        }
    }

    private static func log(_ frames: Int) -> Int { 32 + frames * 124 }

    static let courses = [
        Course("an empty log", [(1_000, 0, 0, 0)], nil),
        Course("a log that grows", [(1_000, log(1), 1, 10), (1_000, log(9), 9, 12)], nil),
        Course("a log that starts anew and keeps its file", [(1_000, log(9), 9, 12), (1_200, log(9), 1, 12)], nil),
        Course(
            "a log that starts anew and is cut to its limit", [(1_000, log(9), 9, 12), (1_200, log(2), 2, 12)], nil),
        Course("a log that another program's checkpoint emptied", [(1_000, log(9), 9, 12), (1_200, 0, 0, 12)], nil),
        Course("a log without its last byte", [(1_000, log(9), 9, 12), (1_000, log(9) - 1, 9, 12)], .logCut),
        Course("a log that is empty and should not be", [(1_000, 0, 1, 12)], .logCut),
        Course("a database that grows", [(1_000, 0, 0, 0), (1_200, 0, 0, 12)], nil),
        Course("a database that is larger than what was written yet", [(1_000, log(9), 9, 20)], nil),
        Course("a database without its last byte", [(1_000, log(1), 1, 10), (999, log(1), 1, 10)], .databaseCut),
        Course("a database that was emptied", [(1_000, 0, 0, 0), (0, 0, 0, 0)], .databaseCut),
        Course("a database that a VACUUM made small", [(1_000, log(1), 1, 10), (300, log(1), 1, 3)], nil),
        Course(
            "a database that a VACUUM is about to make small, cut shorter still",
            [(1_000, log(1), 1, 10), (200, log(1), 1, 3)], .databaseCut),
    ]

    @Test(arguments: courses) func tellsALossFromWhatShrinksByItself(_ course: Course) throws {
        var watch = FileWatch()
        for facts in course.facts.dropLast() { #expect(watch.fault(in: facts) == nil) }
        #expect(watch.fault(in: try #require(course.facts.last)) == course.fault)
        // It is a fault until it is mended, however often one looks.
        #expect(watch.fault(in: try #require(course.facts.last)) == course.fault)
    }

    let scratch = Scratch()

    @Test func whatAConnectionTellsOfItsFilesIsTrue() throws {
        let (file, writer) = try DatabaseFile.create(scratch.database)
        try writer.execute("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(100000))")
        let before = try #require(writer.fileFacts)
        #expect(before.pageBytes == 4096 && before.pages >= 25 && before.frames >= 25)
        #expect(before.logBytes == size(scratch.database + "-wal"))
        #expect(before.logBytes >= 32 + before.frames * (4096 + 24))
        #expect(before.databaseBytes == size(scratch.database))
        #expect(try writer.foldLog())
        let folded = try #require(writer.fileFacts)
        #expect(folded.databaseBytes == folded.pages * 4096)
        try writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let emptied = try #require(writer.fileFacts)
        #expect(emptied.frames == 0 && emptied.logBytes == 0)
        #expect(file.hasLog)
        withExtendedLifetime(writer) {}
    }

    @Test func aLogThatIsRemovedIsToldWithoutAWriteAndLosesNothing() throws {
        let news = Inbox<StorageNews>()
        let store = try MessageStore(directory: scratch.path, now: .at(0)) { news.add($0) }
        #expect(store.answer(.create("r")).isStored)
        #expect(store.answer(.message("kept", exchange: "kept")).isStored)
        #expect(unlink(scratch.database + "-wal") == 0)
        let reason = SQLiteError.logMoved(isSaved: true).message
        #expect(news.next() == .failed(reason), "the writer looks by itself")
        #expect(store.checked()?.reason == reason)
        #expect(store.answer(.message("lost", exchange: "lost")).isUnavailable)
        #expect(store.answer(.history()).history?.map { $0.exchangeID.text } == ["kept"], "reading goes on")
        #expect(access(scratch.database + "-wal", F_OK) != 0, "none is made in its place")
        // What a killed process would leave now.
        let copy = Scratch()
        try copyFile(scratch.database, copy.database)
        let killed = try copy.open()
        #expect(killed.answer(.history()).history?.map { $0.exchangeID.text } == ["kept"])
        killed.close()
        store.close()
        let again = try scratch.open()
        defer { again.close() }
        #expect(again.answer(.history()).history?.map { $0.exchangeID.text } == ["kept"])
        #expect(again.answer(.message("new", exchange: "new")).isStored)
        #expect(again.trouble == nil)
    }

    @Test func aLogThatWasReplacedTakesNoWrites() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        try copyFile(scratch.database + "-wal", scratch.database + "-copy")
        #expect(rename(scratch.database + "-copy", scratch.database + "-wal") == 0)
        #expect(store.answer(.message("lost", exchange: "lost")).isUnavailable)
        #expect(store.trouble?.reason.contains("hubbub.db-wal was moved") == true)
    }

    @Test func aLogThatIsCutShortTakesNoWrites() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        #expect(truncate(scratch.database + "-wal", 32) == 0)
        #expect(store.answer(.message("lost", exchange: "lost")).isUnavailable)
        #expect(store.trouble?.reason == SQLiteError.logCut.message)
        #expect(size(scratch.database + "-wal") == 32, "nothing is written behind the gap")
    }

    @Test func aDatabaseThatIsCutShortTakesNoWritesUntilItIsWhole() throws {
        try scratch.open().close()
        let news = Inbox<StorageNews>()
        let store = try MessageStore(directory: scratch.path, now: .at(0)) { news.add($0) }
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let whole = scratch.database + "-copy"
        try copyFile(scratch.database, whole)
        defer { unlink(whole) }
        #expect(truncate(scratch.database, 4096) == 0)
        #expect(news.next() == .failed(SQLiteError.databaseCut.message), "the writer looks by itself")
        #expect(store.answer(.message("lost", exchange: "lost")).isUnavailable)
        #expect(size(scratch.database) == 4096)
        try copyFile(whole, scratch.database)
        #expect(store.answer(.message("found", exchange: "found")).isStored)
        #expect(store.trouble == nil)
    }

    @Test func anotherProgramsCheckpointIsNoFault() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let other = try DatabaseConnection(path: scratch.database)
        try other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        #expect(size(scratch.database + "-wal") == 0)
        #expect(store.answer(.message("one", exchange: "e1")).isStored)
        try other.execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        #expect(store.answer(.message("two", exchange: "e2")).isStored)
        #expect(store.trouble == nil)
    }

    /// The last connection that closes would remove the log, and the next one make another: that is no loss.
    @Test func aWriterThatOpensAnewFindsItsLog() throws {
        let file = try fileOfAClosedWriter()
        #expect(file.hasLog)
        let again = try file.openWriter()
        try again.execute("INSERT INTO t VALUES (1)")
        #expect(file.hasLog)
    }

    private func fileOfAClosedWriter() throws -> DatabaseFile {
        let (file, writer) = try DatabaseFile.create(scratch.database)
        try writer.execute("CREATE TABLE t (x)")
        writer.keepLog()
        return file
    }

    private func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : -1
    }
}
