import ChatProtocol
import Testing
import Wire

/// What each `valid/client-*.json` means.
private let requests: [String: ClientRequest] = [
    "auth": .auth(token: "eyJhbGciOiJIUzI1NiJ9.e30.x"),
    "create-room": .createRoom(
        RoomCreation(
            name: "Kidney Disease Discussion",
            metadata: ["initial_agent": "research_paper", "tags": ["kidney", "research"]])),
    "create-room-default": .createRoom(RoomCreation()),
    "create-room-right-to-left-mark": .createRoom(RoomCreation(name: "שיחה\u{200F} (1)")),
    "get-room": .getRoom(RoomID("room_1")),
    "update-room": .updateRoom(RoomID("room_1"), RoomChange(name: "Dialysis")),
    "update-room-metadata": .updateRoom(
        RoomID("room_1"), RoomChange(metadata: ["tags": nil, "colour": "green"])),
    "delete-room": .deleteRoom(RoomID("room_1")),
    "set-member": .setMember(RoomID("room_1"), UserID("user_2"), .editor),
    "remove-member": .removeMember(RoomID("room_1"), UserID("user_2")),
    "list-rooms": .listRooms(RoomPage()),
    "list-rooms-page": .listRooms(RoomPage(limit: 200, offset: 40, order: .roomName)),
    "join": .join([JoinRequest(roomID: RoomID("room_1"))]),
    "join-after": .join([JoinRequest(roomID: RoomID("room_1"), after: LogPosition(epoch: "9f2c", seq: 41))]),
    "join-many": .join([
        JoinRequest(roomID: RoomID("room_1"), after: LogPosition(epoch: "9f2c", seq: 41)),
        JoinRequest(roomID: RoomID("room_2")),
    ]),
    "leave": .leave(RoomID("room_1")),
    "open-session": .openSession(RoomID("room_1")),
    "close-session": .closeSession(SessionID("session_1")),
    "send": .send(SendRequest(roomID: RoomID("room_1"), text: "What is new?")),
    "send-all-fields": .send(sendWithAllFields),
    "send-for-people": .send(sendForPeople),
    "send-unknown-field": .send(SendRequest(roomID: RoomID("room_1"), text: "What is new?")),
    "cancel-stream": .cancel(.stream(StreamID("stream_1"))),
    "cancel-session": .cancel(.session(SessionID("session_1"))),
    "cancel-room": .cancel(.room(RoomID("room_1"), messageID: nil)),
    "cancel-message": .cancel(.room(RoomID("room_1"), messageID: "m-1")),
    "reset": .reset(SessionID("session_1"), agentType: nil),
    "reset-agent": .reset(SessionID("session_1"), agentType: "research_paper"),
    "clear-history": .clearHistory(nil, SessionID("session_1")),
    "clear-history-room": .clearHistory(RoomID("room_1"), nil),
    "history": .history(RoomID("room_1"), before: nil, limit: 50),
    "history-before": .history(RoomID("room_1"), before: ExchangeID("exchange_1"), limit: 20),
    "typing": .typing(RoomID("room_1"), isActive: true),
    "read": .read(RoomID("room_1"), ExchangeID("exchange_1")),
    "ping": .ping,
    "release": .release(StreamID("stream_1"), tokens: 16),
]

private var sendWithAllFields: SendRequest {
    var request = SendRequest(
        roomID: RoomID("room_1"), text: "What is new?", messageID: "m-1", busyPolicy: .reject)
    request.sessionID = SessionID("session_1")
    request.agentType = "research_paper"
    request.metadata = ["device": "phone"]
    request.regenerateOf = ExchangeID("exchange_1")
    return request
}

private var sendForPeople: SendRequest {
    var request = SendRequest(roomID: RoomID("room_1"), text: "Just us")
    request.wantsResponse = false
    return request
}

/// A frame that is allowed at a limit and refused one over it.
struct LimitCase: Sendable, CustomTestStringConvertible {
    let what: String
    let limit: Int
    let code: ErrorCode
    let frame: @Sendable (Int) -> JSONObject

    var testDescription: String { what }

    static let all: [LimitCase] = [
        LimitCase(what: "room name", limit: 100, code: .validationError) {
            ["type": "create-room", "room_name": .string(String(repeating: "é", count: $0))]
        },
        LimitCase(what: "room name, in scalars", limit: 100, code: .validationError) {
            ["type": "create-room", "room_name": .string("e" + String(repeating: "\u{301}", count: $0 - 1))]
        },
        LimitCase(what: "room metadata", limit: 10_240, code: .validationError) {
            ["type": "create-room", "metadata": ["key": .string(String(repeating: "m", count: $0 - 10))]]
        },
        LimitCase(what: "message metadata", limit: 10_240, code: .validationError) {
            [
                "type": "send", "room_id": "room_1", "text": "Hello",
                "metadata": ["key": .string(String(repeating: "m", count: $0 - 10))],
            ]
        },
        LimitCase(what: "text", limit: 32_768, code: .messageTooLarge) {
            ["type": "send", "room_id": "room_1", "text": .string(String(repeating: "t", count: $0))]
        },
        LimitCase(what: "id", limit: 64, code: .validationError) {
            ["type": "ping", "id": .string(String(repeating: "i", count: $0))]
        },
        LimitCase(what: "message_id", limit: 64, code: .validationError) {
            [
                "type": "cancel", "room_id": "room_1", "message_id": .string(String(repeating: "i", count: $0)),
            ]
        },
        LimitCase(what: "room_id", limit: 64, code: .notFound) {
            ["type": "get-room", "room_id": .string(String(repeating: "i", count: $0))]
        },
        LimitCase(what: "rooms", limit: 100, code: .validationError) { count in
            ["type": "join", "rooms": .array((1...count).map { ["room_id": .string("room_\($0)")] })]
        },
    ]
}

@Suite struct ClientFrameTests {
    @Test(arguments: try GoldenFrames.names(in: "valid", prefix: "client-"))
    func decodesEveryValidFrame(_ name: String) throws {
        let bytes = try GoldenFrames.bytes("valid/\(name)")
        let object = try #require(try JSONValue(parsing: bytes).object)
        let frame = try ClientFrame.decode(bytes, offersSynthetic: true)
        #expect(frame.request == requests[String(name.dropFirst("client-".count).dropLast(".json".count))])
        #expect(frame.type.rawValue == object["type"]?.string)
        #expect(frame.id == object["id"]?.string)
    }

    @Test func everyFrameTypeHasAValidFrame() throws {
        let types = try GoldenFrames.names(in: "valid", prefix: "client-").map {
            try ClientFrame.decode(try GoldenFrames.bytes("valid/\($0)"), offersSynthetic: true).type
        }
        #expect(Set(types) == Set(ClientFrameType.allCases))
        #expect(types.count == requests.count)
    }

    @Test(arguments: try GoldenFrames.names(in: "invalid"))
    func refusesEveryInvalidFrameWithItsCode(_ name: String) throws {
        var expected = try #require(try GoldenFrames.value("expected.json").object?[name]?.object)
        let bytes = try GoldenFrames.bytes("invalid/\(name)")
        let fault = try #require(throws: FrameFault.self) { try ClientFrame.decode(bytes, offersSynthetic: true) }
        var answer = try #require(try JSONValue(parsing: ServerFrame.error(fault)).object)
        let message = try #require(answer["message"]?.string)
        if let field = expected["field"]?.string { #expect(message.contains("`\(field)`")) }
        expected["field"] = nil
        expected["type"] = "error"
        answer["message"] = nil
        #expect(answer == expected)
    }

    @Test func everyInvalidFrameIsExpected() throws {
        let expected = try #require(try GoldenFrames.value("expected.json").object)
        #expect(expected.members.map(\.key).sorted() == (try GoldenFrames.names(in: "invalid")))
    }

    @Test(arguments: LimitCase.all)
    func allowsTheLimitAndRefusesOneMore(_ example: LimitCase) throws {
        _ = try ClientFrame.decode(JSONValue.object(example.frame(example.limit)).compact)
        let fault = try #require(throws: FrameFault.self) {
            try ClientFrame.decode(JSONValue.object(example.frame(example.limit + 1)).compact)
        }
        #expect(fault.error.code == example.code)
    }

    @Test func doesNotKnowReleaseWithoutTheSyntheticAgent() throws {
        let bytes = try GoldenFrames.bytes("valid/client-release.json")
        let fault = try #require(throws: FrameFault.self) { try ClientFrame.decode(bytes) }
        #expect(fault.type == "release" && fault.error.code == .unknownFrame)
        #expect(!fault.error.message.contains("release"))
        let other = try GoldenFrames.bytes("invalid/type-unknown.json")
        let known = try #require(throws: FrameFault.self) { try ClientFrame.decode(other, offersSynthetic: true) }
        #expect(known.error.message == fault.error.message.dropLast() + ", release.")
    }

    @Test func followsTheConfiguredTextLimit() throws {
        var limits = Limits()
        limits.messageTextBytesMax = 5
        let bytes = JSONValue.object(["type": "send", "room_id": "room_1", "text": "Grüße"]).compact
        let fault = try #require(throws: FrameFault.self) { try ClientFrame.decode(bytes, limits: limits) }
        #expect(fault.error.code == .messageTooLarge)
    }

    @Test func doesNotSendBackAnIDOrTypeThatIsTooLong() throws {
        let long = JSONValue.string(String(repeating: "x", count: 65))
        let bytes = JSONValue.object(["type": long, "id": long, "room_id": long]).compact
        let fault = try #require(throws: FrameFault.self) { try ClientFrame.decode(bytes) }
        #expect(fault.id == nil && fault.type == nil && fault.roomID == nil)
    }

    @Test(arguments: [[], Array("null".utf8), [0xFF], Array(#"{"type":"\#u{0}"}"#.utf8)])
    func refusesWhatIsNotAnObject(_ bytes: [UInt8]) throws {
        let fault = try #require(throws: FrameFault.self) { try ClientFrame.decode(bytes) }
        #expect(fault.error.code == .invalidJSON)
    }

    @Test(arguments: [
        ("\u{1F}", false), ("\u{20}", true), ("\u{7F}", false), ("\u{9F}", false), ("\u{A0}", true),
        ("\u{61C}", true), ("\u{200E}", true), ("\u{200F}", true), ("\u{2029}", true), ("\u{202A}", false),
        ("\u{202E}", false), ("\u{202F}", true), ("\u{2065}", true), ("\u{2066}", false), ("\u{2069}", false),
        ("\u{206A}", true), ("👩‍🔬", true),
    ])
    func allowsInARoomNameWhatCannotTurnTheTextAroundIt(_ name: String, isAllowed: Bool) {
        var isRefused = false
        do { try RoomName.validate("a\(name)b") } catch { isRefused = true }
        #expect(isRefused != isAllowed)
    }

    @Test func saysWhichFieldOfAnHTTPBodyIsWrong() throws {
        let error = try #require(throws: HubError.self) { try RoomName.validate("", field: "title") }
        #expect(error.code == .validationError)
        #expect(error.message == "`title` must have 1 to 100 characters.")
    }
}
