import ChatProtocol
import Testing
import Wire

@testable import loadtest

/// A room with two watchers who have joined at position 0, and the log of one answer of four tokens, of 20 bytes each.
struct Play {
    static let room = RoomID("room_1")
    static let stream = StreamID("stream_1")
    static let exchangeID = ExchangeID("exchange_1")

    let engine: Engine
    let tally = Tally(readsStamps: true)
    let room: Room
    let watchers: [Watcher]
    let exchange: Exchange
    let text: [UInt8]
    /// When the agent said the tokens: half as long ago as the clock, which begins at a machine's start, can say.
    let saidAt: UInt64

    init() throws(Failure) {
        engine = try Engine()
        room = Room(Self.room.text, engine, tally, watchers: 2)
        watchers = [Watcher(engine, user: "first"), Watcher(engine, user: "second")]
        for watcher in watchers {
            room.add(watcher)
            watcher.stage = .joined
        }
        var script = SyntheticScript()
        (script.tokens, script.tokenBytes) = (4, 20)
        exchange = room.addExchange(script, messageID: "message_1", sentAt: engine.now)
        exchange.isAcknowledged = true
        let source = SyntheticText(seed: script.seed)
        var text = [UInt8](repeating: 0, count: 80)
        let saidAt = engine.now / 2
        text.withUnsafeMutableBytes { bytes in
            for number in 0..<4 {
                source.write(number, stamp: saidAt, into: .init(rebasing: bytes[number * 20..<number * 20 + 20]))
            }
        }
        (self.text, self.saidAt) = (text, saidAt)
    }

    // MARK: - Frames

    var message: [UInt8] { message(text: exchange.messageText, seq: 1) }

    func message(text: String, seq: UInt64) -> [UInt8] {
        ServerFrame.message(
            roomID: Self.room, seq: seq, exchangeID: Self.exchangeID,
            MessageRecord(
                messageID: "message_1", userID: UserID("first"), role: .user, text: text,
                timestamp: Timestamp(milliseconds: 0)))
    }

    var started: [UInt8] {
        ServerFrame.streamStarted(
            roomID: Self.room, seq: 2, streamID: Self.stream, exchangeID: Self.exchangeID,
            sessionID: SessionID("session_1"), agentType: "synthetic", startedAt: Timestamp(milliseconds: 0))
    }

    /// - Parameter seq: the last position.
    func chunk(tokens: Range<Int>, seq: UInt64, of text: [UInt8]? = nil) -> [UInt8] {
        let delta = (text ?? self.text)[tokens.lowerBound * 20..<tokens.upperBound * 20]
        return delta.withUnsafeBytes {
            ServerFrame.chunk(
                roomID: Self.room, firstSeq: seq + 1 - UInt64(tokens.count), seq: seq, streamID: Self.stream,
                offset: tokens.lowerBound * 20, delta: $0)
        }
    }

    func end(_ status: String, length: Int, seq: UInt64) -> [UInt8] {
        ServerFrame.streamEnded(
            roomID: Self.room, seq: seq, streamID: Self.stream, exchangeID: Self.exchangeID,
            outcome: StreamOutcome(status: ExchangeStatus(rawValue: status)!, endedAt: Timestamp(milliseconds: 0)),
            length: length)
    }

    var ended: [UInt8] { end("completed", length: 80, seq: 7) }

    /// Seven entries: message, start, a chunk for each token, end.
    var log: [[UInt8]] {
        [message, started] + (0..<4).map { chunk(tokens: $0..<$0 + 1, seq: UInt64($0 + 3)) } + [ended]
    }

    /// Unsolicited, with the answer as far as it had come.
    func snapshot(text: ArraySlice<UInt8>, seq: Int) -> [UInt8] {
        let stored: JSONValue = ["message_id": "message_1", "text": .string(exchange.messageText)]
        let stream: JSONValue = [
            "stream_id": .string(Self.stream.text), "exchange_id": .string(Self.exchangeID.text), "state": "streaming",
            "messages": [stored], "text": .string(String(decoding: text, as: UTF8.self)),
        ]
        let frame: JSONValue = [
            "type": "joined", "room_id": .string(Self.room.text), "epoch": "later", "seq": .int(Int64(seq)),
            "recovered": false, "history": [], "streams": [stream],
        ]
        return frame.compact
    }

    // MARK: - Watching

    func feed(_ frames: [[UInt8]], to watcher: Watcher) {
        for frame in frames { frame.withUnsafeBytes { watcher.received($0) } }
    }

    func expectNothingWrong(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try engine.run("nothing", within: 1) { true }
        #expect(tally.checks.allSatisfy { $0.mismatchCount == 0 }, sourceLocation: sourceLocation)
    }

    func expect(_ reason: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let failure = #expect(throws: Failure.self, sourceLocation: sourceLocation) {
            try engine.run("nothing", within: 1) { true }
        }
        #expect(failure?.reason.contains(reason) == true, "\(failure?.reason ?? "")", sourceLocation: sourceLocation)
    }
}
