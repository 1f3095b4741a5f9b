import ChatProtocol
import Wire

/// One entry of a room's log, encoded once as a whole WebSocket frame and shared by all its receivers.
public struct LogEntry: Sendable {
    /// The first position that this entry covers; less than `seq` only where chunks were collapsed.
    let firstSeq: UInt64
    let seq: UInt64
    let content: Content
    /// The whole WebSocket frame; `nil` once trimmed.
    var frame: SharedBytes?
    /// The raw delta of a chunk on its way to a replica, which keeps it in the stream's text instead.
    var delta: [UInt8]
    /// How many frames this would be had no tokens been merged.
    var weight = 1

    /// What is rare and large is boxed, since a log keeps thousands of entries, and nearly all are chunks.
    enum Content: Sendable {
        case chunk(ChunkRecord)
        indirect case streamStarted(StreamID, StreamNames)
        indirect case streamEnded(StreamID, StreamOutcome)
        /// What came before must not be shown to anyone who comes back.
        case historyCleared
        case other
    }

    /// The chunk's record, if this is one.
    var chunk: ChunkRecord? {
        if case .chunk(let record) = content { record } else { nil }
    }
}

/// Which part of a stream a chunk carries. It outlives the chunk's bytes, which can be made again from the text.
struct ChunkRecord: Sendable, Equatable {
    let streamID: StreamID
    let kind: DeltaKind
    /// In bytes of the stream's text (or reasoning).
    let offset: Int
    let length: Int
}

/// What a chunk's delta belongs to: the text or the reasoning of a stream.
typealias DeltaKind = ChunkPart.Kind
