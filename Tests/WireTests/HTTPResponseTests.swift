import Testing
import Wire

struct HTTPResponseWriterTests {
    private let date = Timestamp(milliseconds: 784_111_777_000)

    @Test func writesAWholeResponse() {
        let head = HTTPResponseHead(status: 200, headers: ["Content-Type": "text/plain"])
        let expected = """
            HTTP/1.1 200 OK\r
            Content-Type: text/plain\r
            Date: Sun, 06 Nov 1994 08:49:37 GMT\r
            Connection: keep-alive\r
            Content-Length: 2\r
            \r\n
            """
        #expect(
            text(HTTPResponseWriter.response(head, body: bytes("ok"), date: date, keepAlive: true)) == expected + "ok")
        let answer = HTTPResponseWriter.response(head, body: bytes("ok"), date: date, keepAlive: true, isHead: true)
        #expect(text(answer) == expected)
    }

    @Test func leavesOutTheBodyWhereThereCanBeNone() {
        let head = HTTPResponseHead(status: 204)
        let answer = text(HTTPResponseWriter.response(head, body: bytes("x"), date: date, keepAlive: false))
        #expect(answer.hasSuffix("Connection: close\r\n\r\n") && !answer.contains("Content-Length"))
    }

    @Test func writesNoLineThatAValueBrings() {
        var head = HTTPResponseHead(status: 303)
        head.headers.add("Location", "/a\r\nSet-Cookie: x\0é")
        #expect(head.headers.first("Location") == "/a  Set-Cookie: x é")
    }

    @Test func writesStreams() {
        let head = HTTPResponseHead(status: 200)
        let chunked = HTTPResponseWriter.streamHead(head, date: date, version: .http11, keepAlive: true)
        #expect(text(chunked).hasSuffix("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"))
        let untilClose = HTTPResponseWriter.streamHead(head, date: date, version: .http10, keepAlive: true)
        #expect(text(untilClose).hasSuffix("Connection: close\r\n\r\n"))
        var body: [UInt8] = []
        HTTPResponseWriter.chunk(bytes("0123456789abcdef"), into: &body)
        HTTPResponseWriter.chunk([], into: &body)
        #expect(text(body + HTTPResponseWriter.lastChunk) == "10\r\n0123456789abcdef\r\n0\r\n\r\n")
    }
}

struct HTTPResponseParserTests {
    private struct Reading: Equatable {
        var log: [String] = []
        var isWrong = false
    }

    /// Heads, ends, and between them the body's pieces joined.
    private func read(_ pieces: [[UInt8]], isHead: Bool = false, limits: HTTPLimits = HTTPLimits()) -> Reading {
        var parser = HTTPResponseParser(limits: limits, isHead: isHead)
        var reading = Reading()
        var body: [UInt8] = []
        let sink = { (event: HTTPResponseEvent) in
            switch event {
            case .head(let head): reading.log.append("\(head.status) \(head.headers.first("A") ?? "-")")
            case .body(let piece): body += piece
            case .end:
                reading.log.append(text(body))
                body = []
            }
        }
        do {
            for piece in pieces {
                var rest = piece[...]
                while !rest.isEmpty {
                    let count = try Array(rest).withUnsafeBytes { try parser.receive($0, sink) }
                    rest = rest.dropFirst(count)
                }
            }
            try parser.receiveEnd(sink)
        } catch {
            reading.isWrong = true
        }
        return reading
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok", ["200 b", "ok"]),
        (
            "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx",
            ["200 -", "", "404 -", "x"]
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n", ["200 -", "ok!"]),
        ("HTTP/1.0 200 OK\r\n\r\nall there is", ["200 -", "all there is"]), ("HTTP/1.1 200 OK\r\n\r\n", ["200 -", ""]),
        ("HTTP/1.1 100 Continue\r\nA: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n", ["204 -", ""]),
        ("HTTP/1.1 101 Switching Protocols\r\nA: x\r\n\r\n", ["101 x", ""]),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ["304 -", ""]),
    ]) func readsHoweverTheBytesArrive(_ stream: String, _ log: [String]) {
        expect(bytes(stream), reads: Reading(log: log)) { read($0) }
    }

    @Test func readsNoBodyAfterHEAD() {
        let stream = bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        expect(stream, reads: Reading(log: ["200 -", "", "200 -", ""])) { read($0, isHead: true) }
    }

    @Test(arguments: [
        "HTTP/1.1 20 OK\r\n", "HTTP/2 200 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1  200 OK\r\n",
        "ICY 200 OK\r\n", "HTTP/1.1 200 a\rb\r\n", "HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK\r\nno colon\r\n", "HTTP/1.1",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\n",
    ]) func refusesWhatIsNoResponse(_ stream: String) {
        expect(bytes(stream), reads: Reading(isWrong: true)) { read($0) }
    }

    @Test(arguments: ["Content-Length: 3\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"])
    func noticesABodyThatIsCutOff(_ rest: String) {
        expect(bytes("HTTP/1.1 200 OK\r\n" + rest), reads: Reading(log: ["200 -"], isWrong: true)) { read($0) }
    }

    @Test func holdsTheBodyToItsLimit() {
        var limits = HTTPLimits()
        limits.bodyBytesMax = 3
        expect(bytes("HTTP/1.1 200 OK\r\n\r\nabc"), reads: false) { read($0, limits: limits).isWrong }
        expect(bytes("HTTP/1.1 200 OK\r\n\r\nabcd"), reads: true) { read($0, limits: limits).isWrong }
    }
}
