import ChatProtocol
import Wire

/// The watchers of one room, and how much of the stream each of them has.
///
/// How it works: the watchers of a room get the same bytes, so a chunk is parsed and compared with the script for the
/// first watcher that gets it, and for the others it is compared with that frame. What is left for each watcher is to
/// check that the chunk follows what the watcher has, by offset and by log position. So the load test stays cheaper
/// than what it measures, and still checks every byte.
///
/// Confined to the main thread. Invariant: `complete` is the least number of tokens that a watcher has.
final class Audience {
    private final class Watcher {
        let socket: WebSocketClient
        /// Bytes of the stream's text.
        var textBytes = 0
        /// The position in the room's log.
        var seq: UInt64 = 0
        var stage = Stage.away

        init(_ socket: WebSocketClient) { self.socket = socket }
    }

    enum Stage: Hashable {
        case away, joined, streaming, ended
    }

    private struct Chunk {
        let frame: [UInt8]
        let firstSeq: UInt64
        let seq: UInt64
        let textBytes: Int
    }

    /// Tokens that all watchers have.
    private(set) var complete = 0
    var count: Int { watchers.count }
    private let driver: Driver
    private var watchers: [Watcher] = []
    /// By the number of the token that they begin with.
    private var chunks: [Chunk?] = []
    /// How many watchers have each token.
    private var holders: [Int] = []

    /// Connects so many watchers; `path` gets the number of each.
    init(_ driver: Driver, count: Int, port: UInt16, path: (Int) -> String) throws(Failure) {
        self.driver = driver
        for index in 0..<count {
            let watcher = Watcher(try WebSocketClient(driver, port: port, path: path(index)))
            watcher.socket.received = { [unowned self, unowned watcher] in received($0, watcher) }
            watchers.append(watcher)
        }
        try driver.run("\(count) watchers to connect") { [self] in watchers.allSatisfy(\.socket.isOpen) }
    }

    /// Forgets the last stream.
    func reset(to stage: Stage) {
        (chunks, holders, complete) = ([], [], 0)
        for watcher in watchers { (watcher.textBytes, watcher.seq, watcher.stage) = (0, 0, stage) }
    }

    func send(_ frames: [[UInt8]]) {
        for watcher in watchers { watcher.socket.send(frames) }
    }

    func areAll(_ stage: Stage) -> Bool { watchers.allSatisfy { $0.stage == stage } }

    /// Keeps so many tokens in flight for a while, and waits until every watcher has all of them.
    ///
    /// - Parameter release: sends tokens on their way, by their numbers.
    func listen(
        window: Int, seconds: Double, to server: ServerProcess, _ release: @escaping (Range<Int>) -> Void
    ) throws(Failure) -> (cost: ChunkCost, tokens: Int) {
        let loop = driver.loop
        let end = loop.readClock() + UInt64(seconds * 1e9)
        var released = 0
        let stopwatch = Stopwatch(server)
        driver.afterTurn = { [unowned self] in
            let next = min(complete + window, Script.tokensMax)
            guard loop.now < end, released < next else { return }
            release(released..<next)
            released = next
        }
        defer { driver.afterTurn = {} }
        try driver.run("\(count) watchers to get every token", within: seconds + 20) { [unowned self] in
            complete == released && (loop.now >= end || released == Script.tokensMax)
        }
        let effort = stopwatch.effort
        guard released > 0 else { throw Failure("no token was streamed") }
        return (ChunkCost(deliveries: released * count, effort: effort), released)
    }

    // MARK: - What arrives

    private func received(_ frame: [UInt8], _ watcher: Watcher) {  // HOT
        let index = watcher.textBytes / Script.tokenBytes
        if index < chunks.count, let known = chunks[index], known.frame == frame {
            return take(known, watcher)
        }
        guard let object = try? JSONValue(parsing: frame).object, let type = object["type"]?.string else {
            return driver.fail("a frame is not a JSON object with a type")
        }
        let seq = object["seq"]?.int.map(UInt64.init(clamping:)) ?? 0
        switch type {
        case "chunk": takeNew(frame, object, seq, watcher)
        case "joined": (watcher.stage, watcher.seq) = (.joined, seq)
        case "message": watcher.seq = seq
        case "stream-started": (watcher.stage, watcher.seq) = (.streaming, seq)
        case "stream-ended":
            guard object["length"]?.int == Int64(watcher.textBytes), object["status"] == "completed" else {
                return driver.fail("a stream ended with another length than its watcher has, or not well")
            }
            watcher.stage = .ended
        // States of the room, which stand outside its log, come as they change.
        case "welcome", "ack", "presence", "typing", "read": break
        default: driver.fail("a watcher got: \(String(decoding: frame, as: UTF8.self))")
        }
    }

    private func takeNew(_ frame: [UInt8], _ object: JSONObject, _ seq: UInt64, _ watcher: Watcher) {
        guard let delta = object["delta"]?.string, let offset = object["offset"]?.int,
            offset == Int64(watcher.textBytes), Script.matches(delta.utf8, at: watcher.textBytes)
        else { return driver.fail("a watcher got another text at offset \(watcher.textBytes)") }
        let firstSeq = object["first_seq"]?.int.map(UInt64.init(clamping:)) ?? seq
        let chunk = Chunk(frame: frame, firstSeq: firstSeq, seq: seq, textBytes: delta.utf8.count)
        let index = watcher.textBytes / Script.tokenBytes
        let last = index + chunk.textBytes / Script.tokenBytes
        while chunks.count < last { chunks.append(nil) }
        while holders.count < last { holders.append(0) }
        chunks[index] = chunk
        take(chunk, watcher)
    }

    private func take(_ chunk: Chunk, _ watcher: Watcher) {
        guard chunk.firstSeq == watcher.seq + 1 else {
            return driver.fail("a watcher's log has a gap: \(watcher.seq) is followed by \(chunk.firstSeq)")
        }
        watcher.seq = chunk.seq
        let first = watcher.textBytes / Script.tokenBytes
        watcher.textBytes += chunk.textBytes
        for index in first..<watcher.textBytes / Script.tokenBytes { holders[index] += 1 }
        while complete < holders.count, holders[complete] == count { complete += 1 }
    }
}
