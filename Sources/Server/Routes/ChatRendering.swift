import ChatProtocol
import Wire

/// How `/api/chat/message` and `/api/chat/stream` are answered.
enum ChatRendering {
    /// The head of an event stream; nothing between the hub and the reader may hold it back, keep it or change it.
    static let eventStream = HTTPResponseHead(
        status: 200,
        headers: [
            "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform",
            "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
        ])

    /// Nothing runs, or it was read to its end: this status keeps an `EventSource` from asking again.
    static let nothingToStream = HTTPResponse(status: 204, headers: ["Cache-Control": "no-store"])

    /// An exchange that ended, for a client that waited for the whole answer.
    ///
    /// A cancelled answer is what its client asked for. One that failed is an error, and what it had said until then
    /// is in the history.
    static func json(_ exchange: ExchangeRecord, at now: Timestamp, path: String) -> HTTPResponse {
        switch exchange.status {
        case .completed: answer(exchange, "Message processed successfully", at: now)
        case .cancelled: answer(exchange, "Message cancelled", at: now)
        case .failed: Envelope.refusal(.hub(failure(exchange.error)), at: now, path: path)
        case .interrupted:
            Envelope.refusal(.hub(HubError(.draining, "The hub stopped before the answer ended.")), at: now, path: path)
        case .waiting, .streaming:
            // It has ended, or nobody would ask; but the store did not take its end.
            Envelope.refusal(
                .hub(HubError(.storageUnavailable, "The answer's end is not stored.")), at: now, path: path)
        }
    }

    private static func failure(_ error: StreamError?) -> HubError {
        HubError(error?.code ?? .agentFailed, error?.message ?? "The agent failed.")
    }

    private static func answer(_ exchange: ExchangeRecord, _ message: String, at now: Timestamp) -> HTTPResponse {
        Envelope.success(message: message, at: now) { writer in
            writer.beginObject()
            writer.field("session_id", exchange.sessionID.text)
            writer.field("room_id", exchange.roomID.text)
            writer.field("exchange_id", exchange.exchangeID.text)
            writer.field("stream_id", exchange.streamID.text)
            writer.field("agent_type", exchange.agentType)
            writer.field("status", exchange.status.rawValue)
            writer.field("response", exchange.text)
            writer.key("usage")
            if let usage = exchange.usage { writer.usage(usage) } else { writer.null() }
            writer.endObject()
        }
    }
}
