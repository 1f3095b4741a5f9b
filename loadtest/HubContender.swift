import ChatProtocol
import Wire

/// The names in a stream's frames.
struct StreamNames {
    let room: RoomID
    let stream: StreamID
}

/// The hub, with one agent whose model is ours.
final class HubContender: Contender {
    let name = "hub"
    /// Of the newest stream.
    private(set) var names: StreamNames?
    private let driver: Driver
    let server: ServerProcess
    private let model: ScriptedModel
    private let audience: Audience
    private let author: HubSender
    private var senders: [HubSender] = []
    private var room: RoomID?

    init(_ driver: Driver, _ options: CompareOptions, in directory: ScratchDirectory) throws(Failure) {
        self.driver = driver
        model = try ScriptedModel(driver)
        try directory.write(Self.configuration(modelPort: model.port), to: "hub.json")
        let path = directory.path
        server = try ServerProcess(
            [
                options.hub, "serve", "--port", "0", "--loops", "1", "--data", "\(path)/data", "--config",
                "\(path)/hub.json",
            ], name: "hub", in: directory)
        let port = server.port
        audience = try Audience(driver, count: options.watchers, port: port) { "/ws?user_id=watcher-\($0)" }
        author = try HubSender(driver, port: port, user: "author")
        for index in 0..<options.senders {
            senders.append(try HubSender(driver, port: port, user: "sender-\(index)"))
        }
        for sender in senders { try sender.createRoom() }
    }

    /// The hub's own defaults, but for two: a test of costs merges no tokens by time, since the floor does not either,
    /// and all senders' streams are open at once.
    private static func configuration(modelPort: UInt16) -> [UInt8] {
        let agent: JSONValue = [
            "agent_type": "scripted", "connector": "openai", "base_url": .string("http://127.0.0.1:\(modelPort)/v1"),
            "model": "scripted",
        ]
        let configuration: JSONValue = [
            "default_agent": "scripted", "agents": [agent], "log_level": "warning",
            "limits": ["coalesce_milliseconds_max": 0, "drain_seconds": 0],
        ]
        return configuration.compact
    }

    // MARK: - Sends

    /// Every sender's room is busy with an answer that says nothing, so what is measured is the sending alone: a
    /// message waits for its turn, and its `ack` says that it is on disk.
    func send(inFlight: Int, each count: Int) throws(Failure) -> SendCost {
        for sender in senders { sender.begin { sender.frame(0) } }
        try driver.run("every sender's agent to be asked") { [self] in
            model.answering.count == senders.count && senders.allSatisfy(\.isAnswered)
        }
        let cost = try SendSeries(driver, senders.map(\.sender), each: count).run(inFlight: inFlight, on: server)
        for sender in senders { sender.begin(sender.cancelFrame) }
        try driver.run("every sender's agent to be cancelled") { [self] in
            model.answering.isEmpty && senders.allSatisfy(\.isAnswered)
        }
        return cost
    }

    // MARK: - Chunks

    /// Streams one answer to all watchers, in a room of its own.
    func stream(window: Int, seconds: Double) throws(Failure) -> ChunkCost {
        let answer = try open()
        let (cost, tokens) = try audience.listen(window: window, seconds: seconds, to: server) { [model] tokens in
            model.say(tokens.map(Script.token), in: answer)
        }
        model.finish(answer)
        try driver.run("the end of \(tokens) tokens") { [self] in audience.areAll(.ended) }
        return cost
    }

    private func open() throws(Failure) -> ScriptedModel.Answer {
        let left = room
        let room = try author.createRoom()
        self.room = room
        audience.reset(to: .away)
        audience.send(
            (left.map { [clientFrame("leave", id: nil, room: $0)] } ?? []) + [clientFrame("join", id: nil, room: room)])
        try driver.run("all watchers to join") { [self] in audience.areAll(.joined) }
        let ack = try author.ask { author.frame(0) }
        try driver.run("the agent to be asked") { [self] in
            audience.areAll(.streaming) && model.answering.count == 1
        }
        guard let stream = ack["stream_id"]?.string else { throw Failure("a send has no stream") }
        names = StreamNames(room: room, stream: StreamID(stream))
        return model.answering[0]
    }
}

/// One user with one socket and one room at a time.
final class HubSender {
    private(set) var isAnswered = true
    private let driver: Driver
    private let socket: WebSocketClient
    private var room = RoomID("")
    private var answer = JSONObject()

    init(_ driver: Driver, port: UInt16, user: String) throws(Failure) {
        self.driver = driver
        socket = try WebSocketClient(driver, port: port, path: "/ws?user_id=\(user)")
        try driver.run("\(user) to connect") { [self] in socket.isOpen }
    }

    /// Sends a frame; `isAnswered` tells of its `ack`.
    func begin(_ frame: () -> [UInt8]) {
        isAnswered = false
        socket.received = { [unowned self] message in
            switch Self.reading(message, 0) {
            case .unrelated: break
            case .fault(let reason): driver.fail(reason)
            case .answer:
                answer = (try? JSONValue(parsing: message).object) ?? JSONObject()
                isAnswered = true
            }
        }
        socket.send(frame())
    }

    /// Sends a frame and waits for its `ack`.
    func ask(_ frame: () -> [UInt8]) throws(Failure) -> JSONObject {
        begin(frame)
        try driver.run("an answer") { [self] in isAnswered }
        return answer
    }

    @discardableResult
    func createRoom() throws(Failure) -> RoomID {
        let ack = try ask { Array(#"{"type":"create-room","id":"0"}"#.utf8) }
        guard let id = ack["room"]?.object?["room_id"]?.string else { throw Failure("a new room has no id") }
        room = RoomID(id)
        return room
    }

    /// This user as a sender of a series.
    var sender: Sender { Sender(socket, frame: frame, reading: Self.reading) }

    func frame(_ number: Int) -> [UInt8] { Self.frame(number, room: room) }

    func cancelFrame() -> [UInt8] { clientFrame("cancel", id: 0, room: room) }

    static func frame(_ number: Int, room: RoomID) -> [UInt8] {
        clientFrame(
            "send", id: number, room: room, text: "What does a message cost, from frame in to ack? Number \(number)")
    }

    private static func reading(_ message: [UInt8], _ number: Int) -> Sender.Reading {
        guard let object = try? JSONValue(parsing: message).object else { return .fault("something unreadable") }
        switch object["type"] {
        case "ack": return object["id"] == .string(String(number)) ? .answer : .fault("another ack")
        case "error": return .fault(String(decoding: message, as: UTF8.self))
        default: return .unrelated
        }
    }
}

private func clientFrame(_ type: StaticString, id: Int?, room: RoomID, text: String? = nil) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.field("type", "\(type)")
    writer.field("id", id.map { String($0) })
    writer.field("room_id", room.text)
    writer.field("text", text)
    writer.endObject()
    return writer.bytes
}
