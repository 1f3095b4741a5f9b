import ChatProtocol
import Testing
import Wire

@testable import Chat

/// Who comes back gets what was missed, or is told that it is a new beginning; whatever happened meanwhile.
@Suite struct ResumeTests {
    private func start(_ loops: Int, tail: Int = Limits().logTailBytesMax) -> (HubWorld, String, TestClient) {
        var limits = Limits()
        limits.logTailBytesMax = tail
        let world = HubWorld(loops: loops, limits: limits)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        return (world, room, client)
    }

    /// Some lively sessions of one room; calls after every step.
    private func talk(_ world: HubWorld, _ room: String, _ client: TestClient, _ step: (_ number: Int) -> Void) {
        let sessions = (0..<3).map { _ in client.openSession(room) }
        for number in 0..<90 {
            let session = sessions[number % 3]
            let running = world.agents.last { $0.sessionID.text == session && isRunning($0, world) }
            if let stream = running?.streamID.text {
                switch number % 7 {
                case 0: world.agent(stream, .reasoning(Array("why \(number) ".utf8)))
                case 1: world.agent(stream, .event(.action, ["name": .string(String(repeating: "x", count: 60))]))
                case 2 where number % 4 == 0: world.finish(stream)
                case 3 where number % 5 == 0: client.ask("cancel", ["stream_id": .string(stream)])
                default: world.say(stream, "wörd \(number) of \(session.suffix(3)) ")
                }
            } else {
                client.send(room, "message \(number)", key: "m\(number)", ["session_id": .string(session)])
            }
            step(number)
        }
    }

    private func isRunning(_ turn: AgentTurn, _ world: HubWorld) -> Bool {
        world.runningAgents.contains(turn.streamID.text)
    }

    /// From each place that a client ever held it comes back, again and again, while several answers grow and end.
    @Test(arguments: [1, 2, 3], [Limits().logTailBytesMax, 3_000, 0])
    func everyPlaceThatWasEverHeldIsGoodForever(_ loops: Int, _ tail: Int) {
        let (world, room, client) = start(loops, tail: tail)
        var held: [RoomView] = []
        var recovered = 0
        var replaced = 0
        talk(world, room, client) { number in
            guard let now = client.rooms[room] else { return }
            held.append(now)
            guard number % 15 == 14 else { return }
            for (index, view) in held.enumerated() {
                let back = world.connect("ben", loop: index % loops)
                back.rooms[room] = view
                back.rooms[room]?.isJoined = false
                let isRecovered = back.join(room, after: view.position)["recovered"] == true
                let after = back.rooms[room]
                #expect(after?.position == now.position)
                let live = world.runningAgents.filter { now.texts[$0] != nil }
                for stream in live {
                    #expect(after?.texts[stream] == now.texts[stream], "\(stream) from \(view.seq)")
                    #expect(after?.reasonings[stream] == now.reasonings[stream])
                }
                if isRecovered {
                    #expect(after?.texts == now.texts && after?.messages == now.messages)
                    #expect(after?.statuses == now.statuses)
                }
                recovered += isRecovered ? 1 : 0
                replaced += isRecovered ? 0 : 1
                world.disconnect(back)
            }
            world.run()
        }
        #expect(recovered > 0)
        #expect(tail == Limits().logTailBytesMax ? replaced == 0 : replaced > 0)
        for stream in world.runningAgents { world.finish(stream) }
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    /// What may happen while a client is away and the answer that it read ends.
    enum Absence: CaseIterable {
        case nothing, trimmed, forgotten, cleared, restarted

        var isRecovered: Bool { self == .nothing }
        var keepsEpoch: Bool { [.nothing, .trimmed, .cleared].contains(self) }
    }

    @Test(arguments: [1, 2, 3], Absence.allCases)
    func whoWasAwayLearnsHowItEnded(_ loops: Int, _ absence: Absence) {
        let (world, room, client) = start(loops, tail: 2_000)
        let stream = client.send(room, "hello", key: "m1").text("stream_id")
        world.say(stream, "seen ")
        let place = client.rooms[room]?.position ?? LogPosition(epoch: "", seq: 0)
        world.disconnect(client)
        world.run()
        world.say(stream, "and unseen")
        world.finish(stream)
        let after = happen(absence, world, room)
        let back = after.connect(loop: loops - 1)
        back.inherit(client)
        let joined = back.join(room, after: place)
        #expect((joined["recovered"] == true) == absence.isRecovered)
        #expect((joined.text("epoch") == place.epoch) == absence.keepsEpoch)
        if absence.isRecovered {
            #expect(back.types(room) == ["joined", "chunk", "stream-ended"])
            #expect(back.text(stream) == "seen and unseen" && back.rooms[room]?.statuses[stream] == "completed")
        } else {
            #expect(joined["streams"]?.array?.isEmpty == true)
            let ended = (joined["history"]?.array ?? []).compactMap(\.object).first { $0.text("text") != "" }
            #expect(ended?.text("status") == (absence == .cleared ? nil : "completed"))
            #expect(ended?.text("text") == (absence == .cleared ? nil : "seen and unseen"))
        }
        after.expectConsistent()
        after.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2, 3], Absence.allCases)
    func anEventStreamGetsTheRestOrIsToldThatItsPlaceIsLost(_ loops: Int, _ absence: Absence) {
        let (world, room, client) = start(loops, tail: 2_000)
        let session = client.openSession(room)
        let stream = client.send(room, "hello", key: "m1", ["session_id": .string(session)]).text("stream_id")
        let reader = world.watch(session, loop: loops - 1)
        world.say(stream, "seen ")
        world.endWatching(reader)
        world.disconnect(client)
        world.run()
        world.say(stream, "and unseen")
        world.finish(stream)
        let after = happen(absence, world, room)
        let back = after.watch(session, loop: 0, after: (reader, nil))
        if absence.isRecovered {
            #expect(back.text == "seen and unseen" && back.status == "completed")
        } else {
            #expect(back.isEmpty || back.isLost && back.text == "seen ", "nothing of it, and no new answer")
            #expect(after.agents.count == (absence == .restarted ? 0 : world.agents.count))
        }
        after.expectConsistent()
        after.expectNoPermitTaken()
    }

    private func happen(_ absence: Absence, _ world: HubWorld, _ room: String) -> HubWorld {
        switch absence {
        case .nothing: break
        case .trimmed:
            let noisy = world.connect("noisy")
            for number in 0..<10 {
                noisy.send(room, String(repeating: "noise ", count: 40), key: "n\(number)", ["respond": false])
            }
            world.disconnect(noisy)
            world.run()
        case .forgotten: world.advance(milliseconds: 6 * 60_000)
        case .cleared: world.request(.clearHistory(RoomID(room), nil))
        case .restarted: return HubWorld(loops: world.loops, seed: 9, limits: world.limits, before: world)
        }
        return world
    }
}
