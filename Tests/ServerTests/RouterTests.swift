import ChatProtocol
import Testing
import Wire

@testable import Server

let noon = Timestamp(milliseconds: 1_737_887_400_000)  // 2025-01-26T10:30:00.000Z

/// Parses a request as a socket would bring it; `Host` is set unless the headers do, or HTTP/1.0 needs none.
func request(
    _ method: String, _ target: String, body: String = "", headers: [(String, String)] = [], version: String = "1.1"
) throws -> HTTPRequest {
    var lines = ["\(method) \(target) HTTP/\(version)", "Content-Length: \(body.utf8.count)"]
    if version == "1.1", !headers.contains(where: { $0.0 == "Host" }) { lines.append("Host: 127.0.0.1:8080") }
    lines += headers.map { "\($0.0): \($0.1)" }
    let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
    var parser = HTTPRequestParser()
    var head: HTTPRequestHead?
    var content: [UInt8] = []
    _ = try bytes.withUnsafeBytes { buffer in
        try parser.receive(buffer) { event in
            switch event {
            case .head(let received): head = received
            case .body(let piece): content += piece
            case .end: break
            }
        }
    }
    guard let head else { throw HTTPParseError(400, "incomplete") }
    return HTTPRequest(head: head, body: content)
}

/// What a test can compare of a routed request.
enum Outcome: Equatable {
    case status(Int, code: String?)
    case command(UserID, ClientRequest, RouteRendering)
    case webSocket, webSocketEcho
    case chat(ChatRequest)
    case health(HealthProbe)

    init(_ routed: Routed) throws {
        switch routed {
        case .respond(let response), .refused(_, let response):
            let json = response.body.isEmpty ? nil : try? JSONValue(parsing: response.body)
            self = .status(response.head.status, code: json?.object?["error_code"]?.string)
        case .command(let user, let request, let render): self = .command(user, request, render)
        case .webSocket: self = .webSocket
        case .webSocketEcho: self = .webSocketEcho
        case .chat(let chat): self = .chat(chat)
        case .health(let probe): self = .health(probe)
        }
    }
}

struct RouteCase: CustomTestStringConvertible {
    let method: String
    let target: String
    let body: String
    let headers: [(String, String)]
    let expected: Outcome

    init(
        _ method: String, _ target: String, _ body: String = "", headers: [(String, String)] = [],
        gives expected: Outcome
    ) {
        (self.method, self.target, self.body, self.headers) = (method, target, body, headers)
        self.expected = expected
    }

    var testDescription: String { "\(method) \(target) \(body) \(headers)" }

    func check() throws {
        let routed = Router(assets: Assets()).route(try request(method, target, body: body, headers: headers), at: noon)
        #expect(try Outcome(routed) == expected)
    }
}

private let user = UserID("user_123")
private let anonymous = UserID("anonymous")
private let room = RoomID("room_1")

private func refused(_ status: Int, _ code: String) -> Outcome { .status(status, code: code) }
private let invalid = refused(400, "VALIDATION_ERROR")
private let notFound = refused(404, "NOT_FOUND")

@Suite struct RouterTests {
    static let commands: [RouteCase] = [
        RouteCase(
            "POST", "/api/rooms",
            #"{"user_id":"user_123","room_name":"Kidneys","metadata":{"initial_agent":"research_paper"}}"#,
            headers: [("Content-Type", "application/json")],
            gives: .command(
                user,
                .createRoom(RoomCreation(name: "Kidneys", metadata: ["initial_agent": "research_paper"])),
                .roomCreated)),
        RouteCase(
            "POST", "/api/rooms/?user_id=user_123", #"{"room_name":null}"#,
            gives: .command(user, .createRoom(RoomCreation()), .roomCreated)),
        RouteCase(
            "GET", "/api/rooms?user_id=user_123&limit=20&offset=40&sort_by=room_name",
            gives: .command(
                user, .listRooms(RoomPage(limit: 20, offset: 40, order: .roomName)), .rooms(limit: 20, offset: 40))),
        RouteCase(
            "GET", "/api/rooms?user_id=user%5F123&limit=1000",
            gives: .command(user, .listRooms(RoomPage(limit: 200)), .rooms(limit: 200, offset: 0))),
        RouteCase(
            "GET", "/api/rooms/?user_id=user_123&user_id=other",
            gives: .command(user, .listRooms(RoomPage()), .rooms(limit: 50, offset: 0))),
        RouteCase(
            "PUT", "/api/rooms/room_1/members/user_2", #"{"user_id":"user_123","role":"viewer"}"#,
            gives: .command(user, .setMember(room, UserID("user_2"), .viewer), .memberSet)),
        RouteCase(
            "PUT", "/api/rooms/room_1/members/user_2?user_id=user_123", #"{"role":"editor"}"#,
            gives: .command(user, .setMember(room, UserID("user_2"), .editor), .memberSet)),
        RouteCase(
            "DELETE", "/api/rooms/room_1/members/user_2?user_id=user_123",
            gives: .command(user, .removeMember(room, UserID("user_2")), .memberRemoved)),
        RouteCase("PUT", "/api/rooms/room_1/members/user_2", #"{"role":"editor"}"#, gives: invalid),
        RouteCase("PUT", "/api/rooms/room_1/members/user_2", #"{"user_id":"user_123"}"#, gives: invalid),
        RouteCase("PUT", "/api/rooms/room_1/members/a.b", #"{"user_id":"a","role":"editor"}"#, gives: notFound),
        RouteCase("DELETE", "/api/rooms/room_1/members/user_2", gives: invalid),
        RouteCase("GET", "/api/rooms/room_1/members", gives: notFound),
        RouteCase("GET", "/api/rooms/room_1", gives: .command(anonymous, .getRoom(room), .roomFetched)),
        RouteCase("GET", "/api/rooms/room_1/", gives: .command(anonymous, .getRoom(room), .roomFetched)),
        RouteCase("GET", "/%61pi/rooms/room%5F1", gives: .command(anonymous, .getRoom(room), .roomFetched)),
        RouteCase("HEAD", "/api/rooms/room_1", gives: .command(anonymous, .getRoom(room), .roomFetched)),
        RouteCase(
            "PATCH", "/api/rooms/room_1?user_id=user_123", #"{"room_name":"New","metadata":{"tags":null}}"#,
            headers: [("content-type", "application/merge-patch+json; charset=utf-8")],
            gives: .command(
                user, .updateRoom(room, RoomChange(name: "New", metadata: ["tags": nil])), .roomUpdated)),
        RouteCase(
            "PATCH", "/api/rooms/room_1", #"{"user_id":"user_123","room_name":"New"}"#,
            gives: .command(user, .updateRoom(room, RoomChange(name: "New")), .roomUpdated)),
        RouteCase(
            "DELETE", "/api/rooms/room_1?user_id=user_123", gives: .command(user, .deleteRoom(room), .roomDeleted)),
        RouteCase(
            "GET", "/api/rooms/room_1/history?limit=5&offset=10",
            gives: .command(
                anonymous, .historyPage(HistoryFilter(roomID: room), limit: 5, offset: 10),
                .history(limit: 5, offset: 10))),
        RouteCase(
            "GET", "/api/rooms/room_1/history",
            gives: .command(
                anonymous, .historyPage(HistoryFilter(roomID: room), limit: 50, offset: 0),
                .history(limit: 50, offset: 0))),
    ]

    @Test(arguments: commands) func requestsBecomeCommands(_ example: RouteCase) throws { try example.check() }

    static let refusals: [RouteCase] = [
        RouteCase("POST", "/api/rooms", "{", gives: refused(400, "INVALID_JSON")),
        RouteCase("POST", "/api/rooms", "", gives: refused(400, "INVALID_JSON")),
        RouteCase("POST", "/api/rooms", "[]", gives: invalid),
        RouteCase("POST", "/api/rooms", "{}", gives: invalid),
        RouteCase("POST", "/api/rooms", #"{"user_id":7}"#, gives: invalid),
        RouteCase("POST", "/api/rooms", #"{"user_id":"a b"}"#, gives: invalid),
        RouteCase("POST", "/api/rooms", #"{"user_id":""}"#, gives: invalid),
        RouteCase(
            "POST", "/api/rooms", "{\"user_id\":\"\(String(repeating: "u", count: 65))\"}", gives: invalid),
        RouteCase("POST", "/api/rooms", #"{"user_id":"u","room_name":""}"#, gives: invalid),
        RouteCase("POST", "/api/rooms", #"{"user_id":"u","room_name":7}"#, gives: invalid),
        RouteCase("POST", "/api/rooms", #"{"user_id":"u","metadata":[]}"#, gives: invalid),
        RouteCase(
            "POST", "/api/rooms",
            "{\"user_id\":\"u\",\"room_name\":\"\(String(repeating: "é", count: 101))\"}", gives: invalid),
        RouteCase(
            "POST", "/api/rooms",
            "{\"user_id\":\"u\",\"metadata\":{\"a\":\"\(String(repeating: "x", count: 10_240))\"}}", gives: invalid),
        RouteCase(
            "POST", "/api/rooms", #"{"user_id":"u"}"#, headers: [("Content-Type", "text/plain")],
            gives: refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        RouteCase(
            "POST", "/api/rooms", #"{"user_id":"u"}"#, headers: [("Content-Type", "application/jsonx")],
            gives: refused(415, "UNSUPPORTED_MEDIA_TYPE")),
        RouteCase(
            "POST", "/api/rooms", #"{"user_id":"u"}"#,
            headers: [("Origin", "https://evil.example"), ("Host", "127.0.0.1:8080")],
            gives: refused(403, "ACCESS_DENIED")),
        RouteCase("GET", "/api/rooms", gives: invalid),
        RouteCase("GET", "/api/rooms?user_id=", gives: invalid),
        RouteCase("GET", "/api/rooms?user_id=u&limit=0", gives: invalid),
        RouteCase("GET", "/api/rooms?user_id=u&limit=-1", gives: invalid),
        RouteCase("GET", "/api/rooms?user_id=u&limit=ten", gives: invalid),
        RouteCase("GET", "/api/rooms?user_id=u&offset=-1", gives: invalid),
        RouteCase("GET", "/api/rooms?user_id=u&offset=99999999999999999999", gives: invalid),
        RouteCase("GET", "/api/rooms?user_id=u&limit=1&offset=9223372036854775807", gives: invalid),
        RouteCase("GET", "/api/rooms?user_id=u&sort_by=color", gives: invalid),
        RouteCase("GET", "/api/rooms/room_1?user_id=a%20b", gives: invalid),
        RouteCase("GET", "/api/rooms/room_1/history?limit=0", gives: invalid),
        RouteCase("PATCH", "/api/rooms/room_1", #"{"room_name":"New"}"#, gives: invalid),
        RouteCase("PATCH", "/api/rooms/room_1?user_id=u", "{}", gives: invalid),
        RouteCase("PATCH", "/api/rooms/room_1?user_id=u", #"{"room_name":null}"#, gives: invalid),
        RouteCase("DELETE", "/api/rooms/room_1", gives: invalid),
        RouteCase("GET", "/api/rooms/room%201", gives: notFound),
        RouteCase("GET", "/api/rooms/" + String(repeating: "r", count: 65), gives: notFound),
        RouteCase("GET", "/api/rooms//", gives: notFound),
        RouteCase("GET", "/api/rooms/room_1/other", gives: notFound),
        RouteCase("GET", "/api", gives: notFound),
        RouteCase("GET", "/ws/echo", gives: notFound),
        RouteCase("PUT", "/api/rooms", gives: refused(405, "METHOD_NOT_ALLOWED")),
        RouteCase("POST", "/api/rooms/room_1", gives: refused(405, "METHOD_NOT_ALLOWED")),
        RouteCase("GET", "/api/rooms/room_1/members/user_2", gives: refused(405, "METHOD_NOT_ALLOWED")),
        RouteCase("DELETE", "/api/rooms/room_1/history", gives: refused(405, "METHOD_NOT_ALLOWED")),
        RouteCase("POST", "/ws", gives: refused(405, "METHOD_NOT_ALLOWED")),
        RouteCase("OPTIONS", "/api/rooms", gives: .status(204, code: nil)),
    ]

    @Test(arguments: refusals) func whatCannotBecomeACommandIsRefused(_ example: RouteCase) throws {
        try example.check()
    }

    static let others: [RouteCase] = [
        RouteCase("GET", "/ws?user_id=u", gives: .webSocket),
        RouteCase("GET", "/healthz", gives: .health(.alive)),
        RouteCase("GET", "/readyz", gives: .health(.ready)),
        RouteCase("GET", "/api/health", gives: .health(.detailed)),
        RouteCase("GET", "/", gives: .status(200, code: nil)),
    ]

    @Test(arguments: others) func socketsAndProbesAreTheShells(_ example: RouteCase) throws { try example.check() }

    @Test func theEchoExistsWithDiagnosticsOnly() throws {
        let router = Router(assets: Assets(), offersDiagnostics: true)
        #expect(try Outcome(router.route(request("GET", "/ws/echo"), at: noon)) == .webSocketEcho)
    }

    @Test(arguments: [
        ("GET", "/api/session/create", "POST, OPTIONS"),
        ("POST", "/api/session/session_1", "GET, HEAD, DELETE, OPTIONS"),
        ("GET", "/api/session/session_1/stop", "POST, OPTIONS"),
        ("GET", "/api/session/session_1/history", "DELETE, OPTIONS"),
        ("HEAD", "/api/chat/message", "GET, POST, OPTIONS"),
        ("POST", "/api/chat/history", "GET, HEAD, OPTIONS"),
        ("PUT", "/api/rooms", "GET, HEAD, POST, OPTIONS"),
        ("OPTIONS", "/api/rooms/room_1", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("POST", "/api/rooms/room_1/history", "GET, HEAD, OPTIONS"),
    ]) func aWrongMethodLearnsTheRightOnes(method: String, path: String, allow: String) throws {
        guard case .respond(let response) = Router(assets: Assets()).route(try request(method, path), at: noon) else {
            Issue.record("routed on")
            return
        }
        #expect(response.head.headers.first("Allow") == allow)
    }

    @Test(arguments: [
        ([], true),
        ([("Origin", "http://127.0.0.1:8080"), ("Host", "127.0.0.1:8080")], true),
        ([("Origin", "https://LocalHost"), ("Host", "localhost")], true),
        ([("Origin", "http://[::1]:8080"), ("Host", "[::1]:8080")], true),
        ([("Origin", "http://rebound.example"), ("Host", "rebound.example")], false),
        ([("Origin", "https://friend.example"), ("Host", "hub.example")], true),
        ([("Origin", "https://evil.example"), ("Host", "hub.example")], false),
        ([("Origin", "http://127.0.0.1:9090"), ("Host", "127.0.0.1:8080")], false),
        ([("Origin", "null"), ("Host", "hub.example")], false),
        ([("Origin", "https://evil.example"), ("Host", "evil.example:443")], false),
    ]) func pagesOfOtherOriginsMayNotAct(headers: [(String, String)], isAllowed: Bool) throws {
        let head = try request("GET", "/ws", headers: headers).head
        #expect(OriginRule(["https://friend.example"]).allows(head) == isAllowed)
    }

    @Test(arguments: [
        ("/ws?user_id=user_123", UserID("user_123")), ("/ws", UserID("anonymous")), ("/ws?user_id=a%2Fb", nil),
    ]) func aSocketsUserComesFromItsQuery(target: String, user: UserID?) throws {
        let head = try request("GET", target).head
        let decided = try? Identity.decide(webSocket: head).get()
        #expect(decided == user)
    }
}
