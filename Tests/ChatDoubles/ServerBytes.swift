import Chat

/// The one place that knows how the hub's frames look on the wire: RFC 6455 section 5.2, unmasked, in one piece.
enum ServerBytes {
    /// The first byte of a text frame, and of a `Close`.
    static let text: UInt8 = 0x81
    static let close: UInt8 = 0x88

    static func nextFrame(_ bytes: [UInt8], from start: Int) -> (payload: Range<Int>, first: UInt8)? {
        guard bytes.count - start >= 2 else { return nil }
        let short = Int(bytes[start + 1])
        let extended = short == 126 ? 2 : short == 127 ? 8 : 0
        guard bytes.count - start >= 2 + extended else { return nil }
        let digits = bytes[(start + 2)..<(start + 2 + extended)]
        let length = extended == 0 ? short : digits.reduce(0) { $0 << 8 | Int($1) }
        let head = start + 2 + extended
        guard bytes.count >= head + length else { return nil }
        return (head..<head + length, bytes[start])
    }
}

extension WritePlan {
    /// The first bytes of a planned write, as a socket takes them.
    func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for span in spans where bytes.count < count {
            bytes += UnsafeRawBufferPointer(start: span.base, count: min(count - bytes.count, span.count))
        }
        return bytes
    }
}
