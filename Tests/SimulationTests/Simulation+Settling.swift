import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

// Coming to rest: everything that is ready happens, then everyone must be where the hub is; at the end everything is
// healed, answered, ended and compared with what is on disk.
extension Simulation {
    /// Things that may happen before the hub is said never to come to rest.
    private static let happeningsMax = 100_000

    /// Lets everything happen that is ready, without the clock.
    func drain() {
        var count = 0
        while happen() {
            count += 1
            collect()
            guard violations.isEmpty else { return }
            guard count < Self.happeningsMax else { return fail("the hub never comes to rest") }
        }
    }

    /// In the midst of a history, nothing waits for the clock: whoever reads is where the hub's log is.
    func calm() {
        drain()
        guard violations.isEmpty, disk.isIdle else { return }
        checkReaders()
        checkLogs()
        if disk.health == .fine, dice.chance(1, in: 2) { checkCheckpoints() }
    }

    /// Nobody was forgotten: a lost wake-up shows itself here.
    func checkReaders() {
        for link in openLinks where !link.isGone && !link.isClosing && !(link.device.isLazy && !isSettling) {
            guard link.unread == 0, !link.isBlocked, link.upstream.isEmpty else { continue }
            for (room, view) in link.device.views.sorted(by: { $0.key < $1.key }) where view.isJoined {
                guard let home = home(of: room), !view.isDeleted else { continue }
                check(
                    view.seq == home.log.seq && view.epoch.prefix { $0 != "." } == home.log.epoch,
                    "\(link.device.name) is at \(view.seq) of \(room), whose log is at \(home.log.seq)")
            }
            for (id, asked) in link.asked.sorted(by: { $0.key < $1.key }) where !mayWait(asked) {
                fail("\(link.device.name) has no answer to \(id), \(asked)")
            }
        }
    }

    func home(of id: String) -> Room? { hubs[Int(Slot(of: id).value) % loops].rooms[RoomID(id)] }

    /// A deletion waits for its room's agents.
    private func mayWait(_ asked: Asked) -> Bool {
        switch asked {
        case .other(.deleteRoom), .other(.typing), .other(.read): !isSettling || !asked.isAnswered
        default: false
        }
    }

    // MARK: - The end

    func settle() {
        if gauges.isDraining { crash() }
        isSettling = true
        disk.health = .fine
        heal()
        checkCheckpoints()
        outwaitStopped()
        agentsConfirm = true
        for agent in agents where !agent.hasEnded && dice.chance(1, in: 2) {
            emit(.ended(.finished(reason: "stop")), agent)
        }
        drain()
        for _ in 0..<3 where violations.isEmpty {
            outwaitSilent()
            drain()
            rejoin()
            sendAgain()
            drain()
        }
        while violations.isEmpty, let agent = agents.first(where: { !$0.hasEnded }) {
            emit(.ended(.finished(reason: "stop")), agent)
            drain()
        }
        advance(by: 12_000_000_000)
        drain()
        guard violations.isEmpty else { return }
        checkReaders()
        checkEverything()
        if violations.isEmpty, scenario.endsEmpty { leaveAll() }
    }

    /// Agents that do not confirm that they have stopped hold up nobody.
    private func outwaitStopped() {
        guard !agentsConfirm else { return }
        let stopped = agents.filter(\.owesEnd)
        advance(by: 6_000_000_000)
        drain()
        for agent in stopped where agent.owesEnd && violations.isEmpty {
            check(
                oracle.outcomes[oracle.exchange(ofStream: agent.stream) ?? ""] != nil,
                "\(agent.stream) was stopped six seconds ago and is not stored as ended")
        }
    }

    /// The agents that are left are silent for too long, and stopped.
    private func outwaitSilent() {
        let silent = agents.filter { !$0.hasEnded }
        advance(by: 71_000_000_000)
        for agent in silent { check(agent.hasEnded || agent.isTold, "\(agent.stream) is silent for ever") }
    }

    private func heal() {
        for link in openLinks {
            if link.isGone { notice(link) } else { link.capacity = 1_000_000 }
            link.device.isLazy = false
        }
        for reader in readers { reader.capacity = 1_000_000 }
        drain()
        for device in devices where device.link == nil && violations.isEmpty { connect(device) }
        drain()
    }

    private func rejoin() {
        for device in devices {
            if device.link == nil { connect(device) }
            for room in device.wanted where device.views[room]?.isJoined != true { device.join(room, resuming: true) }
        }
    }

    private func sendAgain() {
        for device in devices { for send in device.sends where send.isOpen { device.transmit(send) } }
    }
}

extension Asked {
    fileprivate var isAnswered: Bool {
        if case .other(let type) = self { type.isAnswered } else { true }
    }
}
