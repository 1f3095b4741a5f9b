// sources: Sources/Wire

/// The first byte says into pieces of which size the rest is cut; that must not change what is read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSSE(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    guard let pieceCount = bytes.first, pieceCount > 0 else { return 0 }
    let stream = Array(bytes.dropFirst())
    precondition(read(stream, pieceCount: stream.count) == read(stream, pieceCount: Int(pieceCount)))
    return 0
}

private func read(_ stream: [UInt8], pieceCount: Int) -> [SSEEvent] {
    var parser = SSEParser(eventBytesMax: 256)
    var events: [SSEEvent] = []
    var rest = stream[...]
    while !rest.isEmpty {
        let piece = Array(rest.prefix(pieceCount))
        rest = rest.dropFirst(pieceCount)
        do { try parser.receive(piece) { events.append($0) } } catch { break }
    }
    precondition(events.allSatisfy { $0.data.count <= 256 })
    return events
}
