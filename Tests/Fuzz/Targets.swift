import Glibc

/// The fuzz targets by name, one for each parser and writer; the environment's `HUBBUB_FUZZ_TARGET` chooses.
///
/// All are one program, compiled with the sources as one module: libFuzzer's coverage reaches into the parsers, and
/// they are compiled once.
private let targets: [String: @Sendable (UnsafeRawBufferPointer) -> Void] = [
    "base64": fuzzBase64,
    "chatcompletion": fuzzChatCompletion,
    "clientframe": fuzzClientFrame,
    "commandoutput": fuzzCommandOutput,
    "configuration": fuzzConfiguration,
    "httprequest": fuzzHTTPRequest,
    "httpresponse": fuzzHTTPResponse,
    "httpwriter": fuzzHTTPWriter,
    "json": fuzzJSON,
    "jsonwriter": fuzzJSONWriter,
    "messages": fuzzMessages,
    "prompt": fuzzPrompt,
    "route": fuzzRoute,
    "sse": fuzzSSE,
    "streamevent": fuzzStreamEvent,
    "synthetic": fuzzSynthetic,
    "timestamp": fuzzTimestamp,
    "utf8": fuzzUTF8,
    "websocket": fuzzWebSocket,
    "websocketframe": fuzzWebSocketFrame,
    "websocketwriter": fuzzWebSocketWriter,
]

private let target: @Sendable (UnsafeRawBufferPointer) -> Void = {
    let name = getenv("HUBBUB_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = targets[name] else {
        fail("HUBBUB_FUZZ_TARGET must be one of: \(targets.keys.sorted().joined(separator: " "))")
    }
    return target
}()

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    target(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}

/// Ends the run with a finding, unless the condition holds. Unlike `precondition` it says in release builds what broke.
func check(_ condition: Bool, _ promise: @autoclosure () -> String) {
    if !condition { fail(promise()) }
}

private func fail(_ sentence: String) -> Never {
    let line = Array("fuzz: \(sentence)\n".utf8)
    write(STDERR_FILENO, line, line.count)
    abort()
}

/// Cuts a stream into pieces, as a network would: whole (0), in pieces of one size (1 to 127), or of many (128 on).
struct Pieces: Sequence, IteratorProtocol {
    private let count: Int
    private let rule: UInt8
    private var position = 0
    private var state: UInt32

    init(_ count: Int, by rule: UInt8) {
        self.count = count
        self.rule = rule
        state = UInt32(rule) &* 2_654_435_761
    }

    mutating func next() -> Range<Int>? {
        guard position < count else { return nil }
        let start = position
        position = Swift.min(count, start + nextSize())
        return start..<position
    }

    private mutating func nextSize() -> Int {
        if rule == 0 { return count }
        if rule < 0x80 { return Int(rule) }
        state = state &* 1_664_525 &+ 1_013_904_223
        return 1 + Int(state >> 24) % 24
    }
}

extension UnsafeRawBufferPointer {
    /// The first byte, which says how the rest is to be cut.
    var cutting: (rule: UInt8, rest: UnsafeRawBufferPointer)? {
        first.map { ($0, UnsafeRawBufferPointer(rebasing: dropFirst())) }
    }

    func piece(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self[range]) }
}

/// Takes numbers and pieces off the front of an input, for targets that build what they write from it; zeros when the
/// input has run out.
struct Recipe {
    private var rest: UnsafeRawBufferPointer

    init(_ input: UnsafeRawBufferPointer) { rest = input }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 {
        guard let byte = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return byte
    }

    mutating func word() -> UInt64 { (0..<8).reduce(0) { word, _ in word << 8 | UInt64(byte()) } }

    /// As many bytes as the next byte says, if there are so many.
    mutating func bytes() -> [UInt8] {
        let count = Swift.min(Int(byte()), rest.count)
        defer { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count)) }
        return Array(rest.prefix(count))
    }

    /// As `bytes`, with U+FFFD in place of what is not UTF-8.
    mutating func text() -> String { String(decoding: bytes(), as: UTF8.self) }
}
