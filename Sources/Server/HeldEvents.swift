import Wire

/// What arrived on a WebSocket while the hub had enough to do, in order. Confined to its loop.
struct HeldEvents {
    /// What an event takes beside its payload: a message of one byte is an array of its own.
    static let overheadBytes = 64

    private var events: [WebSocketEvent] = []
    private var taken = 0
    private(set) var heldBytes = 0

    var isEmpty: Bool { events.isEmpty }

    mutating func append(_ event: WebSocketEvent) {
        heldBytes += event.heldBytes
        events.append(event)
    }

    /// The oldest; what is behind it stays where it is.
    mutating func popFirst() -> WebSocketEvent? {
        guard !events.isEmpty else { return nil }
        // Its payload is let go of with it.
        var event = WebSocketEvent.pong([])
        swap(&event, &events[taken])
        taken += 1
        heldBytes -= event.heldBytes
        if taken == events.count { self = HeldEvents() }
        return event
    }
}

extension WebSocketEvent {
    fileprivate var heldBytes: Int {
        switch self {
        case .text(let bytes), .binary(let bytes), .ping(let bytes), .pong(let bytes), .close(_, let bytes):
            HeldEvents.overheadBytes + bytes.count
        }
    }
}
