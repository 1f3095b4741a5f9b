// sources: Sources/Wire

/// The first byte says into pieces of which size the rest is cut; that must not change what is read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTPRequest(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    guard let pieceCount = bytes.first, pieceCount > 0 else { return 0 }
    let stream = Array(bytes.dropFirst())
    precondition(read(stream, pieceCount: stream.count) == read(stream, pieceCount: Int(pieceCount)))
    return 0
}

/// What was read as one text, the pieces of each body joined.
private func read(_ stream: [UInt8], pieceCount: Int) -> String {
    var limits = HTTPLimits()
    (limits.headBytesMax, limits.startLineBytesMax, limits.headerCountMax, limits.bodyBytesMax) = (512, 128, 8, 256)
    var parser = HTTPRequestParser(limits: limits)
    var (log, body): (String, [UInt8]) = ("", [])
    var rest = stream[...]
    while !rest.isEmpty {
        let piece = Array(rest.prefix(pieceCount))
        do throws(HTTPParseError) {
            let readCount = try piece.withUnsafeBufferPointer { (buffer) throws(HTTPParseError) in
                try parser.receive(UnsafeRawBufferPointer(buffer)) { event in
                    switch event {
                    case .head(let head): log += describe(head)
                    case .body(let piece): body += piece
                    case .end:
                        log += "\(body)\n"
                        body = []
                    }
                }
            }
            precondition(readCount > 0 && body.count <= 256)
            rest = rest.dropFirst(readCount)
        } catch {
            return log + "\(error.status)"
        }
    }
    return log + "\(body)"
}

private func describe(_ head: HTTPRequestHead) -> String {
    precondition(!head.path.utf8.contains(0) && !(head.isChunked && head.contentLength != nil))
    var bytes: [UInt8] = []
    for (name, value) in head.headers.fields { bytes += Array("\(name):\(value);".utf8) }
    precondition(!bytes.contains { $0 == 0x0A || $0 == 0x0D || $0 == 0 })
    return "\(head.method) \(head.path) \(head.query) \(head.host) \(head.keepAlive) \(head.expectsContinue) \(bytes)\n"
}
