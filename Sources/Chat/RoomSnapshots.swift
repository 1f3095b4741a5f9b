// Snapshots: all that a newcomer needs of a room, as one `joined` frame of bounded size and what follows it.
//
// Of the answers that run or wait as much stands in the frame as fits; the rest, the catch-up, follows as the frames
// that the newcomer would have got, had it been there from the start. Each of them takes one position of the log: the
// frame says that it is so many positions before the log's end. That many are there, since each message, event and 16
// KiB of text was an entry of its own. But they are not the entries that once had these positions, so the frame names
// an epoch of its own, `<epoch>.<end>`: who comes back from before that end gets a snapshot again.
//
// Invariant: a catch-up has at most as many frames as the log has positions.

import ChatProtocol
import Wire

/// What follows a `joined` frame that had no room for it. Shared by all who join at its position.
public final class CatchUp: Sendable {
    enum Item {
        /// A whole frame.
        case frame(SharedBytes)
        /// A piece of a stream's text, which each replica has.
        case text(ChunkRecord)
    }

    /// The position that the first item follows.
    let start: UInt64
    let items: [Item]
    /// The position of the last item, where the log goes on.
    var end: UInt64 { start + UInt64(items.count) }

    init(start: UInt64, items: [Item]) {
        self.start = start
        self.items = items
    }
}

/// Counts what sockets have not read of snapshots, as long as anything refers to it: shared bytes once.
public final class HeldBytes: Sendable {
    private let gauges: NodeGauges
    private let count: Int

    init(_ count: Int, in gauges: NodeGauges) {
        self.gauges = gauges
        self.count = count
        gauges.hold(count)
    }

    deinit { gauges.release(count) }
}

/// A snapshot's encoding, used again for a second while the tail still reaches it.
struct Snapshot {
    let body: SharedBytes
    let catchUp: CatchUp?
    let held: HeldBytes
    /// Of the log behind the catch-up.
    let position: LogPosition
    let madeAt: UInt64
    static let lifetimeNanoseconds: UInt64 = 1_000_000_000

    /// When it is no longer used.
    var endsAt: UInt64 { madeAt + Self.lifetimeNanoseconds }
}

extension Snapshot {
    init(of contents: RoomSnapshot, bytesMax: Int, at instant: UInt64, gauges: NodeGauges) {
        let end = contents.position
        var pieces: [CatchUpPiece] = []
        let body = ServerFrame.joinedBody(contents, bytesMax: bytesMax) { rests in
            pieces = rests.flatMap { $0.pieces(of: contents.streams[$0.number]) }
            assert(pieces.count <= end.seq)
            guard !pieces.isEmpty else { return end }
            return LogPosition(epoch: "\(end.epoch).\(end.seq)", seq: end.seq - UInt64(pieces.count))
        }
        let start = end.seq - UInt64(pieces.count)
        let items = pieces.enumerated().map { number, piece in
            piece.item(roomID: contents.room.roomID, seq: start + UInt64(number) + 1)
        }
        let frames = items.reduce(0) { bytes, item in
            if case .frame(let frame) = item { bytes + frame.count } else { bytes }
        }
        self.body = SharedBytes(body)
        catchUp = items.isEmpty ? nil : CatchUp(start: start, items: items)
        held = HeldBytes(body.count + frames, in: gauges)
        position = end
        madeAt = instant
    }

    /// The log position that a client means by the one it has, which may be of a snapshot's own epoch.
    static func position(_ client: LogPosition, in log: RoomLog) -> LogPosition? {
        if client.epoch.utf8.elementsEqual(log.epoch.utf8) { return client }
        let prefix = Array(log.epoch.utf8) + [UInt8(ascii: ".")]
        guard client.epoch.utf8.starts(with: prefix),
            let end = UInt64(String(decoding: client.epoch.utf8.dropFirst(prefix.count), as: UTF8.self)),
            client.seq >= end
        else { return nil }
        return LogPosition(epoch: log.epoch, seq: client.seq)
    }
}

/// One frame of a catch-up, before its position is known.
private enum CatchUpPiece {
    case message(MessageRecord, StreamSnapshot)
    case started(StreamSnapshot)
    case text(ChunkRecord)
    case event(JSONObject, StreamSnapshot)

    func item(roomID: RoomID, seq: UInt64) -> CatchUp.Item {
        switch self {
        case .text(let record): return .text(record)
        case .message(let message, let stream):
            return .frame(
                .textFrame(
                    ServerFrame.message(
                        roomID: roomID, seq: seq, exchangeID: stream.exchangeID, regenerateOf: stream.regenerateOf,
                        message)))
        case .started(let stream):
            return .frame(
                .textFrame(
                    ServerFrame.streamStarted(
                        roomID: roomID, seq: seq, streamID: stream.streamID, exchangeID: stream.exchangeID,
                        sessionID: stream.sessionID, agentType: stream.agentType, regenerateOf: stream.regenerateOf,
                        startedAt: stream.startedAt)))
        case .event(let event, let stream):
            var fields = event
            fields["type"] = nil
            fields["offset"] = nil
            return .frame(
                .textFrame(
                    ServerFrame.event(
                        kind: event["type"]?.string ?? "", roomID: roomID, seq: seq, streamID: stream.streamID,
                        offset: Int(event["offset"]?.int ?? 0), fields: fields)))
        }
    }
}

extension StreamRest {
    /// What is to follow of a stream, in an order in which it could have happened.
    fileprivate func pieces(of stream: StreamSnapshot) -> [CatchUpPiece] {
        var pieces: [CatchUpPiece] = []
        if isLeftOut {
            pieces = stream.messages.map { .message($0, stream) }
            if stream.isStreaming { pieces.append(.started(stream)) }
        }
        pieces += Self.texts(of: stream, .reasoning, stream.reasoning, reasoningFrom..<stream.reasoning.count)
        var offset = textFrom
        for event in isLeftOut ? stream.events.compactMap(\.object) : [] {
            let place = Int(event["offset"]?.int ?? 0)
            pieces += Self.texts(of: stream, .text, stream.text, offset..<max(offset, place))
            pieces.append(.event(event, stream))
            offset = max(offset, place)
        }
        return pieces + Self.texts(of: stream, .text, stream.text, offset..<stream.text.count)
    }

    private static func texts(
        of stream: StreamSnapshot, _ kind: DeltaKind, _ text: [UInt8], _ range: Range<Int>
    ) -> [CatchUpPiece] {
        var rest = text[range]
        var pieces: [CatchUpPiece] = []
        while !rest.isEmpty {
            let piece = rest.wholeScalars(atMost: Limits.chunkBytesMax)
            pieces.append(
                .text(
                    ChunkRecord(streamID: stream.streamID, kind: kind, offset: piece.startIndex, length: piece.count)))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}
