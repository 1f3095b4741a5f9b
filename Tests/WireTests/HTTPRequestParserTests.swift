import Testing
import Wire

/// What a parser made of its bytes: requests with their bodies joined, and the error at the end.
struct RequestReading: Equatable {
    var requests: [String] = []
    var status: Int?
}

func readRequests(_ pieces: [[UInt8]], limits: HTTPLimits = HTTPLimits()) -> RequestReading {
    var parser = HTTPRequestParser(limits: limits)
    var reading = RequestReading()
    var (request, body): (String, [UInt8]) = ("", [])
    for piece in pieces {
        var rest = piece[...]
        while !rest.isEmpty {
            do throws(HTTPParseError) {
                let count = try Array(rest).withUnsafeBufferPointer { (buffer) throws(HTTPParseError) in
                    try parser.receive(UnsafeRawBufferPointer(buffer)) { event in
                        switch event {
                        case .head(let head): request = "\(head.method) \(head.target)"
                        case .body(let piece): body += piece
                        case .end:
                            reading.requests.append(body.isEmpty ? request : "\(request) \(text(body))")
                            body = []
                        }
                    }
                }
                rest = rest.dropFirst(count)
            } catch {
                reading.status = error.status
                return reading
            }
        }
    }
    return reading
}

func requestHead(_ request: String) throws -> HTTPRequestHead {
    var parser = HTTPRequestParser()
    var heads: [HTTPRequestHead] = []
    _ = try bytes(request).withUnsafeBytes { buffer in
        try parser.receive(buffer) { if case .head(let head) = $0 { heads.append(head) } }
    }
    return try #require(heads.first)
}

struct HTTPRequestParserTests {
    @Test(arguments: [
        ("\r", true, 0), ("\r\n", true, 0), ("\r\n\r\n\r", true, 0), ("G", false, 1), ("\r\nG", false, 3),
        ("GET / HTTP/1.1\r\nHost", false, 20),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", false, 47),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, 0),
    ]) func aRequestBeginsWithItsFirstByteAndNotWithEmptyLines(_ text: String, isIdle: Bool, held: Int) throws {
        for pieces in [[bytes(text)], bytes(text).map { [$0] }] {
            var parser = HTTPRequestParser()
            for piece in pieces { _ = try piece.withUnsafeBytes { try parser.receive($0) { _ in } } }
            #expect(parser.isIdle == isIdle && parser.heldBytes == held)
        }
    }

    static let requests: [(String, [String])] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /"]), ("GET / HTTP/1.0\r\n\r\n", ["GET /"]),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", ["POST / abc"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", ["POST /"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:003 \r\n\r\nabc", ["POST / abc"]),
        ("POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ["POST / abc"]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "00b ;x=\"y\"\r\n0123456789a\r\n1\r\nb\r\n0;last\r\nTrailer: x\r\nOther: y\r\n\r\n",
            ["POST / 0123456789ab"]
        ),
        (
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
                + "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            ["GET /1", "POST /2 hi", "GET /3"]
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ["OPTIONS *"]),
        ("GET http://a:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n", ["GET http://a:80/x?y"]),
        ("X!~ / HTTP/1.1\r\nHost: [::1]:8080\r\nEmpty:\r\nTab:\t a\tb \t\r\n\r\n", ["X!~ /"]),
    ]

    @Test(arguments: requests) func readsHoweverTheBytesArrive(_ stream: String, _ requests: [String]) {
        expect(bytes(stream), reads: RequestReading(requests: requests)) { readRequests($0) }
    }

    /// Request lines and header lines, each in a request that is otherwise right.
    static let refused: [(String, Int)] = [
        ("GET /", 400), ("GET  / HTTP/1.1", 400), ("GET / HTTP/1.1 ", 400), (" GET / HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        ("G(T / HTTP/1.1", 400), ("GET\t/ HTTP/1.1", 400), (" / HTTP/1.1", 400), ("GET / http/1.1", 400),
        ("GET / HTTP/1.10", 400), ("GET / HTTP/11", 400), ("GET / HTTP/x.1", 400), ("GET / HTTP/2.0", 505),
        ("PRI * HTTP/2.0", 505), ("GET / HTTP/1.2", 505), ("GET / HTTP/0.9", 505), ("GET * HTTP/1.1", 400),
        ("CONNECT a:443 HTTP/1.1", 400), ("GET a/b HTTP/1.1", 400), ("GET ftp://a/ HTTP/1.1", 400),
        ("GET http:///x HTTP/1.1", 400), ("GET http://u@a/ HTTP/1.1", 400), ("GET /#f HTTP/1.1", 400),
        ("GET /\u{7F} HTTP/1.1", 400), ("GET /é HTTP/1.1", 400), ("GET /% HTTP/1.1", 400), ("GET /%2 HTTP/1.1", 400),
        ("GET /%zz HTTP/1.1", 400), ("GET /%00 HTTP/1.1", 400), ("GET /%0a HTTP/1.1", 400), ("GET /%ff HTTP/1.1", 400),
        ("GET /a%2Fb HTTP/1.1", 400), ("GET /a/../b HTTP/1.1", 400), ("GET /. HTTP/1.1", 400),
        ("GET /%2e%2E/ HTTP/1.1", 400), ("GET /?a=%f HTTP/1.1", 400), ("GET /?%00 HTTP/1.1", 400),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", 400), ("Content-Length: 1\r\nContent-Length: 2", 400),
        ("Content-Length: 1\r\nContent-Length: 1", 400), ("Content-Length: 1, 1", 400), ("Content-Length: +1", 400),
        ("Content-Length: -1", 400), ("Content-Length: 0x1", 400), ("Content-Length:", 400),
        ("Content-Length: 1 1", 400),
        ("Content-Length: 99999999999999999999", 413), ("Content-Length: 1048577", 413),
        ("Transfer-Encoding: gzip", 501), ("Transfer-Encoding: gzip, chunked", 501), ("Transfer-Encoding:", 501),
        ("Transfer-Encoding: chunked, chunked", 501), ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding: \u{B}chunked", 400), ("Folded: a\r\n b", 400), ("Folded: a\r\n\tb", 400),
        ("Name : a", 400),
        (" Name: a", 400), (": a", 400), ("Name", 400), ("Na me: a", 400), ("Name: a\rb", 400), ("Name: a\nb: c", 400),
        ("Name: a\0b", 400), ("Name: \u{7F}", 400), ("Näme: a", 400), ("Host: b", 400), ("Expect: something", 417),
        ("Expect: 100-continue, other", 417),
    ]

    @Test(arguments: refused) func refusesWhatCouldBeReadInTwoWays(_ line: String, _ status: Int) {
        let isRequestLine = line.contains(" HTTP/") || line == "GET /" || line.contains("http/")
        let request = isRequestLine ? "\(line)\r\nHost: a\r\n\r\n" : "GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n"
        expect(bytes(request), reads: RequestReading(status: status)) { readRequests($0) }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("GET http://a/ HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400), ("GET / HTTP/1.1\nHost: a\n\n", 400),
    ]) func refusesHeadsWithoutOneHostAndOneMeaning(_ request: String, _ status: Int) {
        expect(bytes(request), reads: RequestReading(status: status)) { readRequests($0) }
    }

    @Test(arguments: [
        "x\r\n", "\r\n", "-1\r\n", " 1\r\n", "1 \r\n", "1 x\r\n", "0x1\r\na\r\n", "1;\u{1}\r\n", "1\na", "1;a\rb\r\n",
        "1\r\nab\r\n", "1\r\na\n", "1\r\na\r\rx", "1\r\na0\r\n\r\n", "0\r\nBad Trailer: x\r\n\r\n",
        "0\r\n folded\r\n\r\n",
    ]) func refusesMalformedChunks(_ body: String) {
        let request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(body)"
        expect(bytes(request), reads: 400) { readRequests($0).status }
    }

    @Test func staysFailed() throws {
        var parser = HTTPRequestParser()
        for _ in 0..<2 {
            #expect(throws: HTTPParseError.self) {
                _ = try bytes("GET /\r\n").withUnsafeBytes { try parser.receive($0) { _ in } }
            }
        }
    }

    @Test func knowsThePathOfWhatIsRefused() {
        var parser = HTTPRequestParser()
        func receive(_ text: String) { _ = try? bytes(text).withUnsafeBytes { try parser.receive($0) { _ in } } }
        #expect(parser.path == nil)
        receive("GET /a?b HTTP/1.1\r\nHost")
        #expect(parser.path == "/a")
        receive(": a\r\n\r\n")
        #expect(parser.path == nil, "it has ended")
        receive("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
        #expect(parser.path == "/c")
    }

    @Test func knowsTheHeadOfABodyThatIsRefused() {
        var parser = HTTPRequestParser()
        func receive(_ text: String) { _ = try? bytes(text).withUnsafeBytes { try parser.receive($0) { _ in } } }
        receive("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
        #expect(parser.head?.path == "/a")
        receive("x")
        #expect(parser.head == nil, "it has ended")
        receive("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n")
        #expect(parser.head?.path == "/b")
    }

    @Test func stopsAfterTheEndOfARequest() throws {
        var parser = HTTPRequestParser()
        let request = bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(parser.isIdle)
        let count = try (request + [0x81, 0x80]).withUnsafeBytes { try parser.receive($0) { _ in } }
        #expect(count == request.count && parser.isIdle)
        _ = try [UInt8(ascii: "G")].withUnsafeBytes { try parser.receive($0) { _ in } }
        #expect(!parser.isIdle)
    }
}

struct HTTPRequestLimitTests {
    private var limits: HTTPLimits {
        var limits = HTTPLimits()
        (limits.headBytesMax, limits.startLineBytesMax, limits.headerCountMax, limits.bodyBytesMax) = (100, 40, 3, 10)
        return limits
    }

    /// Each request is at its limit; one more `#` in it is one over.
    @Test(
        arguments: [
            ("GET /~ HTTP/1.0\r\n\r\n", 40, 414), ("GET / HTTP/1.0\r\na: ~\r\n\r\n", 100, 431),
            ("POST / HTTP/1.0\r\nContent-Length: ~\r\n\r\n", nil, 413),
        ] as [(String, Int?, Int)]) func holdsAtTheLimitAndNotOneOver(_ form: String, _ count: Int?, _ status: Int)
    {
        let fixed = form.utf8.count - 1 - (status == 414 ? 2 : 0)
        let (at, over) =
            if let count {
                (String(repeating: "x", count: count - fixed), String(repeating: "x", count: count - fixed + 1))
            } else { ("10", "11") }
        let atLimit = form.split(separator: "~").joined(separator: at)
        let overLimit = form.split(separator: "~").joined(separator: over)
        expect(bytes(atLimit), reads: nil) { readRequests($0, limits: limits).status }
        expect(bytes(overLimit), reads: status) { readRequests($0, limits: limits).status }
    }

    @Test func countsHeadersTrailersAndChunks() {
        let start = "POST / HTTP/1.1\r\nHost: a\r\n"
        let chunked = start + "Transfer-Encoding: chunked\r\n"
        let cases: [(String, Int?)] = [
            (start + "a:\r\nb:\r\n\r\n", nil), (start + "a:\r\nb:\r\nc:\r\n\r\n", 431),
            (chunked + "\r\n5\r\nabcde\r\n5\r\nabcde\r\n0\r\n\r\n", nil),
            (chunked + "\r\n5\r\nabcde\r\n6\r\nabcdef\r\n0\r\n\r\n", 413), (chunked + "\r\nfffffffffffffffff\r\n", 413),
            (chunked + "\r\n0\r\na:\r\nb:\r\nc:\r\n\r\n", nil),
            (chunked + "\r\n0\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n", 431),
            (chunked + "\r\n0\r\na: " + String(repeating: "x", count: 100), 431),
            (chunked + "\r\n1;" + String(repeating: "x", count: 1020) + "\r\na\r\n0\r\n\r\n", nil),
            (chunked + "\r\n1;" + String(repeating: "x", count: 1021) + "\r\na\r\n0\r\n\r\n", 400),
        ]
        for (request, status) in cases {
            expect(bytes(request), reads: status) { readRequests($0, limits: limits).status }
        }
    }
}

struct HTTPRequestHeadTests {
    @Test func takesTheTargetApart() throws {
        let head = try requestHead("GET /a%20b/%C3%A9//?x=1&y=a+b%26&&z&=e&x=2&u=%0A HTTP/1.1\r\nHost: h:1\r\n\r\n")
        #expect(head.path == "/a b/é//" && head.host == "h:1" && head.query("x") == "1" && head.query("none") == nil)
        #expect(head.query.map { "\($0)=\($1)" } == ["x=1", "y=a b&", "z=", "=e", "x=2", "u=\n"])
    }

    /// Whatever reads a header compares ASCII with ASCII, which costs no more than its length.
    @Test func readsHeadersAsASCII() throws {
        let head = try requestHead("GET / HTTP/1.1\r\nHost: h\r\nName: a\u{E9}b\u{301}\r\n\r\n")
        #expect(head.headers.first("Name") == "a??b??")
    }

    @Test func findsParametersByTheirBytes() throws {
        let head = try requestHead("GET /?e%CC%81=1&%C3%A9=2 HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(head.query("\u{E9}") == "2")
    }

    @Test func prefersTheHostOfTheTarget() throws {
        let head = try requestHead("GET HTTPS://b:2?q=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(head.host == "b:2" && head.path == "/" && head.query("q") == "1")
        #expect(try requestHead("GET / HTTP/1.0\r\n\r\n").host == "")
    }

    @Test(arguments: [
        ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false), ("HTTP/1.0", "", false),
        ("HTTP/1.1", "Connection: x, CLOSE\r\n", false), ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive\r\nConnection: close\r\n", false),
    ]) func saysWhetherTheConnectionStays(_ version: String, _ field: String, _ keepAlive: Bool) throws {
        #expect(try requestHead("GET / \(version)\r\nHost: a\r\n\(field)\r\n").keepAlive == keepAlive)
    }

    @Test func saysHowTheBodyComes() throws {
        let sized = try requestHead("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 7\r\n\r\n")
        #expect(sized.contentLength == 7 && !sized.isChunked && sized.expectsContinue)
        let chunked = try requestHead("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        #expect(chunked.contentLength == nil && chunked.isChunked && !chunked.expectsContinue)
        #expect(try !requestHead("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expectsContinue)
    }

    @Test func findsHeadersInAnyCase() throws {
        let headers = try requestHead("GET / HTTP/1.1\r\nhost: a\r\nList: a, B ,,\r\nLIST:\tc\r\n\r\n").headers
        #expect(
            headers.first("HOST") == "a" && headers.first("none") == nil && headers.all("list") == ["a, B ,,", "c"])
        #expect(headers.tokens("List") == ["a", "B", "c"] && headers.contains("b", in: "List"))
        #expect(!headers.contains("d", in: "List"))
    }
}
