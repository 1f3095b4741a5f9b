import Chat
import ChatProtocol
import Glibc
import Synchronization
import Testing
import Wire

@testable import Storage

@Suite struct FailureTests {
    let scratch = Scratch()

    @Test func aFullDiskIsAnsweredAndTheStoreRecovers() throws {
        let news = Mutex<[StorageNews]>([])
        let store = try MessageStore(directory: scratch.path, now: .at(0)) { item in news.withLock { $0.append(item) } }
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        #expect(store.answer(.message("before", exchange: "before")).isStored)
        #expect(store.trouble == nil)
        store.onWriter("PRAGMA max_page_count = 1")
        let secret = String(repeating: "secret", count: 40_000)
        for _ in 0..<3 { #expect(store.answer(.message(secret, exchange: "lost", key: "k")).isUnavailable) }
        #expect(store.trouble?.reason == "database or disk is full")
        #expect(store.checked() == store.trouble)
        #expect(store.answer(.history()).history?.map { $0.exchangeID.text } == ["before"], "reading goes on")
        #expect(news.withLock { $0 } == [.failed("database or disk is full")], "said once")
        store.onWriter("PRAGMA max_page_count = 1000000")
        #expect(store.answer(.message(secret, exchange: "found", key: "k")).isStored)
        #expect(store.trouble == nil && store.checked() == nil)
        #expect(news.withLock { $0 }.count == 2, "recovered")
        let head = store.answer(.loadRoom(RoomID("r"))).head
        #expect(head?.room.messageCount == 2)
        #expect(head?.history.last?.messages.first?.text == secret)
    }

    @Test func aForeignLockIsAnsweredAndTheStoreRecovers() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let other = try DatabaseConnection(path: scratch.database)
        try other.execute("BEGIN IMMEDIATE")
        #expect(store.answer(.message("one", exchange: "e1")).isUnavailable)
        #expect(store.trouble?.reason == "database is locked")
        #expect(store.answer(.history()).history == [], "reading goes on")
        try other.execute("ROLLBACK")
        #expect(store.answer(.message("one", exchange: "e1")).isStored)
        #expect(store.trouble == nil)
    }

    @Test func aFileThatIsTakenAwayTakesNoWritesUntilItIsBack() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let elsewhere = "\(scratch.path)/elsewhere"
        #expect(rename(scratch.database, elsewhere) == 0)
        #expect(store.answer(.message("one", exchange: "e1")).isUnavailable)
        #expect(store.checked()?.reason.contains("moved") == true)
        #expect(access(scratch.database, F_OK) != 0, "none is made in its place")
        #expect(rename(elsewhere, scratch.database) == 0)
        #expect(store.answer(.message("one", exchange: "e1")).isStored)
        #expect(store.checked() == nil)
    }

    @Test func damageIsSeenAndSeenToBeGone() throws {
        try scratch.open().close()
        let store = try scratch.open()
        for number in 0..<50 {
            #expect(store.answer(.create("r\(number)")).isStored)
            let text = String(repeating: "\(number)", count: 5_000)
            #expect(store.answer(.message(text, in: "r\(number)", exchange: "e\(number)")).isStored)
        }
        store.close()
        let (sound, damaged) = try damage(scratch.database)

        let news = Inbox<StorageNews>()
        let again = try MessageStore(directory: scratch.path, now: .at(0)) { news.add($0) }
        defer { again.close() }
        let answers = (0..<50).map { again.answer(.loadRoom(RoomID("r\($0)"))) }
        let failed = answers.filter(\.isUnavailable)
        #expect(!failed.isEmpty)
        #expect(failed.count < answers.count, "what is whole is served")
        #expect(news.next() == .failed("database disk image is malformed, or the disk cannot be read"))
        #expect(again.checked()?.reason == "database disk image is malformed, or the disk cannot be read")
        #expect(again.answer(.create("new")).isStored)
        #expect(again.trouble != nil, "a write says nothing about damage")
        try write(sound, to: scratch.database, at: damaged)
        guard case .recovered = news.next() else {
            Issue.record("it was not said that the store is sound again")
            return
        }
        #expect(again.trouble == nil)
        for number in 0..<50 { #expect(again.answer(.loadRoom(RoomID("r\(number)"))).head != nil) }
    }

    @Test func aFailingCommitStoresNothingOfItsBatchAndTheNextOneWorks() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let released = Semaphore()
        let answers = Answers()
        store.hold(until: released)
        store.submit(.message("one", exchange: "e1"), completion: answers.take(0))
        // A deferred foreign key is checked by COMMIT, so that is what fails.
        store.submit(
            """
            PRAGMA defer_foreign_keys = ON;
            INSERT INTO messages (exchange, room, user_id, role, text, timestamp) VALUES (99, 99, '', '', '', 0)
            """, completion: answers.take(1))
        store.submit(.message("two", exchange: "e2"), completion: answers.take(2))
        released.signal()
        let results = answers.wait(for: 3)
        #expect(results.map { $0.label } == [0, 1, 2])
        #expect(results.allSatisfy { $0.result.isUnavailable })
        #expect(store.answer(.history()).history == [])
        #expect(store.answer(.message("again", exchange: "e1")).isStored)
    }

    @Test func aTransactionThatIsLostMidwayFailsItsBatch() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let released = Semaphore()
        let answers = Answers()
        store.hold(until: released)
        store.submit(.message("one", exchange: "e1"), completion: answers.take(0))
        store.submit("ROLLBACK; SELECT no_such_function()", completion: answers.take(1))
        store.submit(.message("two", exchange: "e2"), completion: answers.take(2))
        released.signal()
        #expect(answers.wait(for: 3).allSatisfy { $0.result.isUnavailable })
        #expect(store.answer(.message("again", exchange: "e1")).isStored)
        #expect(store.answer(.history()).history?.count == 1)
    }

    @Test func whatALostProcessLeftRunningIsSettled() throws {
        let store = try scratch.open()
        for request: StorageRequest in [
            .create("r"), .message("a", exchange: "done"), .finish("done", "whole", at: 4),
            .message("b", exchange: "running"), .startExchange(ExchangeID("running"), at: .at(2)),
            .segment("running", 0, "par", reasoning: (0, "why"), events: [["id": 1]]),
            .segment("running", 3, "tial", reasoning: (3, ""), events: [["id": 2]]), .message("c", exchange: "waiting"),
        ] {
            #expect(store.answer(request).isStored)
        }
        // What is on disk at this moment is what a killed process would leave.
        let copy = Scratch()
        for suffix in ["", "-wal"] { try copyFile(scratch.database + suffix, copy.database + suffix) }
        store.close()
        let next = try copy.open(at: 77)
        defer { next.close() }
        #expect(next.settledAtStart == 2)
        let history = try #require(next.answer(.history()).history)
        #expect(history.map { $0.status } == [.completed, .interrupted, .interrupted])
        #expect(history.map { $0.text } == ["whole", "partial", ""])
        #expect(history.map { $0.reasoning } == [nil, "why", nil])
        #expect(history.map { $0.usage } == [nil, Usage(completionTokens: 3, isEstimated: true), nil])
        #expect(history[1].events == [["id": 1], ["id": 2]])
        #expect(history.map { $0.endedAt } == [.at(4), .at(77), .at(77)])
        #expect(try DatabaseConnection(path: copy.database).first("SELECT count(*) FROM segments") { $0.int(0) } == 0)
    }

    @Test func whatWasInterruptedLatelyIsToBeAskedForAgain() throws {
        let store = try scratch.open()
        let old = InterruptedAnswer.keyPrefix + "e2"
        for request: StorageRequest in [
            .create("r"), .create("gone"), .message("too old", exchange: "e1", at: 9),
            .message("answered anew", exchange: "e2", at: 10), .message("b", exchange: "e3", at: 11),
            .message("c", exchange: "e3", opens: false, at: 12), .message("done", exchange: "e4", at: 12),
            .finish("e4", "done"), .note("for people", exchange: "e5", at: 13),
            .message("deleted", in: "gone", exchange: "e6", at: 14),
            .message("answered anew", exchange: "e7", key: old, regenerates: "e2", at: 15),
            .message("mine", exchange: "e8", key: "k", user: "bob", at: 16),
        ] {
            #expect(store.answer(request).isStored)
        }
        #expect(store.answer(.deleteRoom(RoomID("gone"), at: .at(20), outcomes: [])).isStored)
        store.close()
        let cases: [(Int64?, [String])] = [(nil, []), (10, ["e3", "e8"]), (9, ["e1", "e3", "e8"]), (17, [])]
        for (since, names) in cases {
            let next = try MessageStore(directory: scratch.path, now: .at(77), interruptedSince: since.map { .at($0) })
            defer { next.close() }
            #expect(next.interruptedAnswers.map(\.exchangeID.text) == names)
            guard names.count == 2 else { continue }
            #expect(next.interruptedAnswers.map(\.text) == ["b\nc", "mine"])
            #expect(next.interruptedAnswers.map(\.userID.text) == ["ada", "bob"])
        }
    }

    @Test func aStoreThatWasClosedWellHasNothingToSettle() throws {
        try scratch.open().close()
        let again = try scratch.open()
        defer { again.close() }
        #expect(again.settledAtStart == 0)
    }

    /// Overwrites the pages from the fourth part of the file to its half; returns what stood there, and where.
    private func damage(_ path: String) throws -> ([UInt8], Int) {
        let file = try #require(fopen(path, "rb"))
        defer { fclose(file) }
        fseek(file, 0, SEEK_END)
        let start = ftell(file) / 4 / 4096 * 4096
        var bytes = [UInt8](repeating: 0, count: start)
        fseek(file, start, SEEK_SET)
        #expect(fread(&bytes, 1, bytes.count, file) == bytes.count)
        try write([UInt8](repeating: 0xA5, count: bytes.count), to: path, at: start)
        return (bytes, start)
    }

    private func write(_ bytes: [UInt8], to path: String, at start: Int) throws {
        let file = try #require(fopen(path, "r+b"))
        defer { fclose(file) }
        fseek(file, start, SEEK_SET)
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}
