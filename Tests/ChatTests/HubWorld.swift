// A whole hub in memory: loops, the queues between them, a store, agents, timers and clients, all driven by the test
// and by one seed. Messages between two loops keep their order; which pair is served next the seed decides. Clients
// check the protocol's rules on every frame; what they find stands in `violations`.

import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// A hub of some loops with everything around it. Confined to its test.
final class HubWorld {
    let limits: Limits
    let gauges = NodeGauges()
    let store: FakeStore
    private(set) var hubs: [Hub] = []
    private(set) var clients: [TestClient] = []
    /// Event streams that are open or came to their end.
    var readers: [EventReader] = []
    var random: SeededRandom
    var violations: [String] = []

    /// While `true` storage answers as soon as it is asked.
    var storeAnswers = true
    /// While `true` a cancelled agent confirms at once.
    var agentsConfirm = true
    private(set) var agents: [AgentTurn] = []
    /// Receivers of broadcasts, counted once for each.
    private(set) var broadcasts = 0
    private(set) var cancelled: [String] = []
    private(set) var released: [String: Int] = [:]
    /// Everything an agent said for a stream.
    private(set) var said: [String: String] = [:]
    private(set) var closed: [(ref: ConnectionRef, code: WebSocketCloseCode)] = []
    private(set) var httpAnswers: [Result<Ack, HubError>] = []

    private(set) var milliseconds: UInt64
    private var queues: [[[HubMessage]]]
    private var asked: [[(request: StorageRequest, ticket: UInt64, result: StorageResult?)]]
    private var timers: [(at: UInt64, loop: Int, timer: HubTimer)] = []
    private(set) var nextDescriptor: Int32 = 3
    private var ended: Set<String> = []
    /// Messages between loops that may be delivered before a test is told that they never stop.
    private static let stepsMax = 200_000
    private static let timersMax = 5_000

    /// - Parameter before: the hub that ran on the same store until now.
    init(
        loops: Int, seed: UInt64 = 1, limits: Limits = Limits(), router: AgentRouter = AgentRouter(),
        before: HubWorld? = nil
    ) {
        self.limits = limits
        store = before?.store ?? FakeStore()
        milliseconds = before?.milliseconds ?? 1_000
        random = SeededRandom(seed: seed)
        queues = Array(repeating: Array(repeating: [], count: loops), count: loops)
        asked = Array(repeating: [], count: loops)
        let configuration = HubConfiguration(
            loops: loops, limits: limits, agentTypes: ["guide", "other"], defaultAgent: "guide",
            router: router, offersSynthetic: true)
        for index in 0..<loops {
            var ids = SeededRandom(seed: seed &* 31 &+ UInt64(index))
            hubs.append(
                Hub(index: index, configuration: configuration, gauges: gauges, random: { ids.next() }))
        }
        for hub in hubs { hub.start(now: now) }
        run()
    }

    var now: Now {
        Now(
            instant: milliseconds * 1_000_000,
            timestamp: Timestamp(milliseconds: 1_700_000_000_000 + Int64(milliseconds)))
    }

    var loops: Int { hubs.count }
    func home(of room: String) -> Int { Int(Slot(of: room).value) % loops }

    // MARK: - Clients

    func connect(_ user: String = "ann", loop: Int = 0, running: Bool = true) -> TestClient {
        let ref = nextRef(loop)
        let client = TestClient(world: self, user: user, loop: loop)
        client.connection = hubs[loop].opened(ref, user: UserID(user), now: now)
        clients.append(client)
        finishTurn(loop)
        if running { run() }
        return client
    }

    func nextRef(_ loop: Int) -> ConnectionRef {
        nextDescriptor += 1
        return ConnectionRef(loop: loop, descriptor: nextDescriptor, generation: 1)
    }

    func disconnect(_ client: TestClient) {
        guard let connection = client.connection else { return }
        hubs[client.loop].closed(connection, now: now)
        clients.removeAll { $0 === client }
        client.connection = nil
        finishTurn(client.loop)
    }

    /// Asks as an HTTP request does; returns its answer, if one has come.
    @discardableResult
    func request(_ request: ClientRequest, user: String = "ann", loop: Int = 0) -> Result<Ack, HubError>? {
        let before = httpAnswers.count
        let ref = ConnectionRef(loop: loop, descriptor: 2, generation: 1)
        hubs[loop].request(request, user: UserID(user), from: ref, now: now)
        finishTurn(loop)
        run()
        return httpAnswers.count > before ? httpAnswers.last : nil
    }

    func client(_ ref: ConnectionRef) -> TestClient? { clients.first { $0.connection?.ref == ref } }

    /// Makes a room that was stored before.
    func room(
        _ name: String = "room_a", owner: String = "ann", metadata: JSONObject = [:], exchanges: [ExchangeRecord] = []
    ) -> String {
        store.put(
            RoomRecord(
                roomID: RoomID(name), userID: UserID(owner), name: "A", createdAt: now.timestamp,
                lastActivity: now.timestamp, messageCount: 0, metadata: metadata,
                defaultSessionID: SessionID("session_\(Slot(of: name).hex)default")), exchanges: exchanges)
        return name
    }

    /// A room whose home is a loop.
    func room(homeOn loop: Int) -> String {
        room((0...).lazy.map { "room_\($0)" }.first { self.home(of: $0) == loop } ?? "")
    }

    // MARK: - Agents

    var lastStream: String { agents.last?.streamID.text ?? "none" }

    func agent(_ stream: String, _ event: AgentEvent, running: Bool = true) {
        guard let turn = agents.last(where: { $0.streamID.text == stream }) else {
            Issue.record("no agent runs for \(stream)")
            return
        }
        if case .ended = event { ended.insert(stream) }
        if case .text(let bytes) = event { said[stream, default: ""] += String(decoding: bytes, as: UTF8.self) }
        let loop = home(of: turn.roomID.text)
        hubs[loop].agent(turn.streamID, event, now: now)
        finishTurn(loop)
        if running { run() }
    }

    func say(_ stream: String, _ text: String) { agent(stream, .text(Array(text.utf8))) }
    func finish(_ stream: String) { agent(stream, .ended(.finished(reason: "stop"))) }
    var runningAgents: [String] { agents.map(\.streamID.text).filter { !ended.contains($0) } }

    // MARK: - Time

    /// Moves the clock; timers fire in order on the way.
    func advance(milliseconds amount: UInt64) {
        let target = milliseconds + amount
        var fired = 0
        while let next = timers.map(\.at).min(), next <= target * 1_000_000 {
            milliseconds = max(milliseconds, (next + 999_999) / 1_000_000)
            guard let index = timers.firstIndex(where: { $0.at == next }) else { break }
            let timer = timers.remove(at: index)
            fired += 1
            guard fired < Self.timersMax else {
                violations.append("timers never come to rest")
                break
            }
            hubs[timer.loop].timerFired(timer.timer, now: now)
            finishTurn(timer.loop)
            run()
        }
        milliseconds = target
    }

    var timersWaiting: Int { timers.count }

    func drain() {
        gauges.drain()
        for (index, hub) in hubs.enumerated() {
            hub.drain(now: now)
            finishTurn(index)
        }
        run()
    }

    func interruptStreams() {
        for (index, hub) in hubs.enumerated() {
            hub.interruptStreams(now: now)
            finishTurn(index)
        }
        run()
    }

    // MARK: - Running

    /// Delivers messages and storage's answers until nothing moves.
    func run() {
        var steps = 0
        while step() {
            steps += 1
            if steps > Self.stepsMax {
                violations.append("the loops never come to rest")
                return
            }
        }
    }

    /// Delivers one message, chosen by the seed; `false` if none waits.
    func step() -> Bool {
        let pairs = queues.indices.flatMap { from in queues.indices.map { (from, $0) } }
        let waiting = pairs.filter { !queues[$0.0][$0.1].isEmpty }
        if let (from, to) = waiting.randomElement(using: &random) {
            let message = queues[from][to].removeFirst()
            hubs[to].received(message, now: now)
            finishTurn(to)
            return true
        }
        return storeAnswers && answerOne()
    }

    /// Lets storage answer its oldest request of some loop; `false` if there is none.
    @discardableResult func answerOne() -> Bool {
        guard let loop = asked.indices.filter({ !asked[$0].isEmpty }).randomElement(using: &random) else {
            return false
        }
        answer(0, of: loop)
        return true
    }

    private func answer(_ index: Int, of loop: Int) {
        let (request, ticket, result) = asked[loop].remove(at: index)
        hubs[loop].stored(result ?? store.execute(request), ticket: ticket, now: now)
        finishTurn(loop)
    }

    /// Storage answers the first request that matches before any other, and the loops hear of it.
    func answerFirst(_ matches: (StorageRequest) -> Bool) {
        for loop in asked.indices {
            guard let index = asked[loop].firstIndex(where: { matches($0.request) }) else { continue }
            answer(index, of: loop)
            return run()
        }
        Issue.record("no such request waits")
    }

    /// Reads that match see the store as it is now, whatever is written before their answers are given.
    func beginReads(_ matches: (StorageRequest) -> Bool) {
        for loop in asked.indices {
            for index in asked[loop].indices where matches(asked[loop][index].request) {
                asked[loop][index].result = store.execute(asked[loop][index].request)
            }
        }
    }

    /// Storage answers everything that it was asked, and goes on answering.
    func releaseStore() {
        storeAnswers = true
        run()
    }

    var requestsHeld: [StorageRequest] { asked.flatMap { $0.map(\.request) } }

    func finishTurn(_ loop: Int) {
        let hub = hubs[loop]
        var rounds = 0
        repeat {
            hub.turnEnded(now: now)
            perform(loop)
            for replica in hub.takeBroadcasts() { broadcast(replica, hub) }
            for connection in hub.takeDirty() {
                client(connection.ref)?.pump()
                reader(connection.ref)?.pump()
            }
            perform(loop)
            rounds += 1
            guard rounds < 10_000 else {
                violations.append("a turn of loop \(loop) never ends")
                return
            }
        } while hub.hasWork
    }

    private func broadcast(_ replica: Replica, _ hub: Hub) {
        var plan = WritePlan()
        var short: [(ConnectionRef, wrote: Int)] = []
        for ref in hub.plan(for: replica, into: &plan) {
            let count = client(ref)?.receive(plan) ?? 0
            broadcasts += 1
            if count < plan.bytes { short.append((ref, count)) }
        }
        hub.broadcast(plan, of: replica, short: short)
    }

    private func perform(_ loop: Int) {
        let effects = hubs[loop].effects
        hubs[loop].effects.removeAll()
        for effect in effects {
            switch effect {
            case .post(let other, let message): queues[loop][other].append(message)
            case .storage(let request, let ticket, _): asked[loop].append((request, ticket, nil))
            case .startAgent(let turn): agents.append(turn)
            case .cancelAgent(let stream): stopAgent(stream, loop)
            case .releaseTokens(let stream, let count):
                if !runningAgents.contains(stream.text) { violations.append("tokens for an agent that does not run") }
                released[stream.text, default: 0] += count
            case .timer(let timer, let at): timers.append((at, loop, timer))
            case .beginEvents(let ref): reader(ref)?.begin()
            case .answerHTTP(let ref, let result):
                httpAnswers.append(result)
                reader(ref)?.answer = result
            case .refused: break
            case .close(let ref, let code, _): closed.append((ref, code))
            case .pauseReading(let ref): client(ref)?.isPaused = true
            case .resumeReading(let ref): client(ref)?.isPaused = false
            }
        }
    }

    private func stopAgent(_ stream: StreamID, _ loop: Int) {
        cancelled.append(stream.text)
        guard agentsConfirm, ended.insert(stream.text).inserted else { return }
        hubs[loop].agent(stream, .ended(.cancelled), now: now)
    }

    // MARK: - Checks

    /// Nothing is left over, and everyone holds what is stored.
    func expectConsistent(sourceLocation: SourceLocation = #_sourceLocation) {
        let found = violations + store.violations
        #expect(found == [], sourceLocation: sourceLocation)
        for client in clients {
            if requestsHeld.isEmpty { #expect(client.connection?.unanswered ?? 0 == 0, sourceLocation: sourceLocation) }
            for (stream, text) in client.endedTexts {
                guard let row = store.exchange(of: stream), row.status.isTerminal else { continue }
                #expect(text == row.text, "\(client.user) of \(stream)", sourceLocation: sourceLocation)
            }
        }
        for reader in readers where reader.hasEnded && !reader.isLost {
            guard let row = store.exchange(of: reader.stream), row.status.isTerminal else { continue }
            #expect(reader.text == row.text, "an event stream of \(reader.stream)", sourceLocation: sourceLocation)
        }
    }

    func expectNoPermitTaken(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(gauges.streamCount == 0, sourceLocation: sourceLocation)
        let taken = hubs.flatMap { $0.users.values.map(\.permitsTaken) }.reduce(0, +)
        #expect(taken == 0, sourceLocation: sourceLocation)
        #expect(hubs.allSatisfy { $0.activeStreams == 0 }, sourceLocation: sourceLocation)
    }
}
