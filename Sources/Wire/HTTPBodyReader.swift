/// Where a message's body ends (RFC 9112 section 6).
enum HTTPBodyFraming: Equatable {
    case length(Int)
    case chunked
    case untilClose
}

/// Reads a message's body: so many bytes, chunks with their extensions and trailers, or all there is.
struct HTTPBodyReader: Sendable {
    private static let chunkSizeLineBytesMax = 1024

    private enum State {
        case fixed(remaining: Int)
        case untilClose
        case chunkSize
        case chunkData(remaining: Int)
        case chunkEnd
        case trailers
        case ended
    }

    private let limits: HTTPLimits
    private var state: State
    private var line = HTTPLineReader()
    private var lineBudget = chunkSizeLineBytesMax
    private var trailers = HTTPHeaders()
    private var bodyCount = 0

    init(_ framing: HTTPBodyFraming, _ limits: HTTPLimits) throws(HTTPParseError) {
        self.limits = limits
        switch framing {
        case .length(let count):
            state = count == 0 ? .ended : .fixed(remaining: count)
            try countBody(count)
        case .chunked: state = .chunkSize
        case .untilClose: state = .untilClose
        }
    }

    /// Whether the whole body has been read.
    var isEnded: Bool {
        if case .ended = state { true } else { false }
    }

    /// Whether the connection's end is the body's end.
    var endsWithConnection: Bool {
        if case .untilClose = state { true } else { false }
    }

    /// The next piece of the body, or `nil` when the bytes ran out or the body has ended.
    mutating func next(_ rest: inout UnsafeRawBufferPointer) throws(HTTPParseError) -> [UInt8]? {
        while !rest.isEmpty {
            switch state {
            case .fixed(let remaining):
                let piece = rest.take(min(remaining, rest.count))
                state = piece.count == remaining ? .ended : .fixed(remaining: remaining - piece.count)
                return Array(piece)
            case .untilClose:
                try countBody(rest.count)
                return Array(rest.take(rest.count))
            case .chunkSize:
                try nextChunkSize(&rest)
            case .chunkData(let remaining):
                let piece = rest.take(min(remaining, rest.count))
                lineBudget = 2
                state = piece.count == remaining ? .chunkEnd : .chunkData(remaining: remaining - piece.count)
                return Array(piece)
            case .chunkEnd:
                let end = try line.next(
                    &rest, budget: &lineBudget, over: HTTPParseError(400, "chunk longer than its size"))
                guard let end else { return nil }
                guard end.isEmpty else { throw HTTPParseError(400, "chunk longer than its size") }
                lineBudget = Self.chunkSizeLineBytesMax
                state = .chunkSize
            case .trailers:
                try nextTrailer(&rest)
            case .ended:
                return nil
            }
        }
        return nil
    }

    private mutating func nextChunkSize(_ rest: inout UnsafeRawBufferPointer) throws(HTTPParseError) {
        let line = try line.next(&rest, budget: &lineBudget, over: HTTPParseError(400, "chunk size line too long"))
        guard let line else { return }
        let size = try chunkSize(line)
        try countBody(size)
        state = size == 0 ? .trailers : .chunkData(remaining: size)
        lineBudget = limits.headBytesMax
    }

    /// The size at the start of a chunk's line; an extension after it is checked for control characters and ignored.
    private func chunkSize(_ line: [UInt8]) throws(HTTPParseError) -> Int {
        let digits = line.prefix { hexDigitValue($0) != nil }
        let rest = line[digits.count...].drop { $0 == 0x20 || $0 == 0x09 }
        let hasExtension = rest.first == UInt8(ascii: ";") && rest.allSatisfy(isFieldValueByte)
        guard !digits.isEmpty, hasExtension || digits.count == line.count else {
            throw HTTPParseError(400, "malformed chunk size")
        }
        var size = 0
        for digit in digits {
            guard size >> 55 == 0 else { throw HTTPParseError(413, "body over \(limits.bodyBytesMax) bytes") }
            size = size << 4 | Int(hexDigitValue(digit)!)
        }
        return size
    }

    /// Trailers are checked like headers and dropped: nothing in them may change how the message is read.
    private mutating func nextTrailer(_ rest: inout UnsafeRawBufferPointer) throws(HTTPParseError) {
        let line = try line.next(
            &rest, budget: &lineBudget, over: HTTPParseError(431, "trailers over \(limits.headBytesMax) bytes"))
        guard let line else { return }
        if line.isEmpty {
            state = .ended
        } else {
            try trailers.add(line: line, countMax: limits.headerCountMax)
        }
    }

    private mutating func countBody(_ count: Int) throws(HTTPParseError) {
        guard count <= limits.bodyBytesMax - bodyCount else {
            throw HTTPParseError(413, "body over \(limits.bodyBytesMax) bytes")
        }
        bodyCount += count
    }
}
