import Wire

/// A JSON document on its way out in pieces. Its long texts are held as they are and escaped as the pieces are made, so
/// that neither its memory nor the time of one piece follows from what a text consists of.
struct JSONPieces {
    /// So much of a text is escaped at a time; a control character becomes six bytes.
    static let stepBytes = 16 * 1024
    /// A text that is longer is held.
    static let longBytes = 256

    private enum Part {
        case json([UInt8])
        /// The inside of a string.
        case text([UInt8])

        var count: Int {
            switch self {
            case .json(let bytes), .text(let bytes): bytes.count
            }
        }
    }

    /// Writes what is short.
    var writer = JSONWriter(capacity: 0)
    private var parts: [Part] = []
    private var next = 0
    /// How much of the next part has left.
    private var taken = 0
    private var partBytes = 0

    /// What it takes of memory.
    var heldBytes: Int { partBytes + writer.bytes.count }

    /// Writes a string that may be long.
    mutating func string(_ text: String) {
        guard text.utf8.count > Self.longBytes else { return writer.string(text) }
        // The writer sets comma and quotes; the text goes between the two.
        writer.string("")
        var before = writer.take()
        let quote = before.removeLast()
        add(.json(before))
        add(.text(Array(text.utf8)))
        add(.json([quote]))
    }

    /// The next bytes of the document: at least as many as wanted, and at most a step's worth more; fewer only at its
    /// end so far.
    mutating func take(_ wanted: Int) -> [UInt8] {
        add(.json(writer.take()))
        var piece: [UInt8] = []
        while piece.count < wanted, next < parts.count {
            switch parts[next] {
            case .json(let bytes):
                piece += bytes
                advance(by: bytes.count, of: bytes.count)
            case .text(let bytes):
                let step = min(Self.stepBytes, bytes.count - taken)
                bytes.withUnsafeBytes { whole in
                    JSONWriter.escape(UnsafeRawBufferPointer(rebasing: whole[taken..<taken + step]), into: &piece)
                }
                advance(by: step, of: bytes.count)
            }
        }
        return piece
    }

    private mutating func add(_ part: Part) {
        guard part.count > 0 else { return }
        parts.append(part)
        partBytes += part.count
    }

    private mutating func advance(by step: Int, of count: Int) {
        taken += step
        guard taken == count else { return }
        partBytes -= count
        taken = 0
        parts[next] = .json([])
        next += 1
        if next == parts.count { (parts, next) = ([], 0) }
    }
}
