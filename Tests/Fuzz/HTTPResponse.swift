// sources: Sources/Wire

/// The first byte says into pieces of which size the rest is cut; that must not change what is read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTPResponse(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    guard let pieceCount = bytes.first, pieceCount > 0 else { return 0 }
    let stream = Array(bytes.dropFirst())
    precondition(read(stream, pieceCount: stream.count) == read(stream, pieceCount: Int(pieceCount)))
    return 0
}

/// What was read as one text, the pieces of each body joined.
private func read(_ stream: [UInt8], pieceCount: Int) -> String {
    var limits = HTTPLimits()
    (limits.headBytesMax, limits.headerCountMax, limits.bodyBytesMax) = (512, 8, 256)
    var parser = HTTPResponseParser(limits: limits)
    var (log, body): (String, [UInt8]) = ("", [])
    let sink = { (event: HTTPResponseEvent) in
        switch event {
        case .head(let head): log += "\(head.status) \(head.headers.fields)\n"
        case .body(let piece): body += piece
        case .end:
            log += "\(body)\n"
            body = []
        }
    }
    var rest = stream[...]
    do throws(HTTPParseError) {
        while !rest.isEmpty {
            let piece = Array(rest.prefix(pieceCount))
            let readCount = try piece.withUnsafeBufferPointer { (buffer) throws(HTTPParseError) in
                try parser.receive(UnsafeRawBufferPointer(buffer), sink)
            }
            precondition(readCount > 0 && body.count <= 256)
            rest = rest.dropFirst(readCount)
        }
        try parser.receiveEnd(sink)
    } catch {
        return log + "\(error.status)"
    }
    return log
}
