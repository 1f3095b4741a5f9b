import Wire

extension Scenario {
    static let echo = Scenario(
        name: "echo",
        summary: "round trips of single messages",
        about: """
            Sockets at /ws/echo, which a hub has with --diagnostics, send messages and wait for them to come back, a \
            number of each on their way. Every message is compared with what was sent.
            """,
        knobs: [(.connections, 64), (.inFlight, 1), (.messageBytes, 120), (.seconds, 10), (.warmUp, 0.5)],
        quick: [(.connections, 8), (.inFlight, 2), (.seconds, 0.3), (.warmUp, 0.1)],
        divides: [.connections]
    ) { (run) throws(Failure) in
        var trips = Histogram()
        let callers = (0..<run.whole(.connections)).map { number in
            EchoCaller(run.engine, number: number, messageBytes: run.whole(.messageBytes)) { nanoseconds in
                trips.record(nanoseconds)
                run.tally.count()
                run.tally.frames += 1
            }
        }
        try run.engine.connect(callers) {
            callers[$0].connect(to: run.address, path: "/ws/echo", source: run.engine.source)
        }
        for caller in callers { for _ in 0..<run.whole(.inFlight) { caller.call() } }
        try run.engine.run(seconds: run.number(.warmUp))
        trips.removeAll()
        try run.measure(.roundTrips)
        for caller in callers { caller.close() }
        run.tally.others.append(Latency("round trip", trips))
    }
}

/// Sends messages of its own and takes them back in the same order. Confined to the main thread.
private final class EchoCaller: Client {
    private let number: Int
    private let messageBytes: Int
    private let returned: (_ nanoseconds: UInt64) -> Void
    private var sent = 0
    /// Those on their way, with the time of each.
    private var calls: [(message: [UInt8], sentAt: UInt64)] = []

    init(_ engine: Engine, number: Int, messageBytes: Int, returned: @escaping (UInt64) -> Void) {
        (self.number, self.messageBytes, self.returned) = (number, messageBytes, returned)
        super.init(engine)
    }

    func call() {
        sent += 1
        let name = Array("\(number):\(sent) ".utf8)
        let filling = repeatElement(UInt8(ascii: "x"), count: max(0, messageBytes - name.count))
        let message = name + filling
        calls.append((message, Clock.now()))
        send(message)
    }

    override func received(_ text: UnsafeRawBufferPointer) {
        guard let call = calls.first, text.elementsEqual(call.message) else {
            return engine.fail("the echo of socket \(number) is not what was sent")
        }
        calls.removeFirst()
        returned(engine.now - call.sentAt)
        self.call()
    }
}
