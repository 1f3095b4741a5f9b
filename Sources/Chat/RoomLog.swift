// A room's log: the tail of its encoded entries, and the texts of the streams that those entries grew.
//
// Entries are appended at the end and only ever taken from the front. When the tail's bytes exceed their limit, the
// bytes of chunks are freed first, oldest first; the record stays, and with it the stream's text, so a cursor behind
// freed bytes is still served: its chunks are cut from the text again. Only when records are too many, or the bytes of
// other entries exceed the limit alone, does the front of the log go; a cursor before `base` needs a snapshot.
//
// Invariant: entries cover base+1 … seq without a hole, and every chunk's range lies within its stream's text.

import ChatProtocol
import Wire

/// The tail of a room's log with the texts of its streams. Confined to its loop.
public final class RoomLog {
    let roomID: RoomID
    let epoch: String
    /// The position of the newest entry.
    private(set) var seq: UInt64
    /// The position before the oldest entry kept.
    private(set) var base: UInt64
    /// Bytes of frames and texts held.
    private(set) var bytes = 0
    /// Bytes of the entries themselves.
    var recordBytes: Int { entries.count * MemoryLayout<LogEntry>.stride }
    private(set) var entries: [LogEntry] = []
    private var streams: [StreamID: StreamText] = [:]
    /// Entries before this index have no chunk bytes left to free.
    private var trimmed = 0
    private var frameBytes = 0
    private var collapsed: [(key: CollapseKey, frame: SharedBytes)] = []
    /// Bytes of the frames that are kept for the next reader in the same state.
    var collapsedBytes: Int { collapsed.reduce(0) { $0 + $1.frame.count } }
    private let bytesMax: Int
    private let recordsMax: Int

    /// An empty log that continues after `position`.
    init(roomID: RoomID, after position: LogPosition, bytesMax: Int, recordsMax: Int = Limits.logRecordsMax) {
        self.roomID = roomID
        epoch = position.epoch
        seq = position.seq
        base = position.seq
        self.bytesMax = bytesMax
        self.recordsMax = recordsMax
    }

    /// Takes over the text of a stream that was running when this replica opened.
    func adopt(_ live: LiveText) {
        let stream = StreamText(startedAt: seq)
        stream.text = live.text
        stream.reasoning = live.reasoning
        streams[live.streamID] = stream
        bytes += live.text.count + live.reasoning.count
    }

    /// Appends the next entry and extends its stream's text.
    func append(_ entry: LogEntry) {
        assert(entry.firstSeq == seq + 1 && entry.seq >= entry.firstSeq)
        var entry = entry
        switch entry.content {
        case .chunk(let record):
            extend(record, by: entry.delta)
            entry.delta = []
        case .streamStarted(let id, _): streams[id] = StreamText(startedAt: entry.seq)
        case .streamEnded(let id, _): streams[id]?.endedAt = entry.seq
        case .historyCleared: drop(entries.count)
        case .other: break
        }
        seq = entry.seq
        hold(entry)
        entries.append(entry)
        trim()
    }

    /// Puts entries before the oldest one, if they connect to it without a hole.
    ///
    /// Collapsed entries that the home made for a resume carry their frame; their texts may be unknown here.
    func prepend(_ missed: [LogEntry]) {
        guard let last = missed.last, last.seq >= base else { return }
        let lacking = missed.prefix { $0.seq <= base }
        guard let first = lacking.first, lacking.last?.seq == base else { return }
        entries.insert(contentsOf: lacking, at: 0)
        lacking.forEach(hold)
        base = first.firstSeq - 1
        trimmed = 0
    }

    /// The index of the entry that follows a position, or `nil` if it is gone or the position is inside an entry.
    func index(after position: UInt64) -> Int? {
        guard position >= base, position <= seq else { return nil }
        // Most readers lack the last entry only.
        if let last = entries.last, last.firstSeq == position + 1 { return entries.count - 1 }
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].seq <= position { low = middle + 1 } else { high = middle }
        }
        guard low == entries.count || entries[low].firstSeq == position + 1 else { return nil }
        return low
    }

    /// The texts of running streams, for a replica that opens.
    func liveTexts(_ running: [StreamID]) -> [LiveText] {
        running.compactMap { id in
            streams[id].map { LiveText(streamID: id, text: $0.text, reasoning: $0.reasoning) }
        }
    }

    /// Entries after one position up to another, for a replica that lacks them; trimmed chunks are made again.
    func entries(after position: UInt64, through last: UInt64) -> [LogEntry]? {
        guard position < last else { return index(after: position).map { _ in [] } }
        guard var index = index(after: position), let end = self.index(after: last) else { return nil }
        var result: [LogEntry] = []
        while index < end {
            if entries[index].frame != nil {
                result.append(entries[index])
                index += 1
                continue
            }
            guard let run = collapse(from: index, to: end) else { return nil }
            let first = entries[index]
            index += run.count
            result.append(
                LogEntry(
                    firstSeq: first.firstSeq, seq: entries[index - 1].seq,
                    content: run.count == 1 ? first.content : .other, frame: run.frame, delta: []))
        }
        return result
    }

    // MARK: - Collapse

    /// Consecutive chunks from an index as one frame of at most 16 KiB of text, ending at an entry's boundary.
    ///
    /// Kept for the next reader in the same state. `nil` if there is no chunk, or its text is not here.
    func collapse(from index: Int, to limit: Int? = nil) -> (frame: SharedBytes, count: Int)? {
        let limit = limit ?? entries.count
        var end = index
        var length = 0
        while end < limit, let record = entries[end].chunk, let text = streams[record.streamID] {
            guard record.offset + record.length <= text.count(of: record.kind) else { break }
            guard end == index || length + record.length <= Limits.chunkBytesMax else { break }
            length += record.length
            end += 1
        }
        guard end > index else { return nil }
        let key = CollapseKey(firstSeq: entries[index].firstSeq, seq: entries[end - 1].seq)
        if let kept = collapsed.first(where: { $0.key == key }) { return (kept.frame, end - index) }
        let frame = encodeCollapsed(entries[index..<end], key)
        keep(frame, key)
        return (frame, end - index)
    }

    /// Nobody reads: what was kept for the next reader goes.
    func forgetCollapsed() { collapsed = [] }

    private func keep(_ frame: SharedBytes, _ key: CollapseKey) {
        if collapsed.count == 8 { collapsed.removeFirst() }
        collapsed.append((key, frame))
    }

    private func encodeCollapsed(_ run: ArraySlice<LogEntry>, _ key: CollapseKey) -> SharedBytes {
        var parts: [ChunkRecord] = []
        for record in run.compactMap(\.chunk) {
            if let last = parts.last, last.streamID == record.streamID, last.kind == record.kind {
                parts[parts.count - 1] = ChunkRecord(
                    streamID: last.streamID, kind: last.kind, offset: last.offset, length: last.length + record.length)
            } else {
                parts.append(record)
            }
        }
        if parts.count == 1 {
            return encodeChunk(parts[0], firstSeq: key.firstSeq, seq: key.seq)
        }
        let pieces = parts.map { part in
            ChunkPart(streamID: part.streamID, kind: part.kind, offset: part.offset, delta: delta(of: part))
        }
        return .textFrame(
            ServerFrame.chunks(roomID: roomID, firstSeq: key.firstSeq, seq: key.seq, parts: pieces))
    }

    /// A piece of a text at a position that is no entry's; `nil` if the text is not here.
    func frame(of record: ChunkRecord, at seq: UInt64) -> SharedBytes? {
        holds(record) ? encodeChunk(record, firstSeq: seq, seq: seq) : nil
    }

    /// Whether a piece of a text is here.
    func holds(_ record: ChunkRecord) -> Bool {
        streams[record.streamID].map { record.offset + record.length <= $0.count(of: record.kind) } ?? false
    }

    private func encodeChunk(_ part: ChunkRecord, firstSeq: UInt64, seq: UInt64) -> SharedBytes {
        delta(of: part).withUnsafeBytes { delta in
            .delta(part, roomID: roomID, firstSeq: firstSeq, seq: seq, delta: delta)
        }
    }

    private func delta(of part: ChunkRecord) -> ArraySlice<UInt8> {
        guard let stream = streams[part.streamID] else { return [] }
        switch part.kind {
        case .text: return stream.text[part.offset..<part.offset + part.length]
        case .reasoning: return stream.reasoning[part.offset..<part.offset + part.length]
        }
    }

    // MARK: - Event streams

    /// What an event stream of one answer reads next.
    enum Events {
        /// Text of so many entries as one event; entries of others between them are passed over.
        case content(SharedBytes, count: Int)
        case ended(SharedBytes)
        /// So many entries mean nothing to it.
        case nothing(count: Int)
        /// The text is not here.
        case lost
    }

    func events(of id: StreamID, from index: Int) -> Events {
        var range: Range<Int>?
        var end = index
        while end < entries.count {
            switch entries[end].content {
            case .chunk(let record) where record.streamID == id && record.kind == .text:
                guard (range?.count ?? 0) + record.length <= Limits.chunkBytesMax || range == nil else {
                    return content(of: id, range, index..<end)
                }
                range = (range?.lowerBound ?? record.offset)..<record.offset + record.length
            case .streamStarted(id, let names):
                let position = LogPosition(epoch: epoch, seq: entries[end].seq)
                return .content(SharedBytes(StreamEvent.began(names, [], at: position)), count: end + 1 - index)
            case .streamEnded(id, let outcome):
                if range != nil { return content(of: id, range, index..<end) }
                let position = LogPosition(epoch: epoch, seq: entries[end].seq)
                return .ended(SharedBytes(StreamEvent.ended(outcome, at: position)))
            case .chunk, .streamStarted, .streamEnded, .historyCleared, .other: break
            }
            end += 1
        }
        return content(of: id, range, index..<end)
    }

    private func content(of id: StreamID, _ range: Range<Int>?, _ run: Range<Int>) -> Events {
        guard let range else { return .nothing(count: run.count) }
        guard let text = streams[id]?.text, range.upperBound <= text.count else { return .lost }
        let key = CollapseKey(
            firstSeq: entries[run.lowerBound].firstSeq, seq: entries[run.upperBound - 1].seq, stream: id)
        if let kept = collapsed.first(where: { $0.key == key }) { return .content(kept.frame, count: run.count) }
        let position = LogPosition(epoch: epoch, seq: key.seq)
        let frame = SharedBytes(StreamEvent.content(text[range], at: position))
        keep(frame, key)
        return .content(frame, count: run.count)
    }

    /// Where in a stream's text a reader stands that has seen everything up to a position; `nil` if that is not known.
    func textOffset(of id: StreamID, after position: UInt64, length: Int) -> Int? {
        guard let index = index(after: position) else { return nil }
        for entry in entries[index...] {
            if let record = entry.chunk, record.streamID == id, record.kind == .text { return record.offset }
        }
        return length
    }

    /// The one of some streams, of which one runs at a time, that had started and not ended at a position.
    func stream(at position: UInt64, of ids: [StreamID]) -> StreamID? {
        ids.first { id in
            streams[id].map { $0.startedAt <= position && position < $0.endedAt ?? .max } ?? false
        }
    }

    /// Where a stream ended, if that is still here.
    func end(of id: StreamID) -> UInt64? { streams[id]?.endedAt }

    // MARK: - Holding and trimming

    private func extend(_ record: ChunkRecord, by delta: [UInt8]) {
        guard let stream = streams[record.streamID] else { return }
        assert(stream.count(of: record.kind) == record.offset)
        switch record.kind {
        case .text: stream.text += delta
        case .reasoning: stream.reasoning += delta
        }
        bytes += delta.count
    }

    private func hold(_ entry: LogEntry) {
        let size = entry.frame?.count ?? 0
        frameBytes += size
        bytes += size
    }

    private func release(_ frame: SharedBytes?) {
        frameBytes -= frame?.count ?? 0
        bytes -= frame?.count ?? 0
    }

    private func trim() {
        while frameBytes > bytesMax, trimmed < entries.count - 1 {
            if entries[trimmed].chunk.map({ streams[$0.streamID] != nil }) ?? false {
                release(entries[trimmed].frame)
                entries[trimmed].frame = nil
            }
            trimmed += 1
        }
        guard entries.count > recordsMax || frameBytes > bytesMax else { return }
        drop()
    }

    /// Drops a sixteenth more than needed, so that moving the rest costs little per entry.
    private func drop() {
        let recordsKept = recordsMax - recordsMax / 16
        let bytesKept = bytesMax - bytesMax / 16
        var bytesLeft = frameBytes
        var count = 0
        while entries.count - count > 1, entries.count - count > recordsKept || bytesLeft > bytesKept {
            bytesLeft -= entries[count].frame?.count ?? 0
            count += 1
        }
        drop(count)
    }

    private func drop(_ count: Int) {
        for entry in entries.prefix(count) { release(entry.frame) }
        if count > 0 { base = entries[count - 1].seq }
        entries.removeFirst(count)
        trimmed = max(0, trimmed - count)
        for (id, stream) in streams where stream.endedAt ?? .max <= base {
            bytes -= stream.text.count + stream.reasoning.count
            streams[id] = nil
        }
    }
}

/// The text of one stream, kept as long as a record of the log points into it. Confined to its loop.
private final class StreamText {
    var text: [UInt8] = []
    var reasoning: [UInt8] = []
    let startedAt: UInt64
    var endedAt: UInt64?

    init(startedAt: UInt64) { self.startedAt = startedAt }

    func count(of kind: DeltaKind) -> Int {
        switch kind {
        case .text: text.count
        case .reasoning: reasoning.count
        }
    }
}

private struct CollapseKey: Equatable {
    let firstSeq: UInt64
    let seq: UInt64
    /// The stream, in the form of an event stream; `nil` for a WebSocket frame.
    var stream: StreamID?
}

extension SharedBytes {
    /// A payload as one whole WebSocket text frame.
    static func textFrame(_ payload: [UInt8]) -> SharedBytes { SharedBytes(WebSocketFrameWriter.frame(text: payload)) }

    /// A `chunk` or `reasoning` frame.
    static func delta(
        _ record: ChunkRecord, roomID: RoomID, firstSeq: UInt64, seq: UInt64, delta: UnsafeRawBufferPointer
    ) -> SharedBytes {
        switch record.kind {
        case .text:
            .textFrame(
                ServerFrame.chunk(
                    roomID: roomID, firstSeq: firstSeq, seq: seq, streamID: record.streamID, offset: record.offset,
                    delta: delta))
        case .reasoning:
            .textFrame(
                ServerFrame.reasoning(
                    roomID: roomID, firstSeq: firstSeq, seq: seq, streamID: record.streamID, offset: record.offset,
                    delta: delta))
        }
    }
}
