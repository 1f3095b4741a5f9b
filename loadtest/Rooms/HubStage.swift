import ChatProtocol
import Wire

/// A hub with its synthetic agent.
final class HubStage: Stage {
    let tally: Tally
    private let engine: Engine
    private let address: ServerAddress
    /// Who the users are, in turn; without any, each says its own name.
    private let tokens: [String]
    /// Tells the users of this run from those of others.
    private let prefix: String
    private var users = 0
    private var sends = 0

    private(set) var answerBytesMax = Limits().responseBytesMax

    init(_ engine: Engine, _ tally: Tally, _ address: ServerAddress, tokens: [String]) {
        (self.engine, self.tally, self.address, self.tokens) = (engine, tally, address, tokens)
        prefix = "load-\(String(engine.random() & 0xFFFF_FFFF, radix: 16))"
    }

    // MARK: - Sockets and rooms

    func open(rooms: Int, watchers: Int) throws(Failure) -> [Room] {
        try open(rooms: rooms, watchers: watchers) { _ in }
    }

    /// - Parameter prepare: what is special about a watcher that is not an author, before it connects.
    func open(rooms: Int, watchers: Int, prepare: (Watcher) -> Void) throws(Failure) -> [Room] {
        let rooms = try makeRooms(rooms, watchers: watchers)
        let authors = rooms.map(\.author)
        var all = authors
        for room in rooms {
            for _ in 1..<max(1, watchers) {
                let watcher = newWatcher()
                room.add(watcher)
                prepare(watcher)
                all.append(watcher)
            }
        }
        try connect(Array(all[authors.count...]))
        try join(all)
        return rooms
    }

    /// Lets so many further watchers join, the rooms in turn.
    func add(_ count: Int, to rooms: [Room]) throws(Failure) {
        let watchers = (0..<count).map { index in
            let watcher = newWatcher()
            rooms[index % rooms.count].add(watcher)
            return watcher
        }
        try connect(watchers)
        try join(watchers)
    }

    /// A user of its own.
    func newWatcher() -> Watcher {
        users += 1
        let watcher = Watcher(engine, user: "\(prefix)-\(users)")
        if !tokens.isEmpty { watcher.token = tokens[users % tokens.count] }
        return watcher
    }

    /// Connects, and waits until all are welcome.
    func connect(_ watchers: [Watcher]) throws(Failure) {
        try engine.connect(watchers) { connect(watchers[$0]) }
        try engine.run("\(watchers.count) sockets to be welcome") { watchers.allSatisfy { $0.stage != .away } }
        if let bytes = watchers.first?.limits["response_bytes_max"]?.int { answerBytesMax = Int(bytes) }
    }

    /// - Parameter spread: over source addresses, for sockets that come and go faster than ports are free again.
    func connect(_ watcher: Watcher, spread: Bool = false) {
        let authorization = watcher.token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        watcher.connect(
            to: address, path: watcher.token == nil ? "/ws?user_id=\(watcher.user)" : "/ws",
            headers: "Sec-WebSocket-Protocol: hubbub.v1\r\n\(authorization)",
            source: spread ? Int(engine.random() % 8) : engine.source)
    }

    func join(_ watchers: [Watcher]) throws(Failure) {
        for watcher in watchers { watcher.demand("join", ["room_id": .string(watcher.room.id)]) }
        try engine.run("\(watchers.count) sockets to join", within: 20 + Double(watchers.count) / 200) {
            watchers.allSatisfy { $0.stage == .joined }
        }
    }

    /// Rooms whose authors have not joined.
    func makeRooms(_ count: Int, watchers: Int = 1) throws(Failure) -> [Room] {
        let authors = (0..<count).map { _ in newWatcher() }
        try connect(authors)
        var rooms: [Room] = []
        for author in authors {
            author.demand("create-room", ["room_name": "Load test"]) { [engine, tally] ack in
                guard let id = ack["room"]?.object?["room_id"]?.string else {
                    return engine.fail("a new room has no id")
                }
                let room = Room(id, engine, tally, watchers: watchers)
                room.add(author)
                rooms.append(room)
            }
        }
        try engine.run("\(authors.count) rooms to be made") { rooms.count == authors.count }
        return rooms
    }

    // MARK: - Exchanges

    func begin(_ script: SyntheticScript, in room: Room, isTimed: Bool) -> Exchange {
        send(script, in: room, by: room.author, at: Clock.now(), isTimed: isTimed)
    }

    /// - Parameters:
    ///   - time: when it is sent, or should have been.
    ///   - mayBeRefused: whether a hub that has too much to do may say so; else that ends the run.
    func send(
        _ script: SyntheticScript, in room: Room, by watcher: Watcher, at time: UInt64, isTimed: Bool = true,
        mayBeRefused: Bool = false
    ) -> Exchange {
        sends += 1
        let exchange = room.addExchange(script, messageID: "\(prefix)-\(sends)", sentAt: time, isTimed: isTimed)
        let fields: JSONObject = [
            "room_id": .string(room.id), "text": .string(exchange.messageText),
            "message_id": .string(exchange.messageID),
            "agent_type": "synthetic",
        ]
        watcher.ask("send", fields) { [engine, tally] answer in
            switch answer {
            case .failure(let refusal):
                guard mayBeRefused, refusal.isForLoad else {
                    return engine.fail("a send was refused: \(refusal.text). Has the hub --synthetic, and the limits?")
                }
                tally.refusals[refusal.code, default: 0] += 1
                exchange.end = .settled("refused", length: 0)
                watcher.ends?(exchange)
            case .success(let ack):
                exchange.isAcknowledged = true
                tally.acknowledged.record(engine.now - min(engine.now, time))
                guard let id = ack["exchange_id"]?.string, exchange.id == nil || exchange.id == id else {
                    return room.mismatch("an ack names another exchange than the message has", exchange)
                }
            }
        }
        return exchange
    }

    /// A message for people only: no agent answers.
    func sendToPeople(_ text: String, in room: Room, then: @escaping () -> Void) {
        sends += 1
        let id = "\(prefix)-\(sends)"
        let exchange = room.addExchange(SyntheticScript(), message: text, messageID: id, sentAt: Clock.now())
        let fields: JSONObject = [
            "room_id": .string(room.id), "text": .string(text), "message_id": .string(id), "respond": false,
        ]
        room.author.demand("send", fields) { _ in
            exchange.isAcknowledged = true
            exchange.end = .settled("completed", length: 0)
            then()
        }
    }

    func release(_ count: Int, of exchange: Exchange, in room: Room) {
        guard let stream = exchange.streamID else { return }
        room.author.send(
            Watcher.frame("release", ["stream_id": .string(stream), "tokens": .int(Int64(count))]))
    }

    // MARK: - The end

    func close(_ rooms: [Room]) throws(Failure) {
        for room in rooms where room.exchanges.contains(where: { $0.end == nil }) {
            room.author.demand("cancel", ["room_id": .string(room.id)])
        }
        try engine.run("every watcher to get the end of every answer", within: 60) {
            rooms.allSatisfy(\.isSettled)
        }
        for room in rooms { try HistoryCheck(room).run(engine) }
        for room in rooms { room.author.demand("delete-room", ["room_id": .string(room.id)]) }
        for room in rooms { for watcher in room.watchers { watcher.close() } }
    }
}
