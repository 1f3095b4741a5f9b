/// Collects one line that ends in CR LF (RFC 9112 section 2.2), within a budget of bytes.
struct HTTPLineReader: Sendable {
    private var piece: [UInt8] = []

    /// Whether nothing of a line has come yet, or what may be the end of an empty one.
    var isAtLineStart: Bool { piece.isEmpty || (piece.count == 1 && piece[0] == 0x0D) }

    /// The next line without its end, or `nil` until it is there.
    ///
    /// - Parameter budget: the bytes still allowed; lowered by what was read.
    /// - Throws: `over` at the first byte beyond the budget; 400 for a line feed alone. Other control characters inside
    ///   the line are left to its grammar to refuse.
    mutating func next(
        _ rest: inout UnsafeRawBufferPointer, budget: inout Int, over: @autoclosure () -> HTTPParseError
    ) throws(HTTPParseError) -> [UInt8]? {
        let lineFeed = rest.firstIndex(of: 0x0A)
        let count = lineFeed.map { $0 + 1 } ?? rest.count
        guard count <= budget else { throw over() }
        budget -= count
        piece.append(contentsOf: rest.take(count))
        guard lineFeed != nil else { return nil }
        var line: [UInt8] = []
        swap(&line, &piece)
        line.removeLast()
        guard line.popLast() == 0x0D else { throw HTTPParseError(400, "line feed without carriage return") }
        return line
    }
}
