import ChatProtocol
import Testing
import Wire

@testable import Server

private let friend = "https://friend.example"
private let router = Router(assets: Assets(), origins: [friend, "http://hub.example:8443"], offersDiagnostics: true)

@Suite struct OriginRuleTests {
    // MARK: - Names

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", true, true), ("127.9.9.9:8080", "127.9.9.9", true, true),
        ("LocalHost:8080", "localhost", true, true), ("localhost.:8080", "localhost", true, false),
        ("[::1]", "[::1]", true, true), ("[::1]:8080", "[::1]", true, true),
        ("[0:0:0:0:0:0:0:1]:80", "[0:0:0:0:0:0:0:1]", true, true),
        ("[::ffff:127.0.0.1]", "[::ffff:127.0.0.1]", true, false),
        ("[fe80::1%25eth0]:8080", "[fe80::1%25eth0]", true, false), ("[FD00::2]", "[fd00::2]", true, false),
        ("0.0.0.0:8080", "0.0.0.0", true, false), ("192.168.1.5", "192.168.1.5", true, false),
        ("127.0.0.1.", "127.0.0.1", true, false), ("Hub.Example.:80", "hub.example", false, false),
        ("127.0.0.1.nip.example", "127.0.0.1.nip.example", false, false), ("127.1", "127.1", false, false),
        ("2130706433", "2130706433", false, false), ("0x7f.0.0.1", "0x7f.0.0.1", false, false),
        ("localhost.evil.example", "localhost.evil.example", false, false),
        ("a.localhost", "a.localhost", false, false), ("[127.0.0.1]", "[127.0.0.1]", false, false),
        ("[localhost]", "[localhost]", false, false), ("[::1]x", "[::1]x", false, false),
        ("[::1]:80x", "[::1]:80x", false, false), ("::1", ":", false, false), ("127.0.0.1:", "127.0.0.1", true, true),
        ("127.0.0.1:80:80", "127.0.0.1:80", false, false), ("", "", false, false), (".", "", false, false),
        (":8080", "", false, false), ("[]", "[]", false, false), ("[:]", "[:]", false, false),
    ]) func aHostIsAnAddressOrAName(authority: String, text: String, isAddress: Bool, isLoopback: Bool) {
        let host = HostName(authority)
        #expect((host.text, host.isAddress, host.isLoopback) == (text, isAddress, isLoopback))
    }

    static let requests: [(String, String)] = [
        ("GET", "/"), ("GET", "/page.js"), ("GET", "/nothing"), ("OPTIONS", "*"), ("OPTIONS", "/api/rooms"),
        ("GET", "/ws"), ("GET", "/ws/echo"), ("GET", "/api/rooms?user_id=u"), ("POST", "/api/rooms"),
        ("GET", "/api/rooms/room_1"), ("HEAD", "/api/rooms/room_1"), ("PATCH", "/api/rooms/room_1"),
        ("DELETE", "/api/rooms/room_1?user_id=u"), ("PUT", "/api/rooms/room_1/members/m"),
        ("GET", "/api/rooms/room_1/history"), ("POST", "/api/session/create"), ("GET", "/api/session/s"),
        ("POST", "/api/session/s/reset"), ("POST", "/api/session/s/stop"), ("DELETE", "/api/session/s/history"),
        ("POST", "/api/chat/message"), ("GET", "/api/chat/message?query=q"), ("GET", "/api/chat/stream?session_id=s"),
        ("GET", "/api/chat/history?user_id=u"), ("GET", "/api/chat/rooms?user_id=u"), ("BREW", "/api/rooms"),
    ]

    @Test(arguments: requests) func noRouteAnswersToAForeignName(method: String, target: String) throws {
        for host in ["rebound.example", "rebound.example:8080", "127.0.0.1.nip.example", "[::1]x"] {
            let request = try request(method, target, headers: [("Host", host)])
            guard case .refused(.host(host), let response) = router.route(request, at: noon) else {
                Issue.record("\(host) was let in")
                continue
            }
            let error = try JSONValue(parsing: response.body).object
            #expect(response.head.status == 421 && error?["error_code"]?.string == "MISDIRECTED_REQUEST")
            #expect(error?["error"]?.string?.contains("--origins") == true)
        }
        for host in ["127.0.0.1:8080", "[::1]", "localhost.", "192.168.1.5", "HUB.example", "friend.example.:1"] {
            let request = try request(method, target, headers: [("Host", host)])
            if case .refused(.host, _) = router.route(request, at: noon) { Issue.record("\(host) was kept out") }
        }
    }

    @Test(arguments: ["/healthz", "/readyz", "/api/health", "/api/health/"])
    func probesAnswerToAnyName(path: String) throws {
        for method in ["GET", "HEAD"] {
            let request = try request(method, path, headers: [("Host", "load-balancer.example")])
            guard case .health = router.route(request, at: noon) else {
                Issue.record("\(method) \(path) was refused")
                continue
            }
        }
    }

    @Test(
        arguments: [
            ("http://rebound.example/api/rooms/room_1", "127.0.0.1", "1.1", false),
            ("http://127.0.0.1/api/rooms/room_1", "rebound.example", "1.1", false),
            ("http://127.0.0.1:8080/api/rooms/room_1", "127.0.0.1:8080", "1.1", true),
            ("HTTPS://HUB.example/api/rooms/room_1", "hub.example", "1.1", true),
            ("/api/rooms/room_1", nil, "1.0", true), ("/api/rooms/room_1", "rebound.example", "1.0", false),
            ("http://rebound.example/api/rooms/room_1", nil, "1.0", false),
        ] as [(String, String?, String, Bool)])
    func theTargetsHostAndTheHeaderBothCount(target: String, host: String?, version: String, isOurs: Bool) throws {
        let headers = host.map { [("Host", $0)] } ?? []
        let request = try request("GET", target, headers: headers, version: version)
        #expect(router.originRule.foreignHost(of: request.head) == (isOurs ? nil : "rebound.example"))
    }

    // MARK: - Sending by GET

    private static let spared = ["127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "localhost:8080"]
    private static let plain = [
        "0.0.0.0:8080", "192.168.1.5:8080", "[fd00::2]:8080", "[::ffff:127.0.0.1]:8080", "localhost.:8080",
        "friend.example",
    ]

    /// What a browser or a program says, and whether that is enough: at loopback, and elsewhere.
    static let senders: [([(String, String)], atLoopback: Bool, elsewhere: Bool)] = [
        ([], true, false),
        ([("Hubbub-Send", "1")], true, true),
        ([("hubbub-send", "")], true, true),
        ([("Sec-Fetch-Site", "same-origin")], true, true),
        ([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "navigate")], false, false),
        ([("Sec-Fetch-Site", "none")], true, false),
        ([("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")], false, false),
        ([("Sec-Fetch-Site", "same-site")], false, false),
        ([("Sec-Fetch-Site", "cross-site"), ("Referer", "https://friend.example/")], false, false),
        ([("Sec-Fetch-Site", "")], false, false),
        ([("Origin", friend)], true, true),
        ([("Origin", "HTTPS://Friend.Example"), ("Sec-Fetch-Site", "cross-site")], true, true),
        ([("Origin", "https://evil.example")], false, false),
        ([("Origin", "https://evil.example"), ("Hubbub-Send", "1")], false, false),
        ([("Origin", "null")], false, false),
        ([("Origin", "")], false, false),
        ([("Referer", "https://friend.example/page?a=/b")], true, true),
        ([("Referer", "https://friend.example")], true, true),
        ([("Referer", "https://friend.example.evil.example/")], true, false),
        ([("Referer", "http://evil.example/https://friend.example/")], true, false),
        ([("Referer", "https://evil@friend.example/")], true, false),
        ([("Referer", "friend.example")], true, false),
        // What an image, or a script without a preflight, may well carry.
        (
            [
                ("Accept", "text/event-stream"), ("Last-Event-ID", ""), ("Cache-Control", "no-cache"),
                ("X-Requested-With", "com.example.app"), ("Range", "bytes=0-"), ("Content-Type", "text/plain"),
                ("Authorization", "Basic YTpi"), ("Cookie", "a=b"), ("Purpose", "prefetch"),
            ], true, false
        ),
    ]

    @Test(arguments: senders)
    func aGetThatSendsShowsThatNoOtherPageMakesIt(
        headers: [(String, String)], atLoopback: Bool, elsewhere: Bool
    ) throws {
        for (hosts, mayPass) in [(Self.spared, atLoopback), (Self.plain, elsewhere)] {
            for host in hosts {
                let headers = headers + [("Host", host)]
                let sends = router.route(try request("GET", "/api/chat/stream?query=Why", headers: headers), at: noon)
                let follows = router.route(
                    try request("GET", "/api/chat/stream?session_id=session_1", headers: headers), at: noon)
                if case .refused(.hiddenPage, let response) = sends {
                    #expect(!mayPass && response.head.status == 403, "\(headers)")
                } else {
                    #expect(mayPass, "\(headers)")
                }
                if case .chat = follows { continue }
                Issue.record("cannot follow: \(headers)")
            }
        }
    }

    @Test(arguments: ["192.168.1.5:8080", "[fd00::2]:8080"])
    func aPlainAddressKnowsItsOwnPagesByTheirReferrer(host: String) throws {
        for (referrer, mayPass) in [("http://\(host)/page", true), ("http://\(host)1/", false), ("http:", false)] {
            let request = try request("GET", "/", headers: [("Host", host), ("Referer", referrer)])
            #expect(router.originRule.maySendByGet(request.head) == mayPass)
        }
    }

    @Test func whatNamesNoHostSendsNothingByGet() throws {
        let silent = try request("GET", "/api/chat/message?query=Why", version: "1.0")
        #expect(!router.originRule.maySendByGet(silent.head))
    }

    // MARK: - Other pages

    @Test(
        arguments: [
            ("/api/rooms", friend, friend), ("/api/rooms", "https://FRIEND.example", "https://FRIEND.example"),
            ("/api/nothing", friend, friend), ("/%61pi/rooms", friend, friend),
            ("/api/rooms", "https://evil.example", nil), ("/api/rooms", "null", nil), ("/api/rooms", nil, nil),
            ("/api/rooms", "http://127.0.0.1:8080", nil), ("/page.js", friend, nil), ("/ws", friend, nil),
        ] as [(String, String?, String?)])
    func onlyListedPagesReadAnswersOfTheAPI(path: String, origin: String?, allowed: String?) throws {
        let head = try request("GET", path, headers: origin.map { [("Origin", $0)] } ?? []).head
        let headers = router.originRule.sharing(with: head)
        #expect(headers.first("Access-Control-Allow-Origin") == allowed)
        #expect(headers.first("Vary") == (path.contains("pi/") ? "Origin" : nil))
        #expect((headers.first("Access-Control-Expose-Headers") != nil) == (allowed != nil))
        #expect(OriginRule().sharing(with: head).fields.isEmpty)
    }

    @Test(
        arguments: [
            (friend, "PATCH", "GET, HEAD, PATCH, DELETE, OPTIONS"), (friend, nil, nil),
            ("https://evil.example", "PATCH", nil), (nil, "PATCH", nil),
        ] as [(String?, String?, String?)])
    func aPreflightSaysWhatAListedPageMayAsk(origin: String?, method: String?, methods: String?) throws {
        let headers = [("Origin", origin), ("Access-Control-Request-Method", method)]
            .compactMap { name, value in value.map { (name, $0) } }
        let routed = router.route(try request("OPTIONS", "/api/rooms/room_1", headers: headers), at: noon)
        guard case .respond(let response) = routed else { throw HTTPParseError(500, "no answer") }
        let given = response.head.headers
        #expect(response.head.status == 204 && given.first("Allow") != nil)
        #expect(given.first("Access-Control-Allow-Methods") == methods)
        #expect(
            given.first("Access-Control-Allow-Headers")
                == methods.map { _ in "Content-Type, Last-Event-ID, Authorization" })
        #expect(given.first("Access-Control-Max-Age") == methods.map { _ in "7200" })
    }

    /// Compared by canonical equivalence, these marks would have to be put in order.
    @Test func aLongOriginIsComparedByItsBytes() throws {
        let marks = String(repeating: "\u{301}\u{323}", count: 7_000)
        for name in ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Referer"] {
            let head = try request("GET", "/api/rooms", headers: [(name, friend + marks)]).head
            #expect(router.originRule.sharing(with: head).first("Access-Control-Allow-Origin") == nil)
            #expect(router.originRule.maySendByGet(head) == ["Sec-Fetch-Mode", "Referer"].contains(name))
        }
    }

    // MARK: - Telling

    @Test func oneRefusalASecondIsLoggedAndTheRestCounted() {
        var log = RefusalLog()
        let told = [0, 1, 999_999_999, 1_000_000_000, 1_500_000_000, 9_000_000_000].map { log.count(now: $0) }
        #expect(told == [0, nil, nil, 2, nil, 1])
    }

    @Test func refusalsNameTheOptionAndAreShort() {
        let name = String(repeating: "n", count: 5_000) + ".example"
        for refusal in [OriginRefusal.host(name), .page, .hiddenPage] {
            #expect(refusal.news.contains("--origins") && refusal.message.utf8.count < 1_000)
            #expect(refusal == .hiddenPage || refusal.message.contains("--origins"))
        }
    }
}
