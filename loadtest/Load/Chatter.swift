import ChatProtocol

/// Users who send messages at fixed times, each in a room of its own, and sometimes stop the answer. A message that is
/// due while all users wait for answers is sent when one is free, and its times count from when it was due.
/// Confined to the main thread.
final class Chatter {
    private let run: Run
    private let rooms: [Room]
    private let script: SyntheticScript
    private let interval: Double
    private let cancelShare: Double
    private var start: UInt64 = 0
    private var due = 0
    private var sent = 0
    private var cancelsOwed = 0.0
    private var free: [Room]
    private var isStopped = false

    /// - Parameter script: of each answer, but for its seed.
    init(_ run: Run, _ rooms: [Room], _ script: SyntheticScript, sendsPerSecond: Double, cancelShare: Double) {
        (self.run, self.rooms, self.script, self.cancelShare) = (run, rooms, script, cancelShare)
        interval = 1e9 / sendsPerSecond
        free = rooms
        for room in rooms {
            room.author.ends = { [weak self] _ in
                self?.free.append(room)
                self?.sendDue()
            }
        }
    }

    func begin() {
        start = Clock.now()
        becomeDue()
    }

    func stop() { isStopped = true }

    private func time(ofSend number: Int) -> UInt64 { start + UInt64(Double(number) * interval) }

    private func becomeDue() {
        guard !isStopped else { return }
        due += 1
        sendDue()
        run.engine.schedule(at: time(ofSend: due)) { [weak self] in self?.becomeDue() }
    }

    private func sendDue() {
        while !isStopped, sent < due, !free.isEmpty { send(in: free.removeFirst(), at: time(ofSend: sent)) }
    }

    private func send(in room: Room, at due: UInt64) {
        sent += 1
        var script = script
        script.seed &+= UInt64(sent)
        let exchange = run.hub.send(script, in: room, by: room.author, at: due, mayBeRefused: true)
        cancelsOwed += cancelShare
        guard cancelsOwed >= 1 else { return }
        cancelsOwed -= 1
        let half = script.rate > 0 ? Double(script.tokens) / script.rate / 2 : 0
        run.engine.schedule(at: run.engine.now + UInt64(seconds: half)) { [weak self] in
            self?.cancel(exchange, in: room)
        }
    }

    /// Another watcher than the author stops the answer, where there is one.
    private func cancel(_ exchange: Exchange, in room: Room) {
        guard exchange.end == nil, let stream = exchange.streamID, let watcher = room.watchers.last,
            watcher.stage == .joined
        else { return }
        let time = Clock.now()
        exchange.cancelledAt = time
        watcher.demand("cancel", ["stream_id": .string(stream)]) { [run] ack in
            guard ack["state"] == "accepted" else {
                exchange.cancelledAt = nil
                return
            }
            run.tally.cancelAccepted.record(run.engine.now - time)
        }
    }
}
