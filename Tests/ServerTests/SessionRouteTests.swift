import ChatProtocol
import Testing
import Wire

@testable import Server

private let user = UserID("user_123")
private let anonymous = UserID("anonymous")
private let room = RoomID("room_a1b2c3d4")
private let session = SessionID("session_xyz789")

@Suite struct SessionRouteTests {
    static let commands: [RouteCase] = [
        RouteCase(
            "POST", "/api/session/create", #"{"user_id":"user_123","room_id":"room_a1b2c3d4"}"#,
            headers: [("Content-Type", "application/json")],
            gives: .command(user, .openSession(room), .sessionCreated)),
        RouteCase(
            "POST", "/api/session/create", #"{"user_id":"user_123","room_id":null}"#,
            gives: .command(user, .openSession(nil), .sessionCreated)),
        RouteCase(
            "GET", "/api/session/session_xyz789", gives: .command(anonymous, .getSession(session), .sessionFetched)),
        RouteCase(
            "HEAD", "/api/session/session_xyz789/?user_id=user_123",
            gives: .command(user, .getSession(session), .sessionFetched)),
        RouteCase(
            "DELETE", "/api/session/session_xyz789",
            gives: .command(anonymous, .closeSession(session), .sessionClosed)),
        RouteCase(
            "POST", "/api/session/session_xyz789/reset", #"{"agent_type":"research_paper"}"#,
            gives: .command(anonymous, .reset(session, agentType: "research_paper"), .sessionReset)),
        RouteCase(
            "POST", "/api/session/session_xyz789/reset", #"{"agent_type":null,"user_id":"user_123"}"#,
            gives: .command(user, .reset(session, agentType: nil), .sessionReset)),
        RouteCase(
            "POST", "/api/session/session_xyz789/reset", headers: [("Content-Type", "text/plain")],
            gives: .command(anonymous, .reset(session, agentType: nil), .sessionReset)),
        RouteCase(
            "POST", "/api/session/session_xyz789/stop",
            gives: .command(anonymous, .stopSession(session), .streamStopped)),
        RouteCase(
            "POST", "/api/session/session_xyz789/stop?user_id=user_123", "whatever",
            gives: .command(user, .stopSession(session), .streamStopped)),
        RouteCase(
            "DELETE", "/api/session/session_xyz789/history?room_id=room_a1b2c3d4",
            gives: .command(anonymous, .clearHistory(room, session), .historyCleared(session))),
        RouteCase(
            "DELETE", "/api/session/session_xyz789/history?user_id=user_123",
            gives: .command(user, .clearHistory(nil, session), .historyCleared(session))),
    ]

    @Test(arguments: commands) func requestsBecomeCommands(_ example: RouteCase) throws { try example.check() }

    static let refusals: [RouteCase] = [
        RouteCase("POST", "/api/session/create", "", gives: .status(400, code: "INVALID_JSON")),
        RouteCase("POST", "/api/session/create", "{}", gives: .status(400, code: "VALIDATION_ERROR")),
        RouteCase("POST", "/api/session/create", #"{"user_id":"a b"}"#, gives: .status(400, code: "VALIDATION_ERROR")),
        RouteCase(
            "POST", "/api/session/create", #"{"user_id":"u","room_id":7}"#,
            gives: .status(400, code: "VALIDATION_ERROR")),
        RouteCase(
            "POST", "/api/session/create", #"{"user_id":"u","room_id":"a b"}"#,
            gives: .status(404, code: "NOT_FOUND")),
        RouteCase(
            "POST", "/api/session/create", #"{"user_id":"u"}"#, headers: [("Content-Type", "text/plain")],
            gives: .status(415, code: "UNSUPPORTED_MEDIA_TYPE")),
        RouteCase("GET", "/api/session/a%20b", gives: .status(404, code: "NOT_FOUND")),
        RouteCase("GET", "/api/session", gives: .status(404, code: "NOT_FOUND")),
        RouteCase("POST", "/api/session/session_1/other", gives: .status(404, code: "NOT_FOUND")),
        RouteCase("GET", "/api/session/session_1?user_id=a%20b", gives: .status(400, code: "VALIDATION_ERROR")),
        RouteCase("POST", "/api/session/session_1/reset", "{", gives: .status(400, code: "INVALID_JSON")),
        RouteCase("POST", "/api/session/session_1/reset", "[]", gives: .status(400, code: "VALIDATION_ERROR")),
        RouteCase(
            "POST", "/api/session/session_1/reset", #"{"agent_type":""}"#,
            gives: .status(400, code: "VALIDATION_ERROR")),
        RouteCase(
            "POST", "/api/session/session_1/reset", #"{"agent_type":["a"]}"#,
            gives: .status(400, code: "VALIDATION_ERROR")),
        RouteCase(
            "DELETE", "/api/session/session_1/history?room_id=a%20b", gives: .status(404, code: "NOT_FOUND")),
        RouteCase(
            "POST", "/api/session/session_1/stop", headers: [("Origin", "https://evil.example")],
            gives: .status(403, code: "ACCESS_DENIED")),
    ]

    @Test(arguments: refusals) func whatCannotBecomeACommandIsRefused(_ example: RouteCase) throws {
        try example.check()
    }
}

@Suite struct SessionRenderingTests {
    private let record = SessionRecord(
        sessionID: session, userID: user, roomID: room, createdAt: noon,
        expiresAt: Timestamp(milliseconds: noon.milliseconds + 1_800_000))

    private func data(_ rendering: RouteRendering, _ ack: Ack) throws -> (HTTPResponse, JSONObject) {
        let response = rendering.response(for: .success(ack), at: noon, path: "/")
        return (response, try #require(try JSONValue(parsing: response.body).object))
    }

    @Test func aCreatedSessionIsAnsweredAsTheSeedHasIt() {
        let response = RouteRendering.sessionCreated.response(for: .success(.session(record)), at: noon, path: "/")
        #expect(response.head.status == 201)
        #expect(response.head.headers.first("Location") == "/api/session/session_xyz789")
        #expect(
            String(decoding: response.body, as: UTF8.self) == """
                {"success":true,"message":"Session created successfully","data":{"session_id":"session_xyz789",\
                "user_id":"user_123","room_id":"room_a1b2c3d4","created_at":"2025-01-26T10:30:00.000Z",\
                "expires_at":"2025-01-26T11:00:00.000Z"},"timestamp":"2025-01-26T10:30:00.000Z"}
                """)
    }

    static let answers: [(RouteRendering, Ack, String, JSONObject)] = [
        (
            .sessionReset, .reset(session, agentType: "research_paper", count: 5), "Session reset successfully",
            ["session_id": "session_xyz789", "reset_scope": "research_paper", "conversations_cleared": 5]
        ),
        (
            .sessionReset, .reset(session, agentType: nil, count: 0), "Session reset successfully",
            ["session_id": "session_xyz789", "reset_scope": "all", "conversations_cleared": 0]
        ),
        (
            .historyCleared(session), .historyCleared(count: 3), "History cleared successfully",
            ["session_id": "session_xyz789", "conversations_cleared": 3]
        ),
    ]

    @Test(arguments: answers) func operationsAreAnsweredAsTheSeedHasThem(
        rendering: RouteRendering, ack: Ack, message: String, expected: JSONObject
    ) throws {
        let (response, envelope) = try data(rendering, ack)
        #expect(response.head.status == 200)
        #expect(envelope["message"]?.string == message)
        #expect(envelope["data"]?.object == expected)
    }

    @Test func aSessionIsFetchedWholeAndDeletedByItsName() throws {
        #expect(try data(.sessionFetched, .session(record)).1["data"]?.object?["room_id"] == "room_a1b2c3d4")
        let (response, envelope) = try data(.sessionClosed, .session(record))
        #expect(response.head.status == 200)
        #expect(envelope["data"] == ["session_id": "session_xyz789"])
    }

    @Test(
        arguments: [
            ("Based on recent research...", "stop_requested"), ("", "stop_requested"), (nil, "no_active_stream"),
        ] as [(String?, String)]) func aStopTellsWhatTheAnswerWas(partial: String?, status: String) throws
    {
        let (response, envelope) = try data(.streamStopped, .stopped(record, partial: partial))
        #expect(response.head.status == 200)
        #expect(envelope["message"] == "Stream stop requested")
        #expect(
            envelope["data"]?.object == [
                "session_id": "session_xyz789", "room_id": "room_a1b2c3d4", "status": .string(status),
                "partial_response": partial.map { .string($0) } ?? .null,
            ])
    }
}
