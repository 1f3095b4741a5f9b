import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Everything at once, by seed: whatever happens, nobody's text has a hole and in the end nothing is left over.
@Suite struct RandomWalkTests {
    private static let users = ["ann", "bob", "cyd"]

    @Test(arguments: 0..<200) func everythingSettles(_ seed: Int) {
        var limits = Limits()
        limits.logTailBytesMax = seed % 3 == 0 ? 2_000 : 256 * 1024
        limits.memoryBytesMax = seed % 5 == 0 ? 50_000 : limits.memoryBytesMax
        let world = HubWorld(loops: 1 + seed % 3, seed: UInt64(seed), limits: limits)
        world.gauges.report(deliveriesPerSecond: seed % 4 == 0 ? 500_000 : 0, of: 255)
        world.agentsConfirm = seed % 7 != 0
        let rooms = (0..<3).map { world.room("room_\(seed)_\($0)") }
        for number in 0..<300 {
            world.storeAnswers = Int.random(in: 0..<3, using: &world.random) > 0
            if Int.random(in: 0..<5, using: &world.random) == 0 {
                visit(world, number)
            } else {
                walk(world, rooms, number)
            }
            for _ in 0..<Int.random(in: 0..<6, using: &world.random) { _ = world.step() }
            if !world.violations.isEmpty { break }
        }
        settle(world, rooms)
        if !world.violations.isEmpty || !world.store.violations.isEmpty { Issue.record("seed \(seed)") }
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    private func pick<T>(_ items: [T], _ world: HubWorld) -> T? { items.randomElement(using: &world.random) }

    private func walk(_ world: HubWorld, _ rooms: [String], _ number: Int) {
        guard let room = pick(rooms, world) else { return }
        let choice = Int.random(in: 0..<100, using: &world.random)
        if choice < 40, let stream = pick(world.runningAgents, world) { return speak(world, stream, choice) }
        guard world.clients.count >= 2, let client = pick(world.clients, world) else {
            return enter(world)
        }
        switch choice {
        case ..<50: enter(world)
        case ..<55: leaveForGood(world, client, rooms)
        case ..<65: client.post("join", ["room_id": .string(room)])
        case ..<68: client.post("leave", ["room_id": .string(room)])
        case ..<82: client.postSend(room, "message \(number)", key: "m\(number)")
        case ..<86: if let turn = pick(world.agents, world) { client.postCancel(turn.streamID.text) }
        case ..<88: client.post("cancel", ["room_id": .string(room)])
        case ..<94:
            client.budget = Int.random(in: 0..<600, using: &world.random)
            client.pump()
            world.finishTurn(client.loop)
        case ..<98: world.advance(milliseconds: .random(in: 1..<400, using: &world.random))
        default: client.post("update-room", ["room_id": .string(room), "metadata": ["n": .int(Int64(number))]])
        }
    }

    /// Sessions and event streams.
    private func visit(_ world: HubWorld, _ number: Int) {
        let sessions = world.store.sessions.keys.map(\.text).sorted()
        guard let session = pick(sessions, world), let client = pick(world.clients, world),
            let room = world.store.sessions[SessionID(session)]?.roomID.text
        else { return enter(world) }
        let loop = Int.random(in: 0..<world.loops, using: &world.random)
        switch Int.random(in: 0..<100, using: &world.random) {
        case ..<10: client.post("open-session", ["room_id": .string(room)])
        case ..<13: client.post("close-session", ["session_id": .string(session)])
        case ..<16: client.post("reset", ["session_id": .string(session)])
        case ..<18: client.post("clear-history", ["session_id": .string(session)])
        case ..<19: client.post("clear-history", ["room_id": .string(room)])
        case ..<22:
            let (user, role) = (pick(Self.users, world) ?? "", pick(["editor", "editor", "viewer"], world) ?? "")
            client.post("set-member", ["room_id": .string(room), "user_id": .string(user), "role": .string(role)])
        case ..<24:
            client.post("remove-member", ["room_id": .string(room), "user_id": .string(pick(Self.users, world) ?? "")])
        case ..<45:
            let policy: JSONValue = Int.random(in: 0..<4, using: &world.random) == 0 ? "interrupt" : "queue"
            client.postSend(
                room, "message \(number)", key: "m\(number)", ["session_id": .string(session), "if_busy": policy])
        case ..<65: world.watch(session, loop: loop, budget: budget(world), running: false)
        case ..<85: comeBack(world, loop)
        default: pick(world.readers.filter { $0.connection != nil }, world)?.read(budget(world), running: false)
        }
    }

    private func budget(_ world: HubWorld) -> Int {
        Bool.random(using: &world.random) ? .max : Int.random(in: 0..<600, using: &world.random)
    }

    /// An event stream breaks off, and another goes on behind what was read.
    private func comeBack(_ world: HubWorld, _ loop: Int) {
        let candidates = world.readers.filter { $0.connection != nil && $0.position != nil && !$0.isLost }
        guard let reader = pick(candidates, world) else { return }
        world.endWatching(reader)
        let event = Bool.random(using: &world.random) ? pick(reader.events, world) : nil
        world.watch(reader.session, loop: loop, after: (reader, event), budget: budget(world), running: false)
    }

    private func speak(_ world: HubWorld, _ stream: String, _ choice: Int) {
        switch choice {
        case ..<32: world.agent(stream, .text(Array("wörd \(choice) ".utf8)), running: false)
        case ..<36: world.agent(stream, .reasoning(Array("hm ".utf8)), running: false)
        case ..<38: world.agent(stream, .event(.action, ["name": "open"]), running: false)
        default: world.agent(stream, .ended(.finished(reason: "stop")), running: false)
        }
    }

    private func enter(_ world: HubWorld) {
        guard world.clients.count < 8 else { return }
        let loop = Int.random(in: 0..<world.loops, using: &world.random)
        let client = world.connect(pick(Self.users, world) ?? "ann", loop: loop, running: false)
        if Bool.random(using: &world.random) { client.budget = 300 }
    }

    /// The socket goes; most clients come back on another loop and resume.
    private func leaveForGood(_ world: HubWorld, _ client: TestClient, _ rooms: [String]) {
        world.disconnect(client)
        guard Int.random(in: 0..<4, using: &world.random) > 0 else { return }
        let loop = Int.random(in: 0..<world.loops, using: &world.random)
        let back = world.connect(client.user, loop: loop, running: false)
        back.inherit(client)
        for room in rooms {
            guard let view = client.rooms[room] else { continue }
            back.post("join", ["room_id": .string(room), "after": view.position.json])
        }
    }

    private func settle(_ world: HubWorld, _ rooms: [String]) {
        world.releaseStore()
        for client in world.clients { client.read(.max) }
        for reader in world.readers { reader.read(.max) }
        while world.violations.isEmpty, let stream = world.runningAgents.first { world.finish(stream) }
        world.advance(milliseconds: 20_000)
        for client in world.clients {
            client.read(.max)
            for room in rooms { client.join(room) }
        }
        for room in rooms {
            let messages = world.store.exchanges.filter { $0.roomID.text == room }.suffix(Limits.snapshotExchangesMax)
                .flatMap { $0.messages.map(\.text) }
            for client in world.clients {
                #expect(client.rooms[room]?.messages == messages, "seed's history of \(room)")
            }
        }
        #expect(world.hubs.allSatisfy { $0.activeStreams == 0 })
        for reader in world.readers {
            guard let connection = reader.connection else { continue }
            #expect(connection.isOver || reader.answer != nil, "an event stream of \(reader.session) hangs")
        }
    }
}
