// What a client holds of a room, built from frames alone by the rules of the protocol's description. It is written
// from that description and not from the hub, so that an error of the hub's is not an error here too.

import ChatProtocol
import Wire

/// A frame from the hub.
struct Frame {
    let type: String
    let object: JSONObject

    init?(_ payload: [UInt8]) {
        guard let object = (try? JSONValue(parsing: payload))?.object, let type = object["type"]?.string else {
            return nil
        }
        self.type = type
        self.object = object
    }

    func text(_ name: String) -> String { object[name]?.string ?? "" }
    func number(_ name: String) -> Int { Int(object[name]?.int ?? 0) }
    func objects(_ name: String) -> [JSONObject] { (object[name]?.array ?? []).compactMap(\.object) }
    var room: String { text("room_id") }
    var seq: UInt64 { UInt64(number("seq")) }
    var firstSeq: UInt64 { object["first_seq"] == nil ? seq : UInt64(number("first_seq")) }

    /// Whether it is an entry of a room's log.
    var isOfLog: Bool {
        switch type {
        case "message", "stream-started", "chunk", "chunks", "reasoning", "tool-call", "tool-result", "action",
            "stream-ended", "reset", "history-cleared", "room-updated", "room-deleted", "member-joined", "member-left":
            true
        default: false
        }
    }
}

extension JSONObject {
    func text(_ name: String) -> String { self[name]?.string ?? "" }
    func bytes(_ name: String) -> [UInt8] { Array(text(name).utf8) }
    func objects(_ name: String) -> [JSONObject] { (self[name]?.array ?? []).compactMap(\.object) }
    func texts(_ name: String) -> [String] { (self[name]?.array ?? []).compactMap(\.string) }
}

/// What the disk knows of an exchange from its first message on.
struct ExchangeOrigin {
    let sessionID: String
    let isForPeople: Bool
}

/// One exchange as a client shows it.
struct ExchangeView {
    enum State {
        case waiting, streaming, ended
    }

    let id: String
    var sessionID = ""
    var streamID = ""
    var state = State.waiting
    var status = ""
    var messages: [String] = []
    var text: [UInt8] = []
    var reasoning: [UInt8] = []
    var eventCount = 0
    /// It had ended when the room was joined.
    var isOfHistory = false
}

/// What a client holds of a room.
struct RoomView {
    var epoch = ""
    var seq: UInt64 = 0
    var isJoined = false
    var isDeleted = false
    /// Older exchanges are left out.
    var isCut = false
    /// As they came: the snapshot's history, its streams, then by their first message.
    var exchanges: [ExchangeView] = []

    var position: LogPosition { LogPosition(epoch: epoch, seq: seq) }

    /// A rule that a frame broke.
    struct Fault: Error {
        let what: String
        init(_ what: String) { self.what = what }
    }

    func exchange(ofStream id: String) -> ExchangeView? { exchanges.first { $0.streamID == id } }

    private func check(_ condition: Bool, _ fault: @autoclosure () -> String) throws(Fault) {
        if !condition { throw Fault(fault()) }
    }

    // MARK: - Snapshots

    init() {}

    /// The snapshot of a `joined` frame.
    init(snapshot frame: Frame) throws(Fault) {
        epoch = frame.text("epoch")
        seq = frame.seq
        isJoined = true
        isCut = frame.object["next_before"] != nil
        for object in frame.objects("history") {
            var exchange = ExchangeView(id: object.text("exchange_id"))
            exchange.sessionID = object.text("session_id")
            exchange.state = .ended
            exchange.isOfHistory = true
            exchange.status = object.text("status")
            exchange.messages = object.objects("messages").map { $0.text("text") }
            exchange.text = object.bytes("text")
            exchange.reasoning = object.bytes("reasoning")
            exchange.eventCount = object.objects("events").count
            try check(ExchangeStatus(rawValue: exchange.status)?.isTerminal == true, "history shows what has not ended")
            try add(exchange)
        }
        for object in frame.objects("streams") {
            var exchange = ExchangeView(id: object.text("exchange_id"))
            exchange.sessionID = object.text("session_id")
            exchange.streamID = object.text("stream_id")
            exchange.state = object.text("state") == "streaming" ? .streaming : .waiting
            exchange.messages = object.objects("messages").map { $0.text("text") }
            exchange.text = object.bytes("text")
            exchange.reasoning = object.bytes("reasoning")
            exchange.eventCount = object.objects("events").count
            try check(!exchange.messages.isEmpty, "a stream without a message")
            try check(exchange.state == .streaming || exchange.text.isEmpty, "a waiting stream has text")
            try add(exchange)
        }
    }

    private mutating func add(_ exchange: ExchangeView) throws(Fault) {
        try check(!exchanges.contains { $0.id == exchange.id }, "\(exchange.id) is shown twice")
        exchanges.append(exchange)
    }

    // MARK: - The log

    /// Takes an entry of the log.
    ///
    /// - Parameter origin: what a `message` does not say of its exchange.
    mutating func take(_ frame: Frame, _ origin: ExchangeOrigin?) throws(Fault) {
        try check(isJoined && !isDeleted, "\(frame.type) of a room that is not joined")
        let first = frame.firstSeq
        try check(first == seq + 1 && frame.seq >= first, "\(frame.type) at \(first)…\(frame.seq) follows \(seq)")
        seq = frame.seq
        switch frame.type {
        case "message": try message(frame, origin)
        case "stream-started": try started(frame)
        case "chunk", "reasoning": try chunk(frame.object, isText: frame.type == "chunk")
        case "chunks":
            for part in frame.objects("parts") { try chunk(part, isText: part.text("kind") == "text") }
        case "tool-call", "tool-result", "action": try event(frame)
        case "stream-ended": try ended(frame)
        case "history-cleared": clear(frame.text("session_id"))
        case "room-deleted": isDeleted = true
        default: break
        }
    }

    private mutating func message(_ frame: Frame, _ origin: ExchangeOrigin?) throws(Fault) {
        let id = frame.text("exchange_id")
        if let index = exchanges.firstIndex(where: { $0.id == id }) {
            try check(exchanges[index].state == .waiting, "a message for \(id), which has begun")
            exchanges[index].messages.append(frame.text("text"))
        } else {
            var exchange = ExchangeView(id: id)
            exchange.messages = [frame.text("text")]
            exchange.sessionID = origin?.sessionID ?? ""
            if origin?.isForPeople == true { exchange.state = .ended }
            exchanges.append(exchange)
        }
    }

    private mutating func started(_ frame: Frame) throws(Fault) {
        let id = frame.text("exchange_id")
        guard let index = exchanges.firstIndex(where: { $0.id == id }) else {
            throw Fault("\(id) starts without a message")
        }
        try check(exchanges[index].state == .waiting, "\(id) starts twice")
        exchanges[index].state = .streaming
        exchanges[index].streamID = frame.text("stream_id")
        exchanges[index].sessionID = frame.text("session_id")
    }

    private mutating func chunk(_ part: JSONObject, isText: Bool) throws(Fault) {
        let index = try running(part.text("stream_id"))
        let held = isText ? exchanges[index].text.count : exchanges[index].reasoning.count
        let offset = Int(part["offset"]?.int ?? -1)
        try check(offset == held, "a chunk at \(offset) follows \(held)")
        let delta = part.bytes("delta")
        try check(!delta.isEmpty && delta.count <= Limits.chunkBytesMax, "a chunk of \(delta.count) bytes")
        if isText { exchanges[index].text += delta } else { exchanges[index].reasoning += delta }
    }

    private mutating func event(_ frame: Frame) throws(Fault) {
        let index = try running(frame.text("stream_id"))
        let offset = frame.number("offset")
        try check(offset == exchanges[index].text.count, "\(frame.type) at \(offset)")
        exchanges[index].eventCount += 1
    }

    private func running(_ stream: String) throws(Fault) -> Int {
        guard let index = exchanges.firstIndex(where: { $0.streamID == stream }) else {
            throw Fault("a piece of the unknown \(stream)")
        }
        try check(exchanges[index].state == .streaming, "a piece of \(stream), which is \(exchanges[index].state)")
        return index
    }

    private mutating func ended(_ frame: Frame) throws(Fault) {
        let id = frame.text("exchange_id")
        guard let index = exchanges.firstIndex(where: { $0.id == id }) else { throw Fault("the unknown \(id) ends") }
        try check(exchanges[index].state != .ended, "\(id) ends twice")
        let length = frame.number("length")
        try check(
            length == exchanges[index].text.count, "\(id) ends with \(length), not \(exchanges[index].text.count)")
        exchanges[index].state = .ended
        exchanges[index].streamID = frame.text("stream_id")
        exchanges[index].status = frame.text("status")
    }

    /// Forgets what has ended.
    private mutating func clear(_ session: String) {
        exchanges.removeAll { exchange in
            (session.isEmpty || exchange.sessionID == session) && exchange.state == .ended
        }
    }
}
