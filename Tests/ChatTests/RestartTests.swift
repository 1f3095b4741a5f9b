import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Answers that the last process's end interrupted.
@Suite struct RestartTests {
    private func interrupted(_ exchange: String, in room: String, by user: String = "ann") -> InterruptedAnswer {
        InterruptedAnswer(
            exchangeID: ExchangeID(exchange), roomID: RoomID(room), userID: UserID(user), text: "hello",
            metadata: ["tone": "dry"])
    }

    /// A hub after one that was lost in mid-stream; the exchange that ran.
    private func start(_ loops: Int) -> (HubWorld, String, String) {
        let before = HubWorld(loops: loops)
        let room = before.room()
        before.connect(loop: loops - 1).send(room, "hello", key: "m1")
        before.say(before.lastStream, "part")
        let exchange = before.store.exchange(of: before.lastStream)?.exchangeID.text ?? ""
        before.interruptStreams()
        return (HubWorld(loops: loops, seed: 7, before: before), room, exchange)
    }

    @Test(arguments: [1, 2, 3]) func itIsAskedForAgainAndOnce(_ loops: Int) {
        let (world, room, exchange) = start(loops)
        let watcher = world.connect("ben", loop: loops - 1)
        watcher.join(room)
        for _ in 0..<2 {
            world.hubs[0].restart(interrupted(exchange, in: room), now: world.now)
            world.finishTurn(0)
        }
        world.run()
        #expect(world.agents.count == 1)
        #expect(world.agents.last?.input == "hello")
        #expect(world.agents.last?.userID == UserID("ann"))
        #expect(world.agents.last?.messageMetadata == ["tone": "dry"])
        #expect(watcher.last("stream-started").text("regenerate_of") == exchange)
        world.say(world.lastStream, "whole")
        world.finish(world.lastStream)
        world.hubs[0].restart(interrupted(exchange, in: room), now: world.now)
        world.finishTurn(0)
        world.run()
        #expect(world.agents.count == 1, "its key is known")
        #expect(world.store.exchanges.map(\.status) == [.interrupted, .completed])
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func whatIsGoneIsRefused() {
        let (world, room, _) = start(2)
        for (exchange, room) in [("exchange_none", room), ("exchange_none", "room_none")] {
            let before = world.httpAnswers.count
            world.hubs[0].restart(interrupted(exchange, in: room), now: world.now)
            world.finishTurn(0)
            world.run()
            #expect(world.httpAnswers.count == before + 1)
            guard case .failure(let error)? = world.httpAnswers.last else {
                Issue.record("it was not refused")
                return
            }
            #expect(error.code == .notFound)
        }
        #expect(world.agents.isEmpty)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }
}
