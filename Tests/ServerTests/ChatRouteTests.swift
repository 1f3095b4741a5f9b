import ChatProtocol
import Storage
import Testing
import Wire

@testable import Server

private let user = UserID("user_123")
private let anonymous = UserID("anonymous")
private let room = RoomID("room_1")
private let session = SessionID("session_1")
private let invalid = Outcome.status(400, code: "VALIDATION_ERROR")
private let notFound = Outcome.status(404, code: "NOT_FOUND")

/// A chat request with the defaults of a `POST`.
private func chat(_ text: String?, _ change: (inout ChatRequest) -> Void = { _ in }) -> Outcome {
    var chat = ChatRequest(text: text)
    change(&chat)
    return .chat(chat)
}

@Suite struct ChatRouteTests {
    static let sends: [RouteCase] = [
        RouteCase("POST", "/api/chat/message", #"{"query":"Why?"}"#, gives: chat("Why?")),
        RouteCase("POST", "/api/chat/stream", #"{"message":"Why?","query":null}"#, gives: chat("Why?")),
        RouteCase("POST", "/api/chat/stream", #"{"message":"This?","query":"Why?"}"#, gives: chat("Why?")),
        RouteCase(
            "POST", "/api/chat/message",
            #"{"query":"Why?","session_id":"session_1","room_id":"room_1","user_id":"user_123","message_id":"m1","#
                + #""agent_type":"research_paper","if_busy":"interrupt","metadata":{"a":1},"resources":{"b":[2]}}"#,
            gives: chat("Why?") {
                ($0.sessionID, $0.roomID, $0.userID) = (session, room, user)
                ($0.messageID, $0.agentType, $0.busyPolicy) = ("m1", "research_paper", .interrupt)
                $0.metadata = ["a": 1, "resources": ["b": [2]]]
            }),
        RouteCase(
            "POST", "/api/chat/message?query=Why%3F&session_id=session_1&if_busy=reject",
            gives: chat("Why?") { ($0.sessionID, $0.busyPolicy) = (session, .reject) }),
        RouteCase(
            "POST", "/api/chat/message", #"{"query":"Why?"}"#, headers: [("Accept", "application/json")],
            gives: chat("Why?") { $0.wantsJSON = true }),
        RouteCase(
            "POST", "/api/chat/message", #"{"query":"Why?"}"#,
            headers: [("Accept", "text/event-stream, application/json;q=0.9")], gives: chat("Why?")),
        RouteCase("POST", "/api/chat/message", #"{"query":"Why?"}"#, headers: [("Accept", "*/*")], gives: chat("Why?")),
        RouteCase(
            "GET", "/api/chat/message?session_id=session_1&room_id=room_1&query=Why%3F",
            gives: chat("Why?") { ($0.sessionID, $0.roomID, $0.isGet) = (session, room, true) }),
        RouteCase("GET", "/api/chat/stream?message=Gr%C3%BC%C3%9Fe", gives: chat("Grüße") { $0.isGet = true }),
        RouteCase(
            "POST", "/api/chat/stream", #"{"query":"\#(String(repeating: "a", count: 32 * 1024))"}"#,
            gives: chat(String(repeating: "a", count: 32 * 1024))),
    ]

    @Test(arguments: sends) func messagesAreReadFromBodiesAndQueries(_ example: RouteCase) throws {
        try example.check()
    }

    static let watches: [RouteCase] = [
        RouteCase(
            "GET", "/api/chat/message?session_id=session_1",
            gives: chat(nil) { ($0.sessionID, $0.isGet) = (session, true) }),
        RouteCase(
            "GET", "/api/chat/stream?session_id=session_1&query=Why%3F", headers: [("Last-Event-ID", "e1:42")],
            gives: chat("Why?") {
                ($0.sessionID, $0.isGet, $0.lastEventID) = (session, true, LogPosition(epoch: "e1", seq: 42))
            }),
        RouteCase(
            "GET", "/api/chat/stream?session_id=session_1", headers: [("Last-Event-ID", "e:2/stream_1")],
            gives: chat(nil) {
                ($0.sessionID, $0.isGet) = (session, true)
                ($0.lastEventID, $0.lastStreamID) = (LogPosition(epoch: "e", seq: 2), StreamID("stream_1"))
            }),
        RouteCase(
            "GET", "/api/chat/stream?session_id=session_1&last_event_id=a%3Ab%3A0",
            gives: chat(nil) {
                ($0.sessionID, $0.isGet, $0.lastEventID) = (session, true, LogPosition(epoch: "a:b", seq: 0))
            }),
        RouteCase(
            "GET", "/api/chat/stream?session_id=session_1&last_event_id=e:1", headers: [("Last-Event-ID", "e:2")],
            gives: chat(nil) {
                ($0.sessionID, $0.isGet, $0.lastEventID) = (session, true, LogPosition(epoch: "e", seq: 2))
            }),
        RouteCase(
            "POST", "/api/chat/stream", #"{"session_id":"session_1"}"#, headers: [("Last-Event-ID", "e:2")],
            gives: chat(nil) { ($0.sessionID, $0.lastEventID) = (session, LogPosition(epoch: "e", seq: 2)) }),
    ]

    @Test(arguments: watches) func streamsAreFollowedAndResumed(_ example: RouteCase) throws { try example.check() }

    static let refusals: [RouteCase] = [
        RouteCase("POST", "/api/chat/message", "{}", gives: invalid),
        RouteCase("POST", "/api/chat/message", "", gives: invalid),
        RouteCase("POST", "/api/chat/message", "{", gives: .status(400, code: "INVALID_JSON")),
        RouteCase("POST", "/api/chat/message", "[]", gives: invalid),
        RouteCase("POST", "/api/chat/message", #"{"query":""}"#, gives: invalid),
        RouteCase("POST", "/api/chat/message", #"{"query":7}"#, gives: invalid),
        RouteCase("POST", "/api/chat/message", #"{"query":"?","if_busy":"wait"}"#, gives: invalid),
        RouteCase("POST", "/api/chat/message", #"{"query":"?","metadata":[]}"#, gives: invalid),
        RouteCase("POST", "/api/chat/message", #"{"query":"?","resources":"r"}"#, gives: invalid),
        RouteCase(
            "POST", "/api/chat/message",
            #"{"query":"?","resources":{"a":"\#(String(repeating: "a", count: 10_240))"}}"#, gives: invalid),
        RouteCase("POST", "/api/chat/message", #"{"query":"?","message_id":""}"#, gives: invalid),
        RouteCase(
            "POST", "/api/chat/message", #"{"query":"?","agent_type":"\#(String(repeating: "a", count: 65))"}"#,
            gives: invalid),
        RouteCase("POST", "/api/chat/message", #"{"query":"?","user_id":"a b"}"#, gives: invalid),
        RouteCase("POST", "/api/chat/message", #"{"query":"?","session_id":"a b"}"#, gives: notFound),
        RouteCase("POST", "/api/chat/message", #"{"query":"?","room_id":"a b"}"#, gives: notFound),
        RouteCase(
            "POST", "/api/chat/message", #"{"query":"?"}"#, headers: [("Content-Type", "text/plain")],
            gives: .status(415, code: "UNSUPPORTED_MEDIA_TYPE")),
        RouteCase(
            "POST", "/api/chat/stream", #"{"query":"\#(String(repeating: "ä", count: 16 * 1024))a"}"#,
            gives: .status(413, code: "MESSAGE_TOO_LARGE")),
        RouteCase("GET", "/api/chat/message", gives: invalid),
        RouteCase("GET", "/api/chat/message?room_id=room_1", gives: invalid),
        RouteCase("GET", "/api/chat/message?query=&session_id=session_1", gives: invalid),
        RouteCase("GET", "/api/chat/message?query=Why", headers: [("Last-Event-ID", "e:1")], gives: invalid),
        RouteCase(
            "GET", "/api/chat/message?session_id=s",
            headers: [("Last-Event-ID", "e:1"), ("Accept", "application/json")], gives: invalid),
        RouteCase("GET", "/api/chat/message?session_id=s", headers: [("Last-Event-ID", "7")], gives: invalid),
        RouteCase("GET", "/api/chat/message?session_id=s", headers: [("Last-Event-ID", ":7")], gives: invalid),
        RouteCase("GET", "/api/chat/message?session_id=s", headers: [("Last-Event-ID", "e:7/")], gives: invalid),
        RouteCase("GET", "/api/chat/message?session_id=s", headers: [("Last-Event-ID", "e/s:7")], gives: invalid),
        RouteCase("GET", "/api/chat/message?session_id=s", headers: [("Last-Event-ID", "e:-7")], gives: invalid),
        RouteCase("GET", "/api/chat/other", gives: notFound),
        RouteCase("GET", "/api/chat", gives: notFound),
    ]

    @Test(arguments: refusals) func whatCannotBeSentIsRefused(_ example: RouteCase) throws { try example.check() }

    @Test(
        arguments: [
            ([], 0), ([("Sec-Fetch-Site", "same-origin")], 0), ([("Sec-Fetch-Site", "none")], 0),
            ([("Sec-Fetch-Site", "cross-site")], 403), ([("Sec-Fetch-Site", "same-site")], 403),
            ([("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")], 403),
            ([("Origin", "http://127.0.0.1:8080"), ("Sec-Fetch-Site", "cross-site")], 0),
            ([("Origin", "https://friend.example"), ("Sec-Fetch-Site", "cross-site")], 0),
        ] as [([(String, String)], Int)]) func anImageOnAnyPageCannotSend(
            headers: [(String, String)], status: Int
        ) throws
    {
        let router = Router(assets: Assets(), origins: ["https://friend.example"])
        let sends = router.route(try request("GET", "/api/chat/message?query=Why", headers: headers), at: noon)
        let watches = router.route(
            try request("GET", "/api/chat/message?session_id=session_1", headers: headers), at: noon)
        if case .refused(_, let response) = sends {
            #expect(response.head.status == status)
        } else {
            #expect(status == 0)
        }
        guard case .chat = watches else {
            Issue.record("following a stream sends nothing")
            return
        }
    }

    @Test func theTextsLimitIsTheConfigurations() throws {
        var limits = Limits()
        limits.messageTextBytesMax = 3
        let router = Router(assets: Assets(), limits: limits)
        let outcome = try Outcome(router.route(request("GET", "/api/chat/stream?query=four"), at: noon))
        #expect(outcome == .status(413, code: "MESSAGE_TOO_LARGE"))
    }

    static let lists: [RouteCase] = [
        RouteCase(
            "GET", "/api/chat/history?user_id=user_123&agent_type=research_paper&limit=500&offset=3",
            gives: .command(
                user, .historyPage(HistoryFilter(userID: user, agentType: "research_paper"), limit: 200, offset: 3),
                .history(limit: 200, offset: 3))),
        RouteCase(
            "GET", "/api/chat/history?session_id=session_1&room_id=room_1",
            gives: .command(
                anonymous, .historyPage(HistoryFilter(roomID: room, sessionID: session), limit: 50, offset: 0),
                .history(limit: 50, offset: 0))),
        RouteCase("GET", "/api/chat/history", gives: invalid),
        RouteCase("GET", "/api/chat/history?agent_type=research_paper", gives: invalid),
        RouteCase("GET", "/api/chat/history?user_id=user_123&limit=0", gives: invalid),
        RouteCase("GET", "/api/chat/history?session_id=a%20b", gives: notFound),
        RouteCase(
            "GET", "/api/chat/rooms?user_id=user_123&limit=2&sort_by=room_name",
            gives: .command(
                user, .listRooms(RoomPage(limit: 2, order: .roomName)), .deprecatedRooms(limit: 2, offset: 0))),
        RouteCase("GET", "/api/chat/rooms", gives: invalid),
    ]

    @Test(arguments: lists) func listsAreFiltered(_ example: RouteCase) throws { try example.check() }
}

@Suite struct ChatRenderingTests {
    private func exchange(_ status: ExchangeStatus, error: StreamError? = nil) -> ExchangeRecord {
        var exchange = ExchangeRecord(
            exchangeID: ExchangeID("exchange_1"), streamID: StreamID("stream_1"), roomID: room, sessionID: session,
            userID: user, agentType: "research_paper", startedAt: noon)
        exchange.status = status
        exchange.text = "Based on…"
        exchange.error = error
        return exchange
    }

    @Test func aWholeAnswerStandsInTheEnvelope() {
        var answered = exchange(.completed)
        answered.usage = Usage(promptTokens: 4, completionTokens: 2, totalTokens: 6, model: "gpt-4")
        let response = ChatRendering.json(answered, at: noon, path: "/api/chat/message")
        #expect(response.head.status == 200)
        #expect(
            String(decoding: response.body, as: UTF8.self) == """
                {"success":true,"message":"Message processed successfully","data":{"session_id":"session_1",\
                "room_id":"room_1","exchange_id":"exchange_1","stream_id":"stream_1","agent_type":"research_paper",\
                "status":"completed","response":"Based on…","usage":{"prompt_tokens":4,"completion_tokens":2,\
                "total_tokens":6,"model":"gpt-4","estimated":false}},"timestamp":"2025-01-26T10:30:00.000Z"}
                """)
    }

    static let endings: [(ExchangeStatus, ErrorCode?, Int)] = [
        (.cancelled, nil, 200), (.failed, nil, 502), (.failed, .agentFailed, 502), (.failed, .agentTimeout, 504),
        (.failed, .storageUnavailable, 503), (.interrupted, nil, 503), (.streaming, nil, 503),
    ]

    @Test(arguments: endings) func everyEndHasItsStatus(_ status: ExchangeStatus, code: ErrorCode?, http: Int) throws {
        let error = code.map { StreamError(code: $0, message: "It broke.") }
        let response = ChatRendering.json(exchange(status, error: error), at: noon, path: "/x")
        #expect(response.head.status == http)
        let envelope = try #require(try JSONValue(parsing: response.body).object)
        #expect(envelope["success"]?.bool == (http == 200))
        #expect(envelope["path"]?.string == (http == 200 ? nil : "/x"))
        #expect(envelope["data"]?.object?["usage"] == (http == 200 ? .null : nil))
    }

    @Test(arguments: [true, false]) func theDeprecatedListSaysSo(isFound: Bool) throws {
        let result: Result<Ack, HubError> =
            isFound ? .success(.rooms([], total: 0)) : .failure(HubError(.busy, "Later."))
        let response = RouteRendering.deprecatedRooms(limit: 50, offset: 0).response(for: result, at: noon, path: "/")
        guard
            case .respond(let refusal) = Router(assets: Assets()).route(try request("GET", "/api/chat/rooms"), at: noon)
        else {
            Issue.record("no user was named")
            return
        }
        for headers in [response.head.headers, refusal.head.headers] {
            #expect(headers.first("Deprecation") == "@1737849600")
            #expect(headers.first("Sunset") == "Sat, 26 Jul 2025 00:00:00 GMT")
            #expect(headers.first("Link") == #"</api/rooms>; rel="successor-version""#)
        }
    }
}

@Suite struct HealthReportTests {
    static let full = StorageTrouble(reason: "database or disk is full", seconds: 9)
    static let reports: [(StorageTrouble?, Int, Bool, String, Int)] = [
        (nil, 0, false, "healthy", 200), (nil, 449, false, "healthy", 200), (nil, 450, false, "degraded", 200),
        (nil, 500, false, "degraded", 200), (full, 0, false, "unhealthy", 503), (nil, 0, true, "unhealthy", 503),
    ]

    @Test(arguments: reports) func theReportFollowsItsNumbers(
        trouble: StorageTrouble?, streams: Int, isDraining: Bool, status: String, http: Int
    ) throws {
        let report = HealthReport(
            storageMicroseconds: 5_250, storageTrouble: trouble, activeSessions: 7, activeStreams: streams,
            streamCapacity: 500, isDraining: isDraining)
        let response = report.response(at: noon)
        #expect(response.head.status == http)
        let body = try #require(try JSONValue(parsing: response.body).object)
        #expect(body["status"]?.string == status)
        let database = body["checks"]?.object?["database"]?.object
        #expect(database?["latency_ms"]?.double == 5.25)
        #expect(database?["error"]?.string == trouble?.reason)
    }

    @Test(
        arguments: [
            (nil, false, 200, #"{"status":"ready"}"#),
            (full, true, 503, #"{"status":"unavailable","reason":"storage: database or disk is full"}"#),
            (nil, true, 503, #"{"status":"unavailable","reason":"the hub is stopping"}"#),
        ] as [(StorageTrouble?, Bool, Int, String)])
    func readinessSaysWhatIsWrong(trouble: StorageTrouble?, isDraining: Bool, http: Int, body: String) {
        let report = HealthReport(
            storageMicroseconds: 1, storageTrouble: trouble, activeSessions: 0, activeStreams: 0, streamCapacity: 500,
            isDraining: isDraining)
        #expect(report.readiness.head.status == http)
        #expect(String(decoding: report.readiness.body, as: UTF8.self) == body)
    }

    @Test func theReportHasTheSeedsForm() {
        let report = HealthReport(
            storageMicroseconds: 5_000, activeSessions: 7, activeStreams: 12, streamCapacity: 500, isDraining: false)
        #expect(
            String(decoding: report.response(at: noon).body, as: UTF8.self) == """
                {"status":"healthy","timestamp":"2025-01-26T10:30:00.000Z","version":"\(Version.current)",\
                "checks":{"database":{"status":"healthy","latency_ms":5.0},\
                "sessions":{"status":"healthy","active_count":7},\
                "streams":{"status":"healthy","active_count":12,"capacity":500}}}
                """)
    }
}
