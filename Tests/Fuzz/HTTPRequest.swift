import Foundation

/// However the bytes are cut, the same requests are read, and they hold what the parser promises.
func fuzzHTTPRequest(_ input: UnsafeRawBufferPointer) {
    guard let (rule, stream) = input.cutting else { return }
    let whole = read(stream, by: 0)
    check(whole == read(stream, by: rule), "the pieces change what is read")
}

/// What was read, the pieces of each body joined.
private func read(_ stream: UnsafeRawBufferPointer, by rule: UInt8) -> [UInt8] {
    var limits = HTTPLimits()
    (limits.headBytesMax, limits.startLineBytesMax, limits.headerCountMax, limits.bodyBytesMax) = (512, 128, 8, 256)
    var parser = HTTPRequestParser(limits: limits)
    var (log, bodyCount): ([UInt8], Int) = ([], 0)
    for range in Pieces(stream.count, by: rule) {
        var piece = stream.piece(range)
        while !piece.isEmpty {
            do throws(HTTPParseError) {
                let readCount = try parser.receive(piece) { event in
                    switch event {
                    case .head(let head): describe(head, into: &log)
                    case .body(let piece):
                        log += piece
                        bodyCount += piece.count
                    case .end:
                        log += "\n--\n".utf8
                        bodyCount = 0
                    }
                }
                check(readCount > 0 && bodyCount <= 256, "nothing was read, or too large a body")
                piece = piece.piece(readCount..<piece.count)
            } catch {
                check((400...599).contains(error.status), "no status of an error")
                return log + "\(error.status) \(error.reason)".utf8
            }
        }
    }
    return log
}

private func describe(_ head: HTTPRequestHead, into log: inout [UInt8]) {
    let segments = head.path.utf8.split(separator: UInt8(ascii: "/"))
    check(!segments.contains { $0.elementsEqual("..".utf8) || $0.elementsEqual(".".utf8) }, "dots in the path")
    check(!head.path.utf8.contains { $0 < 0x20 || $0 == 0x7F }, "a control character in the path")
    check(!(head.isChunked && head.contentLength != nil), "two framings")
    check(head.contentLength ?? 0 >= 0, "a negative length")
    if head.target.utf8.first == UInt8(ascii: "/") {
        let encoded = String(head.target.prefix { $0 != "?" })
        check(encoded.removingPercentEncoding == head.path, "Foundation decodes another path")
    }
    for part in [head.method, head.target, head.path, head.host] { log += Array(part.utf8) + [0] }
    for (name, value) in head.query { log += Array(name.utf8) + [0] + Array(value.utf8) + [0] }
    let fieldsStart = log.count
    for (name, value) in head.headers.fields { log += Array(name.utf8) + [0x20] + Array(value.utf8) + [0x20] }
    check(!log[fieldsStart...].contains { $0 == 0x0A || $0 == 0x0D || $0 == 0 }, "a line end inside a header")
    let flags = [head.keepAlive, head.expectsContinue, head.isChunked, head.version == .http11]
    log += flags.map { $0 ? 1 : 0 }
    if let handshake = try? WebSocketHandshake(head) {
        check(handshake.key.utf8.count == 24, "a key of another length")
        check(handshake.subprotocols.allSatisfy { !$0.isEmpty }, "an empty subprotocol")
    }
}
