/// However the bytes are cut, the same responses are read.
func fuzzHTTPResponse(_ input: UnsafeRawBufferPointer) {
    guard let (rule, stream) = input.cutting else { return }
    var limits = HTTPLimits()
    (limits.headBytesMax, limits.headerCountMax, limits.bodyBytesMax) = (512, 8, 256)
    let whole = ReadResponses(stream, by: 0, HTTPResponseParser(limits: limits))
    let pieces = ReadResponses(stream, by: rule, HTTPResponseParser(limits: limits))
    check(whole == pieces, "the pieces change what is read")
    check(whole.responses.allSatisfy { $0.body.count <= 256 }, "a body over the limit")
}

/// What the writer writes is read again, whole or in pieces, one response after the other.
func fuzzHTTPWriter(_ input: UnsafeRawBufferPointer) {
    var recipe = Recipe(input)
    let rule = recipe.byte()
    let isHead = recipe.byte() & 1 == 1
    var (stream, expected): ([UInt8], [ReadResponses.Response]) = ([], [])
    while !recipe.isEmpty, expected.count < 2 {
        let status = 200 + Int(recipe.byte()) % 256
        var headers = HTTPHeaders()
        for _ in 0..<recipe.byte() % 4 { headers.add("X-\(recipe.byte())", recipe.text()) }
        let head = HTTPResponseHead(status: status, headers: headers)
        let isStream = !head.isBodiless && !isHead && recipe.byte() & 1 == 1
        var body: [UInt8] = []
        let date = Timestamp(milliseconds: Int64(recipe.byte()) << 32)
        if isStream {
            stream += HTTPResponseWriter.streamHead(head, date: date, version: .http11, keepAlive: true)
            for _ in 0..<recipe.byte() % 4 {
                let piece = recipe.bytes()
                HTTPResponseWriter.chunk(piece, into: &stream)
                body += piece
            }
            stream += HTTPResponseWriter.lastChunk
        } else {
            body = head.isBodiless ? [] : recipe.bytes()
            stream += HTTPResponseWriter.response(head, body: body, date: date, keepAlive: true, isHead: isHead)
        }
        // Headers are read as ASCII: each foreign byte is a question mark.
        let fields = headers.fields.map { field in
            let value = trimmed(field.value).utf8.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }
            return "\(field.name):\(String(decoding: value, as: UTF8.self))"
        }
        expected.append(ReadResponses.Response(status: status, fields: fields, body: isHead ? [] : body))
    }
    let read = stream.withUnsafeBytes { ReadResponses($0, by: rule, HTTPResponseParser(isHead: isHead)) }
    check(read.status == nil, "the writer's own response is refused with \(read.status ?? 0)")
    check(read.responses.count == expected.count, "another number of responses")
    for (read, expected) in zip(read.responses, expected) {
        check(read.status == expected.status && read.body == expected.body, "another response than was written")
        check(read.fields.starts(with: expected.fields), "\(read.fields) instead of \(expected.fields)")
    }
}

/// A reader takes the space around a value away; the writer leaves it.
private func trimmed(_ value: String) -> String {
    let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    let bytes = value.utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
    return String(decoding: Array(bytes), as: UTF8.self)
}

private struct ReadResponses: Equatable {
    struct Response: Equatable {
        var status: Int
        var fields: [String]
        var body: [UInt8]
    }

    var responses: [Response] = []
    /// Of the error that ended the reading.
    var status: Int?

    init(_ stream: UnsafeRawBufferPointer, by rule: UInt8, _ parser: HTTPResponseParser) {
        var parser = parser
        // A response that was not read to its end is no response yet.
        var (responses, isOpen): ([Response], Bool) = ([], false)
        let sink = { (event: HTTPResponseEvent) in
            switch event {
            case .head(let head):
                let fields = head.headers.fields.map { "\($0.name):\($0.value)" }
                responses.append(Response(status: head.status, fields: fields, body: []))
                isOpen = true
            case .body(let piece): responses[responses.count - 1].body += piece
            case .end: isOpen = false
            }
        }
        do throws(HTTPParseError) {
            for range in Pieces(stream.count, by: rule) {
                var piece = stream.piece(range)
                while !piece.isEmpty {
                    let readCount = try parser.receive(piece, sink)
                    check(readCount > 0, "nothing was read")
                    piece = piece.piece(readCount..<piece.count)
                }
            }
            try parser.receiveEnd(sink)
            check(!isOpen, "an open response at the end")
        } catch {
            status = error.status
            // How much of a body came before the fault depends on the pieces.
            if isOpen { responses[responses.count - 1].body = [] }
        }
        self.responses = responses
    }
}
