import ChatProtocol

/// The C floor, doing what the hub does with the same frames.
final class FloorContender: Contender {
    let name = "floor"
    /// Names as long as the hub's, so that its frames have the hub's size.
    var names: StreamNames?
    private let driver: Driver
    let server: ServerProcess
    private let audience: Audience
    private let publisher: WebSocketClient
    private var senders: [Sender] = []

    /// - Parameter coalesces: one send per watcher and turn, instead of one per watcher and frame.
    init(_ driver: Driver, _ options: CompareOptions, in directory: ScratchDirectory, coalesces: Bool) throws(Failure) {
        self.driver = driver
        let file = coalesces ? "floor-coalescing" : "floor-plain"
        server = try ServerProcess(
            [options.floor, "-d", "\(directory.path)/\(file).log"] + (coalesces ? ["-c"] : []),
            name: file, in: directory)
        let port = server.port
        audience = try Audience(driver, count: options.watchers, port: port) { _ in "/sub/1" }
        publisher = try WebSocketClient(driver, port: port, path: "/pub/1")
        for _ in 0..<options.senders {
            let socket = try WebSocketClient(driver, port: port, path: "/log")
            senders.append(Sender(socket, frame: frame, reading: reading))
        }
        try driver.run("the floor to accept") { [self] in
            publisher.isOpen && senders.allSatisfy(\.socket.isOpen)
        }
    }

    func send(inFlight: Int, each count: Int) throws(Failure) -> SendCost {
        try SendSeries(driver, senders, each: count).run(inFlight: inFlight, on: server)
    }

    func stream(window: Int, seconds: Double) throws(Failure) -> ChunkCost {
        guard let names else { throw Failure("the hub goes first") }
        audience.reset(to: .streaming)
        return try audience.listen(window: window, seconds: seconds, to: server) { [publisher] tokens in
            publisher.send(tokens.map { Script.chunk($0, room: names.room, stream: names.stream) })
        }.cost
    }
}

private func frame(_ number: Int) -> [UInt8] {
    HubSender.frame(number, room: RoomID("room_0123456789abcdef0123"))
}

/// It comes back as it was sent.
private func reading(_ message: [UInt8], _ number: Int) -> Sender.Reading {
    message == frame(number) ? .answer : .fault("other bytes")
}
