import ChatProtocol
import Testing
import Wire

private let roomID = RoomID("room_1")
private let userID = UserID("user_1")
private let streamID = StreamID("stream_1")
private let exchangeID = ExchangeID("exchange_1")
private let sessionID = SessionID("session_1")
private let start = Timestamp(milliseconds: 1_737_887_400_000)
private let end = Timestamp(milliseconds: 1_737_887_401_500)

private let room = RoomRecord(
    roomID: roomID, userID: userID, name: "Kidney Disease Discussion", createdAt: start, lastActivity: end,
    messageCount: 1, metadata: ["tags": ["kidney"]], defaultSessionID: sessionID)

private let editor = MemberRecord(userID: UserID("user_2"), role: .editor, joinedAt: start)
private let viewer = MemberRecord(userID: UserID("user_3"), role: .viewer, joinedAt: end)

private let session = SessionRecord(
    sessionID: sessionID, userID: userID, roomID: roomID, createdAt: start, expiresAt: end)
private let defaultSession = SessionRecord(
    sessionID: sessionID, userID: nil, roomID: roomID, createdAt: start, expiresAt: nil)

private let firstMessage = MessageRecord(
    messageID: "m-1", userID: userID, role: .user, text: "What is \"new\"?", timestamp: start)
private let secondMessage = MessageRecord(
    messageID: nil, userID: userID, role: .user, text: "In 2025.", timestamp: end, metadata: ["device": "phone"])
private let toolCall: JSONValue = [
    "type": "tool-call", "offset": 0, "name": "search", "arguments": ["query": "dialysis"],
]
private let usage = Usage(promptTokens: 12, completionTokens: 3, totalTokens: 15, model: "some-model")

private var completed: ExchangeRecord {
    var exchange = ExchangeRecord(
        exchangeID: exchangeID, streamID: streamID, roomID: roomID, sessionID: sessionID, userID: userID,
        agentType: "research_paper", startedAt: start)
    exchange.status = .completed
    exchange.messages = [firstMessage, secondMessage]
    exchange.text = "Grüße."
    exchange.reasoning = "Hm."
    exchange.events = [toolCall]
    exchange.usage = usage
    exchange.finishReason = "stop"
    exchange.endedAt = end
    return exchange
}

private var failed: ExchangeRecord {
    var exchange = ExchangeRecord(
        exchangeID: ExchangeID("exchange_2"), streamID: StreamID("stream_2"), roomID: roomID, sessionID: sessionID,
        userID: userID, agentType: "guide", regenerateOf: exchangeID, startedAt: start)
    exchange.status = .failed
    exchange.messages = [firstMessage]
    exchange.error = StreamError(code: .agentTimeout, message: "The agent was silent for 60 seconds.")
    return exchange
}

private var snapshot: RoomSnapshot {
    let running = StreamSnapshot(
        streamID: StreamID("stream_2"), exchangeID: ExchangeID("exchange_2"), sessionID: sessionID, userID: userID,
        agentType: "guide", regenerateOf: exchangeID, isStreaming: true, messages: [firstMessage],
        text: Array("Grü".utf8), reasoning: Array("Hm.".utf8), events: [toolCall], startedAt: start)
    let waiting = StreamSnapshot(
        streamID: StreamID("stream_3"), exchangeID: ExchangeID("exchange_3"), sessionID: sessionID, userID: nil,
        agentType: "guide", isStreaming: false, messages: [secondMessage], startedAt: end)
    return RoomSnapshot(
        room: room, position: LogPosition(epoch: "9f2c", seq: 42), history: [completed], nextBefore: exchangeID,
        presence: Presence(
            users: [userID],
            agents: [Presence.Agent(agentType: "guide", streamID: StreamID("stream_2"), state: .answering)]),
        streams: [running, waiting])
}

private let emptySnapshot = RoomSnapshot(
    room: room, position: LogPosition(epoch: "9f2c", seq: 0), history: [], nextBefore: nil, streams: [])

private func receipt(isQueued: Bool = false, duplicateStatus: ExchangeStatus? = nil) -> Ack {
    .sent(
        SendReceipt(
            exchangeID: exchangeID, streamID: streamID, isQueued: isQueued, duplicateStatus: duplicateStatus))
}

private func chunk(firstSeq: UInt64? = nil, offset: Int, _ text: String) -> [UInt8] {
    Array(text.utf8).withUnsafeBytes {
        ServerFrame.chunk(
            roomID: roomID, firstSeq: firstSeq, seq: 42, streamID: streamID, offset: offset, delta: $0)
    }
}

private func event(_ kind: String, _ fields: JSONObject) -> [UInt8] {
    ServerFrame.event(kind: kind, roomID: roomID, seq: 42, streamID: streamID, offset: 7, fields: fields)
}

private let answers: [String: [UInt8]] = [
    "welcome": ServerFrame.welcome(
        connectionID: "connection_1", userID: userID, heartbeatSeconds: 30, limits: Limits()),
    "ack-room": ServerFrame.ack(id: "1", for: .createRoom, .room(room)),
    "ack-room-members": ServerFrame.ack(id: "1", for: .getRoom, .roomWithMembers(room, [editor, viewer])),
    "ack-member": ServerFrame.ack(id: "1", for: .setMember, .member(roomID, editor, isNew: true)),
    "ack-member-removed": ServerFrame.ack(id: "1", for: .removeMember, .memberRemoved(roomID, editor.userID)),
    "ack-room-deleted": ServerFrame.ack(id: "1", for: .deleteRoom, .roomDeleted(roomID)),
    "ack-rooms": ServerFrame.ack(
        id: "1", for: .listRooms,
        .rooms(
            [
                RoomListing(room: room, lastExchange: completed, unread: 3),
                RoomListing(room: room, lastExchange: nil),
            ],
            total: 2)),
    "ack-left": ServerFrame.ack(id: "1", for: .leave, .left(roomID)),
    "ack-sent": ServerFrame.ack(id: "1", for: .send, receipt()),
    "ack-sent-queued": ServerFrame.ack(id: "1", for: .send, receipt(isQueued: true)),
    "ack-sent-duplicate": ServerFrame.ack(id: "1", for: .send, receipt(duplicateStatus: .completed)),
    "ack-cancel-accepted": ServerFrame.ack(id: "1", for: .cancel, .cancel(.accepted)),
    "ack-cancel-ended": ServerFrame.ack(id: "1", for: .cancel, .cancel(.ended(.completed))),
    "ack-cancel-nothing-ran": ServerFrame.ack(id: "1", for: .cancel, .cancel(.ended(nil))),
    "ack-history": ServerFrame.ack(id: "1", for: .history, .history([completed, failed], nextBefore: exchangeID)),
    "ack-session": ServerFrame.ack(id: "1", for: .openSession, .session(session)),
    "ack-session-default": ServerFrame.ack(id: "1", for: .openSession, .session(defaultSession)),
    "ack-reset": ServerFrame.ack(
        id: "1", for: .reset, .reset(sessionID, agentType: "research_paper", count: 5)),
    "ack-reset-all": ServerFrame.ack(id: "1", for: .reset, .reset(sessionID, agentType: nil, count: 0)),
    "ack-history-cleared": ServerFrame.ack(id: "1", for: .clearHistory, .historyCleared(count: 3)),
    "ack-without-id": ServerFrame.ack(id: nil, for: .auth, .empty),
    "error": ServerFrame.error(
        id: "1", for: "send", roomID: roomID,
        HubError(.messageTooLarge, "`text` must be at most 32768 bytes of UTF-8.")),
    "error-retry": ServerFrame.error(
        id: nil, for: nil, roomID: nil,
        HubError(.queueFull, "16 messages wait already.", retryAfterMilliseconds: 1500)),
    "left": ServerFrame.left(roomID: roomID, reason: .deletion),
    "room-added": ServerFrame.roomAdded(room),
    "room-removed": ServerFrame.roomRemoved(roomID: roomID),
    "room-summary": ServerFrame.roomSummary(room, lastExchange: completed, unread: 2),
    "presence": ServerFrame.presence(
        roomID: roomID,
        Presence(
            users: [userID, UserID("user_2")],
            agents: [Presence.Agent(agentType: "guide", streamID: streamID, state: .usingTool)])),
    "presence-crowd": ServerFrame.presence(
        roomID: roomID, Presence(users: (0..<101).map { UserID("user_\($0)") })),
    "typing": ServerFrame.typing(roomID: roomID, users: [userID]),
    "read": ServerFrame.read(
        roomID: roomID,
        [ReadMark(userID: userID, exchangeID: exchangeID, timestamp: end, unread: 0)]),
    "draining": ServerFrame.draining(reconnectAfterMilliseconds: 1500),
    "pong": ServerFrame.pong(id: "1"),
    "joined": ServerFrame.joinedPrefix(id: "1") + body(snapshot),
    "joined-unsolicited": ServerFrame.joinedPrefix(id: nil) + body(emptySnapshot),
    "joined-recovered": ServerFrame.joinedPrefix(id: "1")
        + ServerFrame.joinedBody(recovering: roomID, from: LogPosition(epoch: "9f2c", seq: 42)),
]

private func body(_ snapshot: RoomSnapshot) -> [UInt8] {
    ServerFrame.joinedBody(snapshot, bytesMax: Limits().joinedBytesMax) { _ in snapshot.position }
}

private let logEntries: [String: [UInt8]] = [
    "message": ServerFrame.message(roomID: roomID, seq: 42, exchangeID: exchangeID, firstMessage),
    "message-metadata": ServerFrame.message(roomID: roomID, seq: 42, exchangeID: exchangeID, secondMessage),
    "message-regenerate": ServerFrame.message(
        roomID: roomID, seq: 42, exchangeID: ExchangeID("exchange_2"), regenerateOf: exchangeID, firstMessage),
    "stream-started": ServerFrame.streamStarted(
        roomID: roomID, seq: 42, streamID: streamID, exchangeID: exchangeID, sessionID: sessionID,
        agentType: "research_paper", startedAt: start),
    "stream-started-regenerate": ServerFrame.streamStarted(
        roomID: roomID, seq: 42, streamID: StreamID("stream_2"), exchangeID: ExchangeID("exchange_2"),
        sessionID: sessionID, agentType: "research_paper", regenerateOf: exchangeID, startedAt: start),
    "chunk": chunk(offset: 0, "Grüße.\n\"So\" \u{1F984}"),
    "chunk-merged": chunk(firstSeq: 40, offset: 7, " More."),
    "reasoning": Array("Hm.".utf8).withUnsafeBytes {
        ServerFrame.reasoning(roomID: roomID, seq: 42, streamID: streamID, offset: 0, delta: $0)
    },
    "chunks": ServerFrame.chunks(
        roomID: roomID, firstSeq: 40, seq: 42,
        parts: [
            ChunkPart(streamID: streamID, kind: .text, offset: 7, delta: Array("Oh More.".utf8)[2...]),
            ChunkPart(
                streamID: StreamID("stream_2"), kind: .reasoning, offset: 0, delta: Array("Hm.".utf8)[...]),
        ]),
    "tool-call": event("tool-call", ["name": "search", "arguments": ["query": "dialysis"]]),
    "tool-result": event("tool-result", ["name": "search", "result": ["A paper."]]),
    "action": event(
        "action",
        [
            "action": "open_page", "type": "chunk", "room_id": "room_2", "first_seq": 1, "url": "/papers/1",
            "seq": 1, "stream_id": "stream_2", "offset": 1,
        ]),
    "stream-ended": ServerFrame.streamEnded(
        roomID: roomID, seq: 42, streamID: streamID, exchangeID: exchangeID,
        outcome: StreamOutcome(status: .completed, finishReason: "stop", usage: usage, endedAt: end), length: 8),
    "stream-ended-failed": ServerFrame.streamEnded(
        roomID: roomID, seq: 42, streamID: streamID, exchangeID: exchangeID,
        outcome: StreamOutcome(
            status: .failed, usage: Usage(completionTokens: 2, isEstimated: true),
            error: StreamError(code: .storageUnavailable, message: "The disk is full."), endedAt: end),
        length: 8, storedLength: 4),
    "reset": ServerFrame.reset(roomID: roomID, seq: 42, sessionID: sessionID, agentType: nil, by: userID),
    "history-cleared": ServerFrame.historyCleared(roomID: roomID, seq: 42, sessionID: sessionID, by: userID),
    "history-cleared-room": ServerFrame.historyCleared(roomID: roomID, seq: 42, sessionID: nil, by: userID),
    "room-updated": ServerFrame.roomUpdated(room, seq: 42, by: userID),
    "member-joined": ServerFrame.memberJoined(roomID: roomID, seq: 42, editor, by: userID),
    "member-left": ServerFrame.memberLeft(roomID: roomID, seq: 42, editor.userID, by: userID),
    "room-deleted": ServerFrame.roomDeleted(roomID: roomID, seq: 42, by: userID),
]

@Suite struct ServerFrameTests {
    @Test(arguments: try GoldenFrames.names(in: "valid", prefix: "server-"))
    func encodesEveryFrame(_ name: String) throws {
        let key = String(name.dropFirst("server-".count).dropLast(".json".count))
        let bytes = try #require(answers[key] ?? logEntries[key])
        #expect(try JSONValue(parsing: bytes) == (try GoldenFrames.value("valid/\(name)")))
    }

    @Test func everyEncodedFrameIsInTheCatalogue() throws {
        let names = (Array(answers.keys) + Array(logEntries.keys)).map { "server-\($0).json" }
        #expect(names.sorted() == (try GoldenFrames.names(in: "valid", prefix: "server-")))
    }

    @Test(arguments: logEntries.keys.sorted())
    func everyLogEntryCarriesItsPlace(_ name: String) throws {
        let bytes = try #require(logEntries[name])
        let object = try #require(try JSONValue(parsing: bytes).object)
        #expect(object["room_id"] == "room_1")
        #expect(object["seq"] == 42)
        #expect(object.members.count == Set(object.members.map(\.key)).count)
    }

    @Test func anEventsOwnFieldsStandOnceBesideTheFrames() throws {
        let text = String(decoding: try #require(logEntries["action"]), as: UTF8.self)
        #expect(text.occurrences(of: #""type":"#) == 1)
        #expect(text.occurrences(of: #""seq":"#) == 1)
    }

    @Test func namesTheFirstPositionOnlyWhenAChunkCoversSeveral() throws {
        let one = try JSONValue(parsing: chunk(firstSeq: 42, offset: 0, "a"))
        let several = try JSONValue(parsing: chunk(firstSeq: 41, offset: 0, "a"))
        #expect(one.object?["first_seq"] == nil)
        #expect(several.object?["first_seq"] == 41)
    }

    @Test func aChunkTakesOneBufferOfAboutItsSize() {
        #expect(chunk(offset: 1_000_000, String(repeating: "a", count: 16_384)).count < 16_384 + 320)
    }

    @Test func cutsThePreviewOfALongExchange() throws {
        var long = completed
        long.messages = [
            MessageRecord(
                messageID: nil, userID: userID, role: .user, text: String(repeating: "é", count: 201),
                timestamp: end)
        ]
        long.text = String(repeating: "e\u{301}", count: 101)
        let frame = try JSONValue(parsing: ServerFrame.roomSummary(room, lastExchange: long, unread: 0))
        let lastMessage = frame.object?["last_message"]?.object
        #expect(lastMessage?["user_input"]?.string?.unicodeScalars.count == Limits.previewCharactersMax)
        #expect(lastMessage?["agent_response"]?.string?.unicodeScalars.count == Limits.previewCharactersMax)
    }

    @Test func aPageByOffsetSaysHowManyThereAre() throws {
        let frame = try JSONValue(parsing: ServerFrame.ack(id: nil, for: .history, .historyPage([failed], total: 7)))
        #expect(frame.object?["total"] == 7)
        #expect(frame.object?["exchanges"]?.array?.count == 1)
    }

    @Test func aRefusedFrameIsAnsweredWithWhatItSaid() throws {
        let bytes = Array(#"{"id":"7","type":"send","room_id":"room_1"}"#.utf8)
        let fault = try #require(throws: FrameFault.self) { try ClientFrame.decode(bytes) }
        #expect(
            try JSONValue(parsing: ServerFrame.error(fault)) == [
                "type": "error", "id": "7", "for": "send", "room_id": "room_1", "code": "VALIDATION_ERROR",
                "message": "`text` must be given.",
            ])
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func occurrences(of text: String) -> Int { ranges(of: text).count }
}
