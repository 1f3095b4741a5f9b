import Wire

/// The events of a stream over HTTP (WHATWG event stream, seed 001): one `data:` line each with an `id:` before it.
public enum StreamEvent {
    /// Before all events: who loses its connection comes back after a second, as after a WebSocket's `draining`, and
    /// not after the three or five that browsers take by themselves.
    public static let retry = Array("retry: 1000\n\n".utf8)

    /// A piece of the answer: `{"status":"streaming","content":…}`.
    public static func content(_ delta: ArraySlice<UInt8>, at position: LogPosition) -> [UInt8] {
        event(at: position, capacity: delta.count + delta.count / 8 + 128) { writer in
            writer.field("status", "streaming")
            writer.key("content")
            writer.string(utf8: delta)
        }
    }

    /// The first event: the stream's names, and all of the answer that is there, in one with them: a reader that is cut
    /// off behind the first event has seen what its position says.
    ///
    /// - Parameter isNamed: the `id` names the stream, because the position alone does not tell it.
    public static func began(
        _ names: StreamNames, _ text: ArraySlice<UInt8>, at position: LogPosition, isNamed: Bool = false
    ) -> [UInt8] {
        let name = isNamed ? "/\(names.streamID.text)" : ""
        return event(at: position, naming: name, capacity: text.count + text.count / 8 + 512) { writer in
            writer.field("status", "streaming")
            writer.key("content")
            writer.string(utf8: text)
            writer.field("session_id", names.sessionID.text)
            writer.field("room_id", names.roomID.text)
            writer.field("exchange_id", names.exchangeID.text)
            writer.field("stream_id", names.streamID.text)
            writer.field("agent_type", names.agentType)
        }
    }

    /// The last event: `completed`, `cancelled`, or `error` with its code.
    ///
    /// Its `id` names no stream but `ended`, so who comes back behind it is told that there is nothing left, even where
    /// the position lies within another answer: one that was cancelled before its turn ends while another runs.
    public static func ended(_ outcome: StreamOutcome, at position: LogPosition) -> [UInt8] {
        event(at: position, naming: "/ended") { writer in
            switch outcome.status {
            case .completed, .waiting, .streaming: writer.field("status", "completed")
            case .cancelled: writer.field("status", "cancelled")
            case .failed, .interrupted:
                writer.field("status", "error")
                writer.field("error", outcome.error?.message ?? "the answer was interrupted")
                writer.field("error_code", outcome.error?.code.rawValue ?? "INTERRUPTED")
            }
            writer.field("finish_reason", outcome.finishReason)
        }
    }

    /// The last event for a reader that cannot be served without a hole or a repetition.
    public static func lost(at position: LogPosition) -> [UInt8] {
        event(at: position, naming: "/ended") { writer in
            writer.field("status", "error")
            writer.field("error", "the place in the answer is lost; read the history")
            writer.field("error_code", "POSITION_LOST")
        }
    }

    /// The last event for a reader whose membership of the room has ended.
    public static func removed(at position: LogPosition) -> [UInt8] {
        event(at: position, naming: "/ended") { writer in
            writer.field("status", "error")
            writer.field("error", "you are no longer a member of this room")
            writer.field("error_code", ErrorCode.accessDenied.rawValue)
        }
    }

    /// A line that keeps the connection alive and means nothing.
    public static func comment(_ word: StaticString) -> [UInt8] { Array(": \(word)\n\n".utf8) }

    /// No event: the answer waits. Its `id` names the stream behind the position, where another may run; a reader that
    /// comes back gets this very answer, whatever became of it meanwhile, and is never taken for one that asks anew.
    public static func waiting(_ streamID: StreamID, at position: LogPosition) -> [UInt8] {
        Array(": waiting\nid: \(position.epoch):\(position.seq)/\(streamID.text)\n\n".utf8)
    }

    private static func event(
        at position: LogPosition, naming stream: String = "", capacity: Int = 256,
        members: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        writer.beginObject()
        members(&writer)
        writer.endObject()
        return Array("id: \(position.epoch):\(position.seq)\(stream)\ndata: ".utf8) + writer.bytes + Array("\n\n".utf8)
    }
}
