import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// A room finds its sessions by id and by time, never by looking at all of them.
@Suite struct SessionTableTests {
    private func session(_ number: Int) -> Session {
        Session(
            record: SessionRecord(
                sessionID: SessionID("session_\(number)"), userID: UserID("ann"), roomID: RoomID("room_a"),
                createdAt: Timestamp(milliseconds: 0), expiresAt: nil))
    }

    @Test func findsWhatStaysWhenOthersGo() {
        var table = SessionTable()
        for number in 0..<10 { table.append(session(number)) }
        for number in [0, 9, 4, 8] {
            #expect(
                table.remove(at: table.index(of: SessionID("session_\(number)")) ?? 0).id.text == "session_\(number)")
        }
        #expect(table.count == 6)
        for number in [1, 2, 3, 5, 6, 7] {
            let index = table.index(of: SessionID("session_\(number)"))
            #expect(index.map { table[$0].id.text } == "session_\(number)")
        }
        #expect(table.index(of: SessionID("session_4")) == nil)
    }

    @Test func namesThoseThatChangedOrAreDueAndNoOthers() {
        var table = SessionTable()
        for number in 0..<1_000 { table.append(session(number)) }
        #expect(table.takeDue(at: 0).count == 1_000)
        #expect(table.takeDue(at: 0).isEmpty)
        for number in 0..<1_000 { table.look(at: number, when: UInt64(1_000 + number)) }
        #expect(table.nextDeadline == 1_000)
        table[500].contextUsedAt = 1
        #expect(table.takeDue(at: 1_001).map(\.text).sorted() == ["session_0", "session_1", "session_500"])
        #expect(table.nextDeadline == 1_002)
    }

    @Test func anEarlierTimeReplacesALaterOne() {
        var table = SessionTable()
        table.append(session(1))
        _ = table.takeDue(at: 0)
        table.look(at: 0, when: 50)
        table.look(at: 0, when: 20)
        table.look(at: 0, when: 90)
        #expect(table.takeDue(at: 20).count == 1)
        #expect(table.takeDue(at: 60).isEmpty, "the time that was replaced means nothing")
        #expect(table.nextDeadline == nil)
    }

    @Test func keysComeInTheOrderOfTheirTimes() {
        var heap = DeadlineHeap<Int>()
        for number in 0..<200 { heap.push(number, at: UInt64((number * 37) % 101)) }
        var times: [UInt64] = []
        while let next = heap.popDue(at: .max) { times.append(next.at) }
        #expect(times.count == 200 && times == times.sorted())
        heap.push(1, at: 5)
        #expect(heap.popDue(at: 4) == nil && heap.first == 5)
    }

    @Test func aTokenLooksAtNoSessionAndAtNoOtherTurn() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let clients = (0..<3).map { world.connect("user_\($0)") }
        for client in clients {
            let session = client.openSession(room)
            client.send(room, "hello", key: "m", ["session_id": .string(session)])
        }
        let home = world.hubs[0].rooms[RoomID(room)]
        #expect(home?.turns.count == 3)
        let stream = world.lastStream
        world.hubs[0].agent(StreamID(stream), .text(Array("word ".utf8)), now: world.now)
        #expect(home?.noted.map(\.streamID.text) == [stream])
        #expect(home?.sessions.takeDue(at: world.now.instant) == [])
    }

    @Test func aClockSetBackByCenturiesExpiresNothingAndTrapsNowhere() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        let session = client.openSession(room)
        let past = Now(instant: world.now.instant, timestamp: Timestamp(milliseconds: Int64.min / 2))
        world.hubs[0].request(
            .getSession(SessionID(session)), user: UserID("ann"),
            from: ConnectionRef(loop: 0, descriptor: 2, generation: 1), now: past)
        world.hubs[0].turnEnded(now: past)
        #expect(client.send(room, "hello", key: "m1", ["session_id": .string(session)])["exchange_id"] != nil)
        world.expectConsistent()
    }
}
