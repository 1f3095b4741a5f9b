import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

/// A thing that is ready to happen.
enum Happening {
    case deliver(from: Int, to: Int)
    case endTurn(Int)
    case commit, startRead, finishRead
    case answer(Int)
    case transmit(Link)
    case arrive(Link)
    case writable(Link)
    case readEvents(EventStream)
    case writableEvents(EventStream)
    case confirm(Agent)
}

// The loops: their turns, the mailboxes between them, their timers; and what happens by itself.
extension Simulation {
    var loops: Int { scenario.loops }

    /// Starts a hub on what is on disk.
    func start() {
        oracle.remembersCancels = scenario.limits.restartInterruptedSeconds > 0
        oracle.started(on: disk.store)
        gauges = NodeGauges()
        gauges.report(deliveriesPerSecond: scenario.load, of: 0)
        mail = Array(repeating: Array(repeating: [], count: loops), count: loops)
        isOpen = Array(repeating: false, count: loops)
        timers = []
        let configuration = HubConfiguration(
            loops: loops, limits: scenario.limits, agentTypes: ["guide", "other"], defaultAgent: "guide")
        let incarnation = UInt64(oracle.incarnation)
        hubs = (0..<loops).map { index in
            var ids = SeededRandom(seed: scenario.seed &* 31 &+ UInt64(index) &+ incarnation << 40)
            return Hub(index: index, configuration: configuration, gauges: gauges, random: { ids.next() })
        }
        for index in hubs.indices { onLoop(index) { $0.start(now: now) } }
    }

    func nextRef(_ loop: Int) -> ConnectionRef {
        nextDescriptor += 1
        return ConnectionRef(loop: loop, descriptor: nextDescriptor, generation: 1)
    }

    /// Something enters a loop; its turn ends now or later.
    func onLoop(_ loop: Int, _ body: (Hub) -> Void) {
        isOpen[loop] = true
        body(hubs[loop])
        if isSettling || dice.chance(2, in: 3) { endTurn(loop) }
    }

    func endTurn(_ loop: Int) {
        isOpen[loop] = false
        let hub = hubs[loop]
        for _ in 0..<1_000 {
            hub.turnEnded(now: now)
            while !hub.effects.isEmpty {
                let effects = hub.effects
                hub.effects.removeAll()
                for effect in effects { perform(effect, on: loop) }
            }
            for replica in hub.takeBroadcasts() { broadcast(replica, hub) }
            for connection in hub.takeDirty() {
                if let link = links[connection.ref] { flush(link) }
                if let reader = eventStreams[connection.ref] { flush(reader) }
            }
            if !hub.hasWork { return }
        }
        fail("a turn of loop \(loop) never ends")
    }

    private func perform(_ effect: Effect, on loop: Int) {
        switch effect {
        case .post(let other, let message): mail[loop][other].append(message)
        case .storage(let request, let ticket, _):
            note("loop \(loop) asks the disk for \(request.summary)")
            disk.submit(request, from: loop, ticket: ticket)
        case .startAgent(let turn): startAgent(turn, on: loop)
        case .cancelAgent(let stream): cancelAgent(stream.text)
        case .releaseTokens(let stream, _): fail("tokens of \(stream) are released, and there is no synthetic agent")
        case .timer(let timer, let at): timers.append((at, loop, timer))
        case .beginEvents(let ref): eventStreams[ref]?.begin()
        case .answerHTTP(let ref, let result): answered(ref, result)
        case .refused: break
        case .close(let ref, let code, _): if let link = links[ref] { close(link, code) }
        case .pauseReading(let ref): note("the hub stops reading from \(ref.text)")
        case .resumeReading(let ref): note("the hub reads from \(ref.text) again")
        }
    }

    // MARK: - What happens by itself

    /// Lets one of the things happen that are ready; `false` if none is.
    @discardableResult
    func happen() -> Bool {
        collectReady()
        guard let next = dice.pick(ready) else { return false }
        ready.removeAll(keepingCapacity: true)
        happen(next)
        return true
    }

    private func collectReady() {
        ready.removeAll(keepingCapacity: true)
        for from in 0..<loops {
            for to in 0..<loops where !mail[from][to].isEmpty { ready.append(.deliver(from: from, to: to)) }
            if isOpen[from] { ready.append(.endTurn(from)) }
            if !disk.answers[from].isEmpty { ready.append(.answer(from)) }
        }
        if disk.canCommit { ready.append(.commit) }
        if disk.canRead { ready.append(.startRead) }
        if disk.canFinishRead { ready.append(.finishRead) }
        for link in openLinks {
            if !link.upstream.isEmpty, !link.connection.isReadingPaused { ready.append(.transmit(link)) }
            if link.unread > 0, !link.isGone, isSettling || !link.device.isLazy { ready.append(.arrive(link)) }
            if link.isWritable { ready.append(.writable(link)) }
        }
        for reader in readers where reader.isOpen {
            if reader.hasUnread, isSettling || !reader.isLazy { ready.append(.readEvents(reader)) }
            if reader.isWritable { ready.append(.writableEvents(reader)) }
        }
        if agentsConfirm { for agent in agents where agent.owesEnd { ready.append(.confirm(agent)) } }
    }

    private func happen(_ what: Happening) {
        switch what {
        case .deliver(let from, let to):
            let message = mail[from][to].removeFirst()
            note("loop \(from) tells loop \(to): \(message.summary)")
            onLoop(to) { $0.received(message, now: now) }
        case .endTurn(let loop): endTurn(loop)
        case .commit:
            disk.commit(&dice) { request, result in
                note("the disk has \(request.summary): \(result.summary)")
                oracle.answered(request, result, disk.store)
            }
        case .startRead: disk.startRead(&dice)
        case .finishRead: disk.finishRead(&dice)
        case .answer(let loop):
            let (ticket, result) = disk.takeAnswer(for: loop)
            note("loop \(loop) hears from the disk: \(result.summary)")
            onLoop(loop) { $0.stored(result, ticket: ticket, now: now) }
        case .transmit(let link): transmit(link)
        case .arrive(let link): arrive(link, link.unread)
        case .writable(let link): writable(link)
        case .readEvents(let reader): read(reader, .max)
        case .writableEvents(let reader): writable(reader)
        case .confirm(let agent): confirm(agent)
        }
    }

    // MARK: - Time

    /// Timers that may fire while the clock goes on once.
    private static let timersMax = 20_000

    /// The clock goes on; timers fire on the way, or all late at its end.
    func advance() {
        let scales: [UInt64] = [1_000_000, 20_000_000, 300_000_000, 1_500_000_000, 8_000_000_000, 70_000_000_000]
        let chosen = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 5][dice.below(16)]
        let amount = scales[chosen] / 4 + UInt64(dice.below(Int(scales[chosen])))
        advance(by: amount, late: dice.chance(1, in: 4))
    }

    func advance(by amount: UInt64, late: Bool = false) {
        for loop in 0..<loops where isOpen[loop] { endTurn(loop) }
        let target = nanoseconds + amount
        var fired = 0
        if late { nanoseconds = target }
        while let due = nextTimer(until: target) {
            let timer = timers.remove(at: due)
            nanoseconds = max(nanoseconds, timer.at)
            onLoop(timer.loop) { $0.timerFired(timer.timer, now: now) }
            endTurn(timer.loop)
            guard violations.isEmpty else { return }
            fired += 1
            guard fired < Self.timersMax else { return fail("a timer of loop \(timer.loop) fires for ever") }
        }
        nanoseconds = target
    }

    private func nextTimer(until target: UInt64) -> Int? {
        var first: Int?
        for index in timers.indices where timers[index].at <= target {
            if first.map({ timers[index].at < timers[$0].at }) ?? true { first = index }
        }
        return first
    }
}
