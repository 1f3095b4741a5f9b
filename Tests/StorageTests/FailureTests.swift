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
        let failures = Mutex<[String]>([])
        let store = try MessageStore(directory: scratch.path, now: .at(0)) { sentence in
            failures.withLock { $0.append(sentence) }
        }
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        #expect(store.answer(.message("before", exchange: "before")).isStored)
        store.onWriter("PRAGMA max_page_count = 1")
        let secret = String(repeating: "secret", count: 40_000)
        #expect(store.answer(.message(secret, exchange: "lost", key: "k")).isUnavailable)
        #expect(store.answer(.history()).history?.map { $0.exchangeID.text } == ["before"], "reading goes on")
        let sentences = failures.withLock { $0 }
        #expect(!sentences.isEmpty)
        #expect(!sentences.contains { $0.contains("secret") })
        store.onWriter("PRAGMA max_page_count = 1000000")
        #expect(store.answer(.message(secret, exchange: "found", key: "k")).isStored)
        let head = store.answer(.loadRoom(RoomID("r"))).head
        #expect(head?.room.messageCount == 2)
        #expect(head?.history.last?.messages.first?.text == secret)
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
        #expect(history[1].events == [["id": 1], ["id": 2]])
        #expect(history.map { $0.endedAt } == [.at(4), .at(77), .at(77)])
        #expect(try DatabaseConnection(path: copy.database).first("SELECT count(*) FROM segments") { $0.int(0) } == 0)
    }

    @Test func aStoreThatWasClosedWellHasNothingToSettle() throws {
        try scratch.open().close()
        let again = try scratch.open()
        defer { again.close() }
        #expect(again.settledAtStart == 0)
    }

    private func copyFile(_ from: String, _ to: String) throws {
        let source = try #require(fopen(from, "rb"))
        defer { fclose(source) }
        let target = try #require(fopen(to, "wb"))
        defer { fclose(target) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&bytes, 1, bytes.count, source), count > 0 { fwrite(bytes, 1, count, target) }
    }
}
