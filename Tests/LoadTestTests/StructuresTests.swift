import Chat
import ChatProtocol
import Testing

@testable import loadtest

/// The hub without sockets, as the benchmark of its structures drives it.
struct StructuresTests {
    @Test func aTokenGoesToEveryWatcherOfItsRoomAndToNobodyElse() {
        var structures = Structures()
        (structures.watchers, structures.tokens) = (4, 50)
        var delivered = Check("deliveries")
        let size = structures.measure(40, &delivered)
        #expect(size.rooms == 10)
        #expect(delivered.checked == 5 * 10 * 4)
        #expect(delivered.mismatches.map(\.what) == [])
    }

    @Test func whoHasNotJoinedGetsNothing() {
        let hub = BareHub()
        let room = RoomID("room_a")
        let author = hub.open(UserID("ann"))
        _ = hub.open(UserID("ben"))
        hub.receive(["type": "join", "room_id": .string(room.text)], on: author)
        hub.receive(["type": "send", "room_id": .string(room.text), "text": "Hello"], on: author)
        hub.advance(nanoseconds: 2_000_000_000)
        let before = (hub.broadcasts, hub.writes)
        hub.say([120], in: hub.streams[0])
        #expect(hub.broadcasts - before.0 + hub.writes - before.1 >= 1)
        hub.advance(nanoseconds: 2_000_000_000)
        let settled = (hub.broadcasts, hub.writes)
        hub.say([121], in: hub.streams[0])
        #expect((hub.broadcasts - settled.0, hub.writes - settled.1) == (1, 0))
    }

    @Test func saysWhatItWasNotTold() {
        #expect(throws: Failure.self) { try Structures(["--rooms", "5"]) }
        #expect(throws: Failure.self) { try Structures(["--watchers", "0"]) }
    }
}
