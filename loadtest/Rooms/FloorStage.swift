import ChatProtocol

/// The C floor, which sends to all watchers of a room whatever a publisher of that room sends it.
final class FloorStage: Stage {
    let tally: Tally
    let answerBytesMax = Limits().responseBytesMax
    private let engine: Engine
    private let address: ServerAddress
    private var speakers: [String: FloorSpeaker] = [:]
    private var messages = 0
    private var rooms = 0
    private static let roomsMax = 1024

    init(_ engine: Engine, _ tally: Tally, _ address: ServerAddress) {
        (self.engine, self.tally, self.address) = (engine, tally, address)
    }

    func open(rooms count: Int, watchers: Int) throws(Failure) -> [Room] {
        guard rooms + count <= Self.roomsMax else { throw Failure("the floor has \(Self.roomsMax) rooms at most") }
        var sockets: [(client: Client, path: String)] = []
        let opened = (0..<count).map { _ in
            rooms += 1
            let room = Room("room_\(hexadecimal(rooms, digits: 20))", engine, tally, watchers: watchers)
            for index in 1...watchers {
                let watcher = Watcher(engine, user: "watcher \(index)")
                watcher.stage = .joined
                room.add(watcher)
                sockets.append((watcher, "/sub/\(rooms)"))
            }
            let speaker = FloorSpeaker(engine, room)
            speakers[room.id] = speaker
            sockets.append((speaker, "/pub/\(rooms)"))
            return room
        }
        try engine.connect(sockets.map(\.client)) { [engine, address] index in
            sockets[index].client.connect(to: address, path: sockets[index].path, source: engine.source)
        }
        return opened
    }

    func begin(_ script: SyntheticScript, in room: Room, isTimed: Bool) -> Exchange {
        messages += 1
        let exchange = room.addExchange(script, messageID: "message-\(messages)", sentAt: Clock.now(), isTimed: isTimed)
        speakers[room.id]!.begin(exchange, number: messages)
        return exchange
    }

    func release(_ count: Int, of exchange: Exchange, in room: Room) {
        speakers[room.id]!.release(count, of: exchange)
    }

    /// The floor stores nothing, so there is no history to check.
    func close(_ rooms: [Room]) throws(Failure) {
        for room in rooms { speakers[room.id]!.cancel() }
        try engine.run("every watcher to get the end of every answer", within: 60) {
            rooms.allSatisfy(\.isSettled)
        }
        for room in rooms {
            speakers.removeValue(forKey: room.id)!.close()
            for watcher in room.watchers { watcher.close() }
        }
    }
}
