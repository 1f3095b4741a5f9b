import ChatProtocol
import Testing
import Wire

@testable import Server

@Suite struct RouteRenderingTests {
    private let room = RoomRecord(
        roomID: RoomID("room_a1b2c3d4-e5f6-7890-abcd-ef1234567890"), userID: UserID("user_123"),
        name: "Kidney Disease Discussion", createdAt: noon, lastActivity: noon, messageCount: 0,
        metadata: ["initial_agent": "research_paper", "tags": ["kidney", "research"]],
        defaultSessionID: SessionID("session_1"))

    private var exchange: ExchangeRecord {
        var exchange = ExchangeRecord(
            exchangeID: ExchangeID("exchange_1"), streamID: StreamID("stream_1"), roomID: RoomID("room_a1b2c3d4"),
            sessionID: SessionID("session_xyz789"), userID: UserID("user_123"), agentType: "research_paper",
            startedAt: noon)
        exchange.status = .completed
        exchange.messages = ["What are the", "latest treatments?"].map {
            MessageRecord(messageID: nil, userID: exchange.userID, role: .user, text: $0, timestamp: noon)
        }
        exchange.text = "Based on recent research..."
        exchange.usage = Usage(promptTokens: 150, completionTokens: 300, model: "gpt-4")
        exchange.endedAt = Timestamp(milliseconds: noon.milliseconds + 1250)
        return exchange
    }

    private func body(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

    @Test func aCreatedRoomIsAnsweredAsTheSeedHasIt() {
        let response = RouteRendering.roomCreated.response(for: .success(.room(room)), at: noon, path: "/api/rooms")
        #expect(response.head.status == 201)
        #expect(response.head.headers.first("Location") == "/api/rooms/room_a1b2c3d4-e5f6-7890-abcd-ef1234567890")
        #expect(response.head.headers.first("Content-Type") == "application/json")
        #expect(
            body(response) == """
                {"success":true,"message":"Room created successfully","data":{\
                "room_id":"room_a1b2c3d4-e5f6-7890-abcd-ef1234567890","user_id":"user_123",\
                "room_name":"Kidney Disease Discussion","created_at":"2025-01-26T10:30:00.000Z",\
                "last_activity":"2025-01-26T10:30:00.000Z","message_count":0,\
                "metadata":{"initial_agent":"research_paper","tags":["kidney","research"]}},\
                "timestamp":"2025-01-26T10:30:00.000Z"}
                """)
    }

    @Test func aListOfRoomsIsAnsweredAsTheSeedHasIt() {
        let listings = [RoomListing(room: room, lastExchange: exchange, unread: 2)]
        let response = RouteRendering.rooms(limit: 50, offset: 100).response(
            for: .success(.rooms(listings, total: 103)), at: noon, path: "/api/rooms")
        #expect(response.head.status == 200)
        #expect(
            body(response) == """
                {"success":true,"message":"Rooms retrieved successfully","data":{"rooms":[{\
                "room_id":"room_a1b2c3d4-e5f6-7890-abcd-ef1234567890","user_id":"user_123",\
                "room_name":"Kidney Disease Discussion","created_at":"2025-01-26T10:30:00.000Z",\
                "last_activity":"2025-01-26T10:30:00.000Z","message_count":0,\
                "metadata":{"initial_agent":"research_paper","tags":["kidney","research"]},\
                "unread":2,"last_message":{"user_input":"What are the\\nlatest treatments?",\
                "agent_response":"Based on recent research...","agent_type":"research_paper",\
                "timestamp":"2025-01-26T10:30:00.000Z"}}],"total":103,"page":3,"page_size":50},\
                "timestamp":"2025-01-26T10:30:00.000Z"}
                """)
    }

    @Test func changesAndDeletionsSaySo() throws {
        let path = "/api/rooms/room_1"
        let updated = RouteRendering.roomUpdated.response(for: .success(.room(room)), at: noon, path: path)
        let fetched = RouteRendering.roomFetched.response(
            for: .success(.roomWithMembers(room, [])), at: noon, path: path)
        let deleted = RouteRendering.roomDeleted.response(
            for: .success(.roomDeleted(room.roomID)), at: noon, path: path)
        let messages = try [updated, fetched, deleted].map {
            try JSONValue(parsing: $0.body).object?["message"]?.string
        }
        #expect(
            messages == ["Room updated successfully", "Room retrieved successfully", "Room deleted successfully"])
        #expect([updated, fetched, deleted].allSatisfy { $0.head.status == 200 })
    }

    @Test(arguments: [(true, 201, "Member added successfully"), (false, 200, "Member updated successfully")])
    func aMemberIsShownWithItsRoom(isNew: Bool, status: Int, message: String) throws {
        let member = MemberRecord(userID: UserID("user_2"), role: .viewer, joinedAt: noon)
        let set = RouteRendering.memberSet.response(
            for: .success(.member(room.roomID, member, isNew: isNew)), at: noon, path: "/")
        #expect(set.head.status == status)
        let envelope = try JSONValue(parsing: set.body).object
        #expect(envelope?["message"]?.string == message)
        let shown: JSONObject = [
            "user_id": "user_2", "role": "viewer", "joined_at": .string(noon.rfc3339),
        ]
        var data = shown
        data["room_id"] = .string(room.roomID.text)
        #expect(envelope?["data"]?.object == data)
        let fetched = RouteRendering.roomFetched.response(
            for: .success(.roomWithMembers(room, [member])), at: noon, path: "/")
        let found = try JSONValue(parsing: fetched.body).object?["data"]?.object
        #expect(found?["members"] == [.object(shown)] && found?["user_id"]?.string == room.userID.text)
        let removed = RouteRendering.memberRemoved.response(
            for: .success(.memberRemoved(room.roomID, member.userID)), at: noon, path: "/")
        #expect(
            try JSONValue(parsing: removed.body).object?["data"]
                == ["room_id": .string(room.roomID.text), "user_id": "user_2"])
    }

    @Test func aFullAccountIsRefusedAsTheSeedHasItWithThePath() {
        let error = HubError(.roomLimitExceeded, "Maximum room limit (50) reached. Please delete old rooms.")
        let response = RouteRendering.roomCreated.response(for: .failure(error), at: noon, path: "/api/rooms")
        #expect(response.head.status == 400)
        #expect(
            body(response) == """
                {"success":false,"error":"Maximum room limit (50) reached. Please delete old rooms.",\
                "error_code":"ROOM_LIMIT_EXCEEDED","timestamp":"2025-01-26T10:30:00.000Z","path":"/api/rooms"}
                """)
    }

    @Test(arguments: ErrorCode.allCases) func everyCodeKeepsItsStatusAndSaysWhenToRetry(_ code: ErrorCode) {
        let error = HubError(code, "No.", retryAfterMilliseconds: 1500)
        let response = RouteRendering.roomFetched.response(for: .failure(error), at: noon, path: "/")
        #expect(response.head.status == code.httpStatus)
        #expect(response.head.headers.first("Retry-After") == ([429, 503].contains(code.httpStatus) ? "2" : nil))
    }

    @Test(arguments: [
        (RouteFault.unreadable(HTTPParseError(413, "too large")), 413, "MESSAGE_TOO_LARGE"),
        (.unreadable(HTTPParseError(431, "too large")), 431, "VALIDATION_ERROR"),
        (.unreadable(HTTPParseError(501, "unknown")), 501, "NOT_IMPLEMENTED"),
        (.noSuchRoute, 404, "NOT_FOUND"),
    ]) func whatNeverReachesARouteHasTheEnvelopeToo(fault: RouteFault, status: Int, code: String) throws {
        let response = Envelope.refusal(fault, at: noon, path: "/x")
        #expect(response.head.status == status)
        let envelope = try JSONValue(parsing: response.body).object
        #expect(envelope?["error_code"]?.string == code)
        #expect(envelope?["path"]?.string == "/x")
    }
}
