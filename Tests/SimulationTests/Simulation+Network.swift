import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

// The network: links come and go, take part of what they are given, and lose what was on its way.
extension Simulation {
    func performOnNetwork(_ kind: Step.Kind) {
        guard let device = dice.pick(devices) else { return }
        switch kind {
        case .connect: if device.link == nil { connect(device) } else { changePace(device) }
        case .drop: drop(device)
        case .notice: if let link = dice.pick(openLinks.filter(\.isGone)) { notice(link) }
        default:
            guard let link = device.link else { return connect(device) }
            arrive(link, dice.chance(1, in: 3) ? link.unread : dice.below(400))
        }
    }

    func connect(_ device: Device) {
        guard !gauges.isDraining else { return }
        let ref = nextRef(dice.below(loops))
        var capacity = [80, 300, 1_000, 10_000, 1_000_000, 1_000_000][dice.below(6)]
        device.isLazy = dice.chance(1, in: 4)
        if isSettling || scenario.clientsAreFast { (capacity, device.isLazy) = (1_000_000, false) }
        note("\(device.name) connects on loop \(ref.loop) with room for \(capacity) bytes, lazy \(device.isLazy)")
        onLoop(ref.loop) { hub in
            let connection = hub.opened(ref, user: UserID(device.user), now: now)
            let link = Link(device: device, ref: ref, connection: connection, capacity: capacity)
            links[ref] = link
            openLinks.append(link)
            device.link = link
        }
        for room in device.wanted where isSettling || dice.chance(9, in: 10) { device.join(room, resuming: true) }
        for send in device.sends where send.isOpen && dice.chance(2, in: 3) { device.transmit(send) }
        hurry(device)
    }

    private func changePace(_ device: Device) {
        device.isLazy = !scenario.clientsAreFast && !device.isLazy
        if let link = device.link, !scenario.clientsAreFast {
            link.capacity = [80, 300, 1_000, 10_000, 1_000_000][dice.below(5)]
        }
    }

    /// Some frames are with the hub before anything else happens.
    func hurry(_ device: Device) {
        guard let link = device.link, dice.chance(1, in: 2) else { return }
        while !link.upstream.isEmpty, !link.connection.isReadingPaused, !link.isClosing, dice.chance(3, in: 4) {
            transmit(link)
        }
    }

    private func drop(_ device: Device) {
        guard let link = device.link else { return }
        if dice.chance(1, in: 2) { arrive(link, dice.below(link.unread + 1)) }
        guard device.link === link else { return }
        note("\(device.name) loses its link, with \(link.unread) bytes unread")
        device.lost()
        link.isGone = true
        if dice.chance(1, in: 2) { notice(link) }
    }

    /// The hub learns that a link is gone.
    func notice(_ link: Link) {
        note("the hub sees that \(link.device.name) has lost \(link.ref.text)")
        if !link.isClosing { onLoop(link.loop) { $0.closed(link.connection, now: now) } }
        forget(link)
    }

    private func forget(_ link: Link) {
        links[link.ref] = nil
        openLinks.removeAll { $0 === link }
    }

    // MARK: - Bytes

    /// The hub reads a client's frame.
    func transmit(_ link: Link) {
        let frame = link.upstream.removeFirst()
        guard !link.isClosing else { return }
        note("loop \(link.loop) reads \(String(decoding: frame.prefix(200), as: UTF8.self))")
        onLoop(link.loop) { $0.received(frame, on: link.connection, now: now) }
    }

    /// The client reads what has arrived.
    func arrive(_ link: Link, _ count: Int) {
        for arrival in link.read(count) {
            switch arrival {
            case .frame(let frame):
                note("\(link.device.name) gets \(frame.summary)")
                link.device.take(frame, on: link)
            case .close:
                note("\(link.device.name) is told to close")
                link.device.lost()
                return forget(link)
            case .garbage: fail("\(link.device.name) gets what is no frame")
            }
        }
    }

    func writable(_ link: Link) {
        link.isBlocked = false
        onLoop(link.loop) { $0.markWritable(link.connection) }
    }

    /// Gives the network what a connection has to send, as the shell does.
    func flush(_ link: Link) {
        guard !link.isBlocked else { return }
        let hub = hubs[link.loop]
        hub.plan(for: link.connection, into: &plan)
        let count = write(to: link)
        hub.wrote(count, of: plan, to: link.connection)
        if count < plan.bytes {
            link.isBlocked = true
        } else if plan.hasMore {
            hub.markWritable(link.connection)
        }
    }

    /// Gives the network what all have to be sent that have caught up.
    func broadcast(_ replica: Replica, _ hub: Hub) {
        var short: [(ConnectionRef, wrote: Int)] = []
        for ref in hub.plan(for: replica, into: &plan) {
            guard let link = links[ref] else {
                fail("a broadcast to \(ref.text), which is closed")
                continue
            }
            check(!link.isBlocked && !link.isClosing, "a broadcast to \(ref.text), which takes nothing")
            let count = write(to: link)
            guard count < plan.bytes else { continue }
            link.isBlocked = true
            short.append((ref, count))
        }
        hub.broadcast(plan, of: replica, short: short)
    }

    /// The network takes as much of the plan as it likes.
    private func write(to link: Link) -> Int {
        var count = min(plan.bytes, link.space)
        if plan.bytes > 0, !isSettling, dice.chance(1, in: 12) { count = dice.below(count + 1) }
        for case (.frame(let frame), let payload) in link.take(count, of: plan) { gave(frame, payload, to: link) }
        return count
    }

    /// The hub closes a link, behind the frame that is being written.
    func close(_ link: Link, _ code: WebSocketCloseCode) {
        guard !link.isClosing else { return }
        note("the hub closes \(link.ref.text)")
        link.isClosing = true
        hubs[link.loop].finish(link.connection, with: WebSocketFrameWriter.close(code, reason: ""), now: now)
    }

    // MARK: - What the hub shows

    /// A whole frame is with the network: what it says must be so now.
    private func gave(_ frame: Frame, _ payload: [UInt8], to link: Link) {
        oracle.shown(frame, payload, &link.epochs)
        guard frame.type == "ack", let asked = link.asked[frame.text("id")] else { return }
        switch asked {
        case .send(let transmission):
            let exchange = frame.text("exchange_id")
            check(
                oracle.isStored(transmission.send.text, in: exchange),
                "'\(transmission.send.text)' is acknowledged in \(exchange) and not stored")
        case .cancel(let cancel): if frame.text("state") == "accepted" { checkStopped(cancel) }
        case .other(let type): checkDurable(type, frame)
        case .join, .leave: break
        }
    }

    private func checkDurable(_ type: ClientFrameType, _ frame: Frame) {
        let room = frame.object["room"]?.object
        let session = frame.object["session"]?.object?.text("session_id") ?? ""
        switch type {
        case .createRoom: check(oracle.rooms.contains(room?.text("room_id") ?? ""), "a room is made and not stored")
        case .updateRoom:
            check(oracle.names.contains(room?.text("room_name") ?? ""), "a room is changed and not stored")
        case .deleteRoom:
            check(
                disk.store.deleted.contains(RoomID(room?.text("room_id") ?? "")), "a room is deleted and not stored")
        case .openSession:
            check(oracle.sessions.contains { $0.id == session }, "\(session) is opened and not stored")
        case .closeSession: check(oracle.closedSessions.contains(session), "\(session) is closed and not stored")
        default: break
        }
    }
}
