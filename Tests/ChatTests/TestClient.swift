import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// What a client holds of a room, built from frames alone.
struct RoomView {
    var epoch = ""
    var seq: UInt64 = 0
    var isJoined = true
    var texts: [String: [UInt8]] = [:]
    var reasonings: [String: [UInt8]] = [:]
    /// How each stream that this client saw end has ended.
    var statuses: [String: String] = [:]
    var messages: [String] = []

    var position: LogPosition { LogPosition(epoch: epoch, seq: seq) }
}

/// A browser's side of one WebSocket: it reads as fast as its budget allows and checks every frame against the rules.
final class TestClient {
    unowned let world: HubWorld
    let user: String
    let loop: Int
    var connection: Connection?
    /// Bytes that the socket still takes; a slow reader has few.
    var budget = Int.max
    var isPaused = false
    private(set) var frames: [JSONObject] = []
    /// The latest of each kind and room that stands outside the log.
    private(set) var states: [String: [String: JSONObject]] = [:]
    private(set) var stateFrames = 0
    var rooms: [String: RoomView] = [:]
    private(set) var endedTexts: [String: String] = [:]

    private var received: [UInt8] = []
    private var plan = WritePlan()
    /// Streams whose cancel was accepted on this socket.
    private var stopped: Set<String> = []
    private var cancels: [String: String] = [:]
    private var unacknowledged: Set<String> = []
    private var nextID = 1

    init(world: HubWorld, user: String, loop: Int) {
        self.world = world
        self.user = user
        self.loop = loop
    }

    // MARK: - Reading

    /// Reads what the socket's budget allows. Like the shell it plans nothing for a socket that is full, and comes back
    /// only for a plan that says it has more.
    func pump() {
        guard let connection, budget > 0 else { return }
        let hub = world.hubs[loop]
        repeat {
            hub.plan(for: connection, into: &plan)
            let count = take(plan)
            hub.wrote(count, of: plan, to: connection)
            guard count == plan.bytes else { break }
        } while plan.hasMore
        parse()
    }

    /// Reads what a broadcast brings and the socket's budget allows.
    func receive(_ broadcast: WritePlan) -> Int {
        let count = take(broadcast)
        parse()
        return count
    }

    private func take(_ plan: WritePlan) -> Int {
        let count = min(budget, plan.bytes)
        received += plan.bytes(count)
        if budget != .max { budget -= count }
        return count
    }

    /// The socket takes so many bytes more.
    func read(_ bytes: Int) {
        budget = bytes
        pump()
        world.finishTurn(loop)
        world.run()
    }

    private func parse() {
        var start = 0
        while let frame = ServerBytes.nextFrame(received, from: start) {
            check(frame.first == ServerBytes.text, "not a whole text frame")
            take(Array(received[frame.payload]))
            start = frame.payload.upperBound
        }
        received.removeFirst(start)
    }

    private func check(_ condition: Bool, _ fault: @autoclosure () -> String) {
        if !condition { world.violations.append("\(user) on loop \(loop): \(fault())") }
    }

    // MARK: - Frames

    private func take(_ payload: [UInt8]) {
        guard let frame = try? JSONValue(parsing: payload), let object = frame.object else {
            return check(false, "a frame is not JSON: \(String(decoding: payload.prefix(200), as: UTF8.self))")
        }
        let type = object.text("type")
        if ["presence", "typing", "read"].contains(type) { return state(type, object) }
        frames.append(object)
        switch type {
        case "joined": joined(object)
        case "left": rooms[object.text("room_id")]?.isJoined = false
        case "ack": acknowledged(object)
        case "welcome", "error", "pong", "draining", "room-added", "room-removed", "room-summary": break
        default: log(type, object)
        }
    }

    /// The full state of one aspect: it stands beside the log, and only the latest counts.
    private func state(_ type: String, _ frame: JSONObject) {
        let room = frame.text("room_id")
        check(rooms[room]?.isJoined == true, "\(type) of a room not joined")
        states[type, default: [:]][room] = frame
        stateFrames += 1
    }

    private func acknowledged(_ frame: JSONObject) {
        switch frame.text("for") {
        case "leave": rooms[frame.text("room_id")]?.isJoined = false
        case "send": unacknowledged.remove(frame.text("id"))
        case "cancel" where frame.text("state") == "accepted":
            if let stream = cancels[frame.text("id")] { stopped.insert(stream) }
        default: break
        }
    }

    private func joined(_ frame: JSONObject) {
        let room = frame.text("room_id")
        let seq = frame.number("seq")
        if frame["recovered"] == true {
            check(rooms[room]?.position == LogPosition(epoch: frame.text("epoch"), seq: seq), "recovered elsewhere")
            rooms[room]?.isJoined = true
            // What it missed comes now, also of what was cancelled since.
            stopped.removeAll()
            return
        }
        var view = RoomView(epoch: frame.text("epoch"), seq: seq)
        var shown: Set<String> = []
        for stream in (frame["streams"]?.array ?? []).compactMap(\.object) {
            view.texts[stream.text("stream_id")] = Array(stream.text("text").utf8)
            view.reasonings[stream.text("stream_id")] = Array(stream.text("reasoning").utf8)
            shown.insert(stream.text("exchange_id"))
        }
        for exchange in (frame["history"]?.array ?? []).compactMap(\.object) {
            check(!shown.contains(exchange.text("exchange_id")), "an exchange is in history and in streams")
            view.messages += exchange.messageTexts
        }
        for stream in (frame["streams"]?.array ?? []).compactMap(\.object) { view.messages += stream.messageTexts }
        rooms[room] = view
    }

    private func log(_ type: String, _ frame: JSONObject) {
        let room = frame.text("room_id")
        guard var view = rooms[room], view.isJoined else { return check(false, "\(type) of a room not joined") }
        let seq = frame.number("seq")
        let first = frame["first_seq"] == nil ? seq : frame.number("first_seq")
        check(first == view.seq + 1 && seq >= first, "\(type) at \(first)…\(seq) follows \(view.seq)")
        view.seq = seq
        let stream = frame.text("stream_id")
        switch type {
        case "stream-started":
            check(view.texts[stream]?.isEmpty ?? true, "started with text")
            view.texts[stream] = []
            view.reasonings[stream] = []
        case "chunk": append(frame, isText: true, &view)
        case "reasoning": append(frame, isText: false, &view)
        case "chunks":
            for part in (frame["parts"]?.array ?? []).compactMap(\.object) {
                append(part, isText: part.text("kind") == "text", &view)
            }
        case "stream-ended":
            check(Int(frame.number("length")) == view.texts[stream]?.count ?? 0, "length differs from the text")
            view.statuses[stream] = frame.text("status")
            endedTexts[stream] = String(decoding: view.texts[stream] ?? [], as: UTF8.self)
        case "message":
            check(!unacknowledged.contains(frame.text("message_id")), "message before its ack")
            view.messages.append(frame.text("text"))
        default: break
        }
        rooms[room] = view
    }

    private func append(_ part: JSONObject, isText: Bool, _ view: inout RoomView) {
        let stream = part.text("stream_id")
        let delta = Array(part.text("delta").utf8)
        check(!stopped.contains(stream), "a chunk behind `accepted`")
        check(delta.count <= Limits.chunkBytesMax, "a chunk of \(delta.count) bytes")
        let held = isText ? view.texts[stream] : view.reasonings[stream]
        guard let held else { return check(false, "a chunk of an unknown stream") }
        check(held.count == Int(part.number("offset")), "chunk at \(part.number("offset")) after \(held.count)")
        if isText { view.texts[stream] = held + delta } else { view.reasonings[stream] = held + delta }
    }

    // MARK: - Writing

    /// Sends a frame, without letting the other loops run.
    func post(_ type: String, _ fields: JSONObject = [:]) {
        guard let connection else { return }
        var frame: JSONObject = ["type": .string(type)]
        for (key, value) in fields.members { frame[key] = value }
        world.hubs[loop].received(JSONValue.object(frame).compact, on: connection, now: world.now)
        world.finishTurn(loop)
    }

    /// Sends a frame and lets everything run; returns its answer, if one has come.
    @discardableResult
    func ask(_ type: String, _ fields: JSONObject = [:]) -> JSONObject {
        var fields = fields
        let id = "q\(nextID)"
        nextID += 1
        fields["id"] = .string(id)
        post(type, fields)
        world.run()
        return answer(to: id)
    }

    func answer(to id: String) -> JSONObject { frames.last { $0.text("id") == id } ?? [:] }

    @discardableResult func join(_ room: String) -> JSONObject { ask("join", ["room_id": .string(room)]) }

    @discardableResult func join(_ room: String, after: LogPosition) -> JSONObject {
        ask("join", ["room_id": .string(room), "after": after.json])
    }

    /// Sends a message; its key is its frame's id too.
    func postSend(_ room: String, _ text: String, key: String, _ more: JSONObject = [:]) {
        unacknowledged.insert(key)
        var fields: JSONObject = [
            "room_id": .string(room), "text": .string(text), "id": .string(key), "message_id": .string(key),
        ]
        for (name, value) in more.members { fields[name] = value }
        post("send", fields)
    }

    @discardableResult func send(_ room: String, _ text: String, key: String, _ more: JSONObject = [:]) -> JSONObject {
        postSend(room, text, key: key, more)
        world.run()
        return answer(to: key)
    }

    /// Opens a session and returns its id.
    func openSession(_ room: String) -> String {
        ask("open-session", ["room_id": .string(room)])["session"]?.object?.text("session_id") ?? ""
    }

    func postCancel(_ stream: String) {
        let id = "c\(nextID)"
        nextID += 1
        cancels[id] = stream
        post("cancel", ["stream_id": .string(stream), "id": .string(id)])
    }

    /// Takes over what another socket of the same client held, to resume with it.
    func inherit(_ other: TestClient) {
        rooms = other.rooms.mapValues { view in
            var view = view
            view.isJoined = false
            return view
        }
    }

    // MARK: - Looking

    func types(_ room: String) -> [String] { frames.filter { $0.text("room_id") == room }.map { $0.text("type") } }
    func last(_ type: String) -> JSONObject { frames.last { $0.text("type") == type } ?? [:] }
    func all(_ type: String) -> [JSONObject] { frames.filter { $0.text("type") == type } }
    func text(_ stream: String) -> String {
        rooms.values.lazy.compactMap { $0.texts[stream] }.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
    func forgetFrames() { frames = [] }
}

extension LogPosition {
    var json: JSONValue { ["epoch": .string(epoch), "seq": .int(Int64(seq))] }
}

extension JSONObject {
    func text(_ name: String) -> String { self[name]?.string ?? "" }
    func number(_ name: String) -> UInt64 { UInt64(self[name]?.int ?? 0) }
    fileprivate var messageTexts: [String] {
        (self["messages"]?.array ?? []).compactMap { $0.object?.text("text") }
    }
}
