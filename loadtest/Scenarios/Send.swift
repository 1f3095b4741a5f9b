import Wire

extension Scenario {
    static let send = Scenario(
        name: "send",
        summary: "messages until they are on disk",
        about: """
            Users send messages for people, which no agent answers, each in a room of its own and each the next one \
            when the last one is acknowledged, which says that it is on disk. The floor writes each message to a \
            file, waits for the disk and sends it back; messages that come together share one wait.
            """,
        knobs: [(.inFlight, 64), (.messageBytes, 100), (.seconds, 5), (.warmUp, 0.5)],
        quick: [(.inFlight, 4), (.seconds, 0.3), (.warmUp, 0.1)],
        divides: [.inFlight],
        playsOnFloor: true
    ) { (run) throws(Failure) in
        let text = String(repeating: "x", count: run.whole(.messageBytes))
        var isStopped = false
        /// Sends again and again; `send` calls back when a message is acknowledged.
        func goOn(_ send: @escaping (@escaping () -> Void) -> Void) {
            let sentAt = Clock.now()
            send {
                if run.tally.isRecording { run.tally.acknowledged.record(run.engine.now - sentAt) }
                run.tally.count()
                if !isStopped { goOn(send) }
            }
        }
        switch run.stage {
        case let hub as HubStage:
            let rooms = try hub.makeRooms(run.whole(.inFlight))
            for room in rooms { goOn { hub.sendToPeople(text, in: room, then: $0) } }
            try run.measureSends { isStopped = true }
            try run.engine.run("the last sends to be acknowledged") {
                rooms.allSatisfy { $0.exchanges.allSatisfy(\.isAcknowledged) }
            }
            try hub.close(rooms)
        default:
            let sockets = (0..<run.whole(.inFlight)).map { _ in FloorSender(run.engine) }
            try run.engine.connect(sockets) { sockets[$0].connect(to: run.address, path: "/log") }
            for socket in sockets { goOn { socket.send(text, then: $0) } }
            try run.measureSends { isStopped = true }
        }
    }
}

extension Run {
    fileprivate func measureSends(thenStop stop: () -> Void) throws(Failure) {
        try engine.run(seconds: number(.warmUp))
        try measure(.sends)
        stop()
    }
}

/// Sends frames of a hub's size to the floor's log, and takes them back. Confined to the main thread.
private final class FloorSender: Client {
    private var message: [UInt8] = []
    private var then: () -> Void = {}
    private static let room = "room_\(hexadecimal(1, digits: 20))"

    func send(_ text: String, then: @escaping () -> Void) {
        self.then = then
        message = Watcher.frame(
            "send",
            ["room_id": .string(Self.room), "text": .string(text), "message_id": "load-01234567-1", "respond": false],
            id: "1")
        send(message)
    }

    override func received(_ text: UnsafeRawBufferPointer) {
        guard text.elementsEqual(message) else { return engine.fail("the floor sent other bytes back") }
        then()
    }
}
