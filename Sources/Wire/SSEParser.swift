/// One event of an event stream.
public struct SSEEvent: Sendable, Equatable {
    /// The `event` field, or `nil` for a plain message.
    public let event: String?
    /// The `data` lines, joined by line feeds.
    public let data: [UInt8]
    /// The last `id` that the stream has given so far.
    public let id: String?

    /// An event of its parts.
    public init(event: String?, data: [UInt8], id: String?) {
        self.event = event
        self.data = data
        self.id = id
    }
}

/// Why an event stream cannot be read on.
public enum SSEError: Error, Equatable, Sendable {
    /// One event, or one line, is larger than allowed.
    case eventTooLarge(bytesMax: Int)
}

/// Reads an event stream however its bytes arrive. An event that the stream's end cuts off is dropped, as it has to be.
///
/// - Source: WHATWG HTML, section 9.2.6.
public struct SSEParser: Sendable {
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    private let eventBytesMax: Int
    private var line: [UInt8] = []
    private var data: [UInt8] = []
    private var event: String?
    private var id: String?
    private var hasData = false
    private var isFirstLine = true
    private var skipsLineFeed = false

    /// A parser at the start of a stream.
    ///
    /// - Parameter eventBytesMax: for the data of an event together with the line that is arriving.
    public init(eventBytesMax: Int = 1 << 20) {
        self.eventBytesMax = eventBytesMax
    }

    /// Reads the next bytes and gives each event that they complete; after an error the stream is lost.
    public mutating func receive(_ bytes: UnsafeRawBufferPointer, _ sink: (SSEEvent) -> Void) throws(SSEError) {
        var rest = bytes
        while !rest.isEmpty {
            if skipsLineFeed {
                skipsLineFeed = false
                if rest[0] == 0x0A { _ = rest.take(1) }
            }
            let lineEnd = rest.firstIndex { $0 == 0x0A || $0 == 0x0D }
            let piece = rest.take(lineEnd ?? rest.count)
            guard data.count + line.count + piece.count <= eventBytesMax else {
                throw .eventTooLarge(bytesMax: eventBytesMax)
            }
            line.append(contentsOf: piece)
            guard lineEnd != nil else { return }
            skipsLineFeed = rest.take(1)[0] == 0x0D
            endLine(sink)
        }
    }

    /// Reads the next bytes and gives each event that they complete; after an error the stream is lost.
    public mutating func receive(_ bytes: [UInt8], _ sink: (SSEEvent) -> Void) throws(SSEError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(SSEError) in
            try receive(UnsafeRawBufferPointer(buffer), sink)
        }
    }

    private mutating func endLine(_ sink: (SSEEvent) -> Void) {
        var content = line[...]
        line = []
        if isFirstLine, content.starts(with: Self.byteOrderMark) { content = content.dropFirst(3) }
        isFirstLine = false
        if content.isEmpty {
            endEvent(sink)
        } else {
            field(content)
        }
    }

    private mutating func field(_ line: ArraySlice<UInt8>) {
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self).exact {
        case "data":
            if hasData { data.append(0x0A) }
            hasData = true
            data.append(contentsOf: value)
        case "event":
            event = value.isEmpty ? nil : String(decoding: value, as: UTF8.self)
        case "id":
            // A NUL would break off the header in which the id goes back.
            if !value.contains(0) { id = value.isEmpty ? nil : String(decoding: value, as: UTF8.self) }
        default:
            break  // Comments (no name), `retry` (we have our own policy) and unknown fields are ignored.
        }
    }

    private mutating func endEvent(_ sink: (SSEEvent) -> Void) {
        if hasData { sink(SSEEvent(event: event, data: data, id: id)) }
        event = nil
        data = []
        hasData = false
    }
}
