import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct GroupCommitTests {
    let scratch = Scratch()

    @Test func writesThatArriveTogetherShareACommitAndAreAnsweredInOrder() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let before = store.queue.commitCount
        let results = store.answerTogether(
            (0..<WorkQueue.batchJobsMax * 2).map { .message("m", exchange: "e\($0)") })
        #expect(results.allSatisfy { $0.isStored })
        #expect(store.queue.commitCount - before == 3, "the held one and two full batches")
    }

    @Test func aBatchIsCutByBytes() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let before = store.queue.commitCount
        let large = String(repeating: "z", count: WorkQueue.batchBytesMax / 2 + 1)
        let results = store.answerTogether((0..<3).map { .message(large, exchange: "e\($0)") })
        #expect(results.allSatisfy { $0.isStored })
        #expect(store.queue.commitCount - before == 4, "the held one, then one each")
    }

    @Test func manyThreadsKeepTheOrderOfTheirRooms() async throws {
        let store = try scratch.open()
        defer { store.close() }
        let rooms = 8
        let messages = 200
        for room in 0..<rooms { #expect(store.answer(.create("r\(room)")).isStored) }
        let perRoom = (0..<rooms).map { _ in Answers() }
        await withTaskGroup(of: Void.self) { group in
            for room in 0..<rooms {
                group.addTask {
                    for number in 0..<messages {
                        let exchange = "x\(room)_\(number)"
                        store.submit(
                            .message("m", in: "r\(room)", exchange: exchange), completion: perRoom[room].take(number))
                    }
                }
            }
        }
        for room in 0..<rooms {
            let results = perRoom[room].wait(for: messages)
            #expect(results.map { $0.label } == Array(0..<messages))
            #expect(results.allSatisfy { $0.result.isStored })
            let page = store.answer(.page(HistoryFilter(roomID: RoomID("r\(room)")), limit: messages)).page
            #expect(page?.map { $0.exchangeID.text } == (0..<messages).reversed().map { "x\(room)_\($0)" })
        }
        #expect(store.queue.commitCount < rooms * messages / 2)
    }

    @Test func aRefusedRequestDropsNoOtherOfItsBatch() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r", roomsMax: 1)).isStored)
        let before = store.queue.commitCount
        let requests: [StorageRequest] = [
            .message("one", exchange: "e1", key: "k"), .message("one", exchange: "e2", key: "k"),
            .create("over", roomsMax: 1), .message("nowhere", in: "missing", exchange: "e3"), .create("r"),
            .message("two", exchange: "e4", key: "other"),
        ]
        let results = store.answerTogether(requests)
        #expect(results[0].isStored)
        #expect(results[1].duplicate?.exchangeID == ExchangeID("e1"))
        #expect(results[2].isRoomLimitReached)
        #expect(results[3].isUnavailable)
        #expect(results[4].isUnavailable)
        #expect(results[5].isStored)
        #expect(store.queue.commitCount - before == 2, "the held one and one for them all")
        #expect(store.answer(.history()).history?.map { $0.exchangeID.text } == ["e1", "e4"])
    }

    @Test func aRequestThatFailsHalfWayIsUndoneAlone() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let before = store.queue.commitCount
        // Its room could be inserted, but not its session, whose name is taken.
        let half = RoomRecord.example("half", session: RoomRecord.example("r").defaultSessionID)
        let requests: [StorageRequest] = [
            .message("one", exchange: "e1", key: "k"), .createRoom(half, roomsMax: 0),
            .message("again", exchange: "e2", key: "k"), .message("two", exchange: "e3"),
        ]
        let results = store.answerTogether(requests)
        #expect(results[0].isStored)
        #expect(results[1].isUnavailable)
        #expect(results[2].duplicate?.exchangeID == ExchangeID("e1"))
        #expect(results[3].isStored)
        #expect(store.queue.commitCount - before == 2, "the held one and one for them all")
        #expect(store.answer(.history()).history?.map { $0.exchangeID.text } == ["e1", "e3"])
        #expect(store.answer(.loadRoom(RoomID("half"))).head == nil)
    }

    @Test func aReadSeesEveryWriteThatWasSubmittedBeforeIt() throws {
        let store = try scratch.open()
        defer { store.close() }
        #expect(store.answer(.create("r")).isStored)
        let released = Semaphore()
        let answers = Answers()
        store.hold(until: released)
        store.submit(.message("m", exchange: "e"), completion: answers.take(0))
        store.submit(.history(), completion: answers.take(1))
        store.submit(.finish("e", "done"), completion: answers.take(2))
        store.submit(.findStream(StreamID("stream_e")), completion: answers.take(3))
        released.signal()
        let results = answers.wait(for: 4).sorted { $0.label < $1.label }
        #expect(results[1].result.history?.count == 1)
        #expect(results[3].result.stream?.status == .completed)
    }

    @Test func readsAreSharedOutAmongTheUsers() throws {
        let queue = WorkQueue()
        let job = { (owner: String) in
            ReadJob(
                owner: UserID(owner), perform: { (_) throws(SQLiteError) in .noMessage }, completion: { _ in })
        }
        for _ in 0..<100 { #expect(queue.submit(job("greedy"))) }
        let next = { () -> UserID? in
            guard case .job(let job)? = queue.nextRead() else { return nil }
            queue.ended(job, after: 1_000_000)
            return job.owner
        }
        for _ in 0..<10 { #expect(next() == UserID("greedy")) }
        #expect(queue.submit(job("modest")))
        #expect(next() == UserID("modest"), "ninety of the other stand before it")
        #expect(next() == UserID("greedy"))
        #expect(queue.close())
        for _ in 0..<89 { #expect(next() == UserID("greedy")) }
        guard case nil = queue.nextRead() else {
            Issue.record("a read too many")
            return
        }
    }

    @Test func closingAnswersWhatIsQueuedAndRefusesTheRest() throws {
        let store = try scratch.open()
        #expect(store.answer(.create("r")).isStored)
        let answers = Answers()
        for number in 0..<100 { store.submit(.message("m", exchange: "e\(number)"), completion: answers.take(number)) }
        store.submit(.page(HistoryFilter(roomID: RoomID("r")), limit: 0), completion: answers.take(100))
        store.close()
        store.close()
        let results = answers.wait(for: 101)
        #expect(results.dropLast().allSatisfy { $0.result.isStored })
        #expect(results.last?.result.total == 100)
        #expect(store.answer(.create("late")).isUnavailable)
        #expect(store.answer(.loadRoom(RoomID("r"))).isUnavailable)
        let again = try scratch.open()
        defer { again.close() }
        #expect(again.answer(.loadRoom(RoomID("r"))).head?.room.messageCount == 100)
    }
}
