import ChatProtocol
import Wire

/// One user with one socket, who watches one room. Confined to the main thread.
///
/// How it works: what matters of each frame is its place in the log and its piece of a stream's text. A frame that
/// another watcher got before is compared with it, byte for byte; any other is parsed, and its text compared with the
/// script's (`Watcher+Frames`). Either way each piece must begin where this watcher's text ends, and each frame where
/// its log ends. So every watcher's text is checked as it grows, at the price of one comparison.
///
/// Invariant: `current` is not among `others`.
final class Watcher: Client {
    enum Stage {
        case away, welcome, joined
    }

    let user: String
    /// Tells the hub who it is, instead of its name.
    var token: String?
    /// Where frames of a room go; set before it joins.
    var room: Room! {
        didSet { tally = room.tally }
    }
    /// Where its tokens count; slow readers have one of their own.
    private(set) var tally: Tally!
    var stage = Stage.away
    /// The place in the room's log.
    var seq: UInt64 = 0
    var epoch = ""
    /// The stream that was read last, and how much of its text this watcher has.
    var current: Exchange?
    var textBytes = 0
    /// Further running streams.
    var others: [(exchange: Exchange, textBytes: Int)] = []
    /// Snapshots that came unasked, since it fell behind.
    var snapshots = 0
    /// When it joined, the last time; what was said before counts in no latency.
    var joinedAt: UInt64 = 0
    /// When the last token came since then.
    var lastTokenAt: UInt64?
    /// Called when the hub has let it in.
    var welcomed: (() -> Void)?
    /// Called when the connection ended; without it, the run fails.
    var lost: ((Ending) -> Void)?
    /// Called when an answer has ended for this watcher.
    var ends: ((Exchange) -> Void)?
    /// The hub's limits, as its `welcome` tells them.
    var limits = JSONObject()

    var answers: [String: (Result<JSONObject, Refusal>) -> Void] = [:]
    private var requests = 0

    var runningCount: Int { others.count + (current == nil ? 0 : 1) }

    init(_ engine: Engine, user: String) {
        self.user = user
        super.init(engine)
    }

    override func received(_ text: UnsafeRawBufferPointer) {  // HOT
        guard let room, let known = room.frames.find(text, at: seq + 1) else { return parse(text) }
        guard known.exchange === current, known.offset == textBytes else {
            return take(known.exchange, at: known.offset, known.count, known.tokens, to: known.seq)
        }
        tally.frames &+= 1
        (seq, textBytes) = (known.seq, known.offset + known.count)
        deliver(known.exchange, known.tokens)
    }

    override func ended(_ ending: Ending) {
        stage = .away
        answers = [:]
        if let lost { lost(ending) } else { engine.fail("\(user) lost its connection: \(ending)") }
    }

    /// A piece of text that continues a stream, at the end of a frame or within it.
    func take(_ exchange: Exchange, at offset: Int, _ count: Int, _ tokens: Range<Int>, to seq: UInt64) {
        guard turn(to: exchange) else { return wrong("a piece of a stream that does not run", exchange, at: offset) }
        guard offset == textBytes else {
            return wrong("a piece from \(offset) on, where the text ends at \(textBytes)", exchange, at: textBytes)
        }
        textBytes += count
        self.seq = seq
        deliver(exchange, tokens)
    }

    private func deliver(_ exchange: Exchange, _ tokens: Range<Int>) {  // HOT
        guard !tokens.isEmpty else { return }
        let now = engine.now
        exchange.hold(tokens)
        tally.delivered(tokens, of: exchange, at: now, after: lastTokenAt, joinedAt: joinedAt)
        lastTokenAt = now
    }

    /// Its tokens count elsewhere.
    func count(in tally: Tally) { self.tally = tally }

    /// Ends the connection; what it has of the room stays for its return.
    func leave(resets: Bool = false) {
        close(resets: resets)
        stage = .away
        answers = [:]
    }

    // MARK: - Streams

    /// How much of an exchange's text it has.
    func has(of exchange: Exchange) -> Int {
        if current === exchange { return textBytes }
        if let end = exchange.endSeq, end <= seq { return exchange.text.count }
        return others.first { $0.exchange === exchange }?.textBytes ?? 0
    }

    /// Makes a running stream the current one.
    func turn(to exchange: Exchange) -> Bool {
        if current === exchange { return true }
        guard let index = others.firstIndex(where: { $0.exchange === exchange }) else { return false }
        let next = others.remove(at: index)
        if let current { others.append((current, textBytes)) }
        (current, textBytes) = (next.exchange, next.textBytes)
        return true
    }

    func begin(_ exchange: Exchange, textBytes: Int = 0) {
        if let current { others.append((current, self.textBytes)) }
        (current, self.textBytes) = (exchange, textBytes)
        if textBytes == 0 { lastTokenAt = nil }
    }

    func finish(_ exchange: Exchange) {
        guard turn(to: exchange) else { return }
        let next = others.popLast()
        (current, textBytes) = (next?.exchange, next?.textBytes ?? 0)
    }

    /// The watcher got what it should not have got.
    func wrong(_ what: String, _ exchange: Exchange? = nil, at offset: Int? = nil) {
        guard let room else { return engine.fail("\(user): \(what)") }
        room.mismatch("\(user): \(what)", exchange, at: offset)
    }

    // MARK: - Requests

    /// Sends a frame with an id, and calls back with its answer.
    func ask(_ type: StaticString, _ fields: JSONObject, then: @escaping (Result<JSONObject, Refusal>) -> Void) {
        requests += 1
        let id = String(requests)
        answers[id] = then
        send(Self.frame(type, fields, id: id))
    }

    /// Sends a frame whose refusal ends the run.
    func demand(_ type: StaticString, _ fields: JSONObject, then: @escaping (JSONObject) -> Void = { _ in }) {
        ask(type, fields) { [unowned self] answer in
            switch answer {
            case .success(let ack): then(ack)
            case .failure(let refusal): engine.fail("\(user): \(type) was refused: \(refusal.text)")
            }
        }
    }

    static func frame(_ type: StaticString, _ fields: JSONObject, id: String? = nil) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("type", "\(type)")
        writer.field("id", id)
        for (name, value) in fields.members {
            writer.key(name)
            writer.value(value)
        }
        writer.endObject()
        return writer.bytes
    }
}

/// An `error` that answered a request.
struct Refusal: Error {
    let code: String
    let message: String
    let retryAfterMilliseconds: Int64?

    var text: String { "\(code): \(message)" }

    /// Whether the hub has too much to do; the same request is right at another time.
    var isForLoad: Bool {
        let codes = [
            "RATE_LIMIT_EXCEEDED", "QUEUE_FULL", "STREAM_LIMIT_EXCEEDED", "BUSY", "CAPACITY_EXCEEDED",
            "STORAGE_UNAVAILABLE",
        ]
        return codes.contains(code)
    }
}
