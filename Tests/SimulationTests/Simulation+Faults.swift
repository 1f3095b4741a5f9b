import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

// What goes wrong with the machine: the disk, the load, the process.
extension Simulation {
    func performFault(_ kind: Step.Kind) {
        switch kind {
        case .disk:
            let choices: [Disk.Health] = [.fine, .fine, .fine, .stuck, .stuck, .flaky, .failing]
            disk.health = choices[dice.below(choices.count)]
            note("the disk is \(disk.health)")
        case .load: gauges.report(deliveriesPerSecond: dice.below(400_000), of: dice.below(loops))
        case .crash: crash()
        default: stop()
        }
    }

    /// The process is killed and started again: what was committed stays, what the network has still arrives.
    func crash() {
        note("the hub is killed")
        crashes += 1
        disk.crash()
        for link in openLinks where !link.isGone {
            if dice.chance(1, in: 2) { arriveAfterDeath(link) }
            if link.device.link === link { link.device.lost() }
        }
        openLinks = []
        links = [:]
        for reader in readers { reader.isOpen = false }
        eventStreams = [:]
        webRequests = [:]
        agents.removeAll()
        if dice.chance(1, in: 3) { nanoseconds += UInt64(dice.below(3_000)) * 1_000_000 }
        disk.store.settleRunning(at: now.timestamp)
        start()
    }

    private func arriveAfterDeath(_ link: Link) {
        for case .frame(let frame) in link.read(dice.below(link.unread + 1)) { link.device.take(frame, on: link) }
    }

    /// The process is asked to stop: clients are told, streams get a moment and are interrupted.
    private func stop() {
        note("the hub is asked to stop")
        gauges.drain()
        for loop in hubs.indices { onLoop(loop) { $0.drain(now: now) } }
        for _ in 0..<dice.below(60) { happen() }
        if dice.chance(1, in: 2) { advance(by: UInt64(dice.below(3_000)) * 1_000_000) }
        for loop in hubs.indices { onLoop(loop) { $0.interruptStreams(now: now) } }
        if disk.health == .fine, agentsConfirm, dice.chance(1, in: 2) {
            drain()
            // What could not be stored is tried again.
            advance(by: 1_000_000_000)
            drain()
            check(gauges.streamCount == 0, "\(gauges.streamCount) streams run though all were interrupted")
        } else {
            for _ in 0..<dice.below(200) { happen() }
        }
        collect()
        if violations.isEmpty { crash() }
    }
}
