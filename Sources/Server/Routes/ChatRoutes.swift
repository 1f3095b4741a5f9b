import ChatProtocol
import Wire

/// The operations of `/api/chat`, from request to command.
enum ChatRoutes {
    /// `/api/chat/history`: the exchanges of a user, a session or a room.
    static func history(_ request: HTTPRequest) throws(RouteFault) -> Routed {
        let fields = RequestFields(query: request.head)
        let (limit, offset) = try fields.page()
        let filter = HistoryFilter(
            roomID: try fields.identifier("room_id"), sessionID: try fields.identifier("session_id"),
            userID: try fields.givenUser(), agentType: try fields.shortString("agent_type"))
        guard filter.roomID != nil || filter.sessionID != nil || filter.userID != nil else {
            throw .hub(HubError(.validationError, "`user_id`, `session_id` or `room_id` must be given."))
        }
        return .command(
            user: try fields.user(), request: .historyPage(filter, limit: limit, offset: offset),
            render: .history(limit: limit, offset: offset))
    }

    /// `/api/chat/message` and `/api/chat/stream`, which are one.
    ///
    /// - Parameter originRule: which pages may send.
    static func chat(_ request: HTTPRequest, limits: Limits, originRule: OriginRule) throws(RouteFault) -> Routed {
        let head = request.head
        let isGet = head.method == "GET"
        let fields =
            isGet ? RequestFields(query: head) : try RequestFields(request, allowsEmptyBody: true)
        var chat = ChatRequest(
            sessionID: try fields.identifier("session_id"), roomID: try fields.identifier("room_id"),
            userID: try fields.givenUser(), text: try text(fields, limits),
            messageID: try fields.shortString("message_id"),
            agentType: try fields.shortString("agent_type"))
        chat.busyPolicy = try busyPolicy(fields)
        chat.metadata = try metadata(fields)
        chat.regenerateOf = try fields.identifier("regenerate_of")
        try readLastEventID(head, into: &chat)
        chat.wantsJSON = wantsJSON(head)
        chat.isGet = isGet
        guard chat.lastEventID == nil || !chat.wantsJSON else {
            throw RequestFields.wrong("Last-Event-ID", "come with `Accept: text/event-stream`")
        }
        if chat.lastEventID == nil, chat.text == nil, !isGet { throw RequestFields.wrong("query", "be given") }
        guard chat.sessionID != nil || (chat.text != nil && chat.lastEventID == nil) else {
            throw RequestFields.wrong("session_id", "be given, unless `query` asks something new")
        }
        guard !isGet || chat.text == nil || originRule.maySendByGet(head) else { throw .origin(.hiddenPage) }
        return .chat(chat)
    }

    private static func text(_ fields: RequestFields, _ limits: Limits) throws(RouteFault) -> String? {
        for name in ["query", "message"] {
            guard let text = try fields.string(name) else { continue }
            try refusable { () throws(HubError) in try MessageText.validate(text, limits: limits, field: name) }
            return text
        }
        return nil
    }

    private static func busyPolicy(_ fields: RequestFields) throws(RouteFault) -> BusyPolicy {
        guard let name = try fields.string("if_busy") else { return .queue }
        guard let policy = BusyPolicy(named: name) else {
            throw RequestFields.wrong("if_busy", "be one of: queue, reject, interrupt")
        }
        return policy
    }

    private static func metadata(_ fields: RequestFields) throws(RouteFault) -> JSONObject? {
        var metadata = try fields.object("metadata")
        if let resources = try fields.object("resources") {
            metadata = metadata ?? JSONObject()
            metadata?["resources"] = .object(resources)
        }
        guard let metadata else { return nil }
        try refusable { () throws(HubError) in try RoomMetadata.validate(metadata) }
        return metadata
    }

    /// The header, as a browser's `EventSource` repeats it, or the query for a client that cannot set one.
    private static func readLastEventID(_ head: HTTPRequestHead, into chat: inout ChatRequest) throws(RouteFault) {
        guard let text = head.headers.first("Last-Event-ID") ?? head.query("last_event_id"), !text.isEmpty
        else { return }
        let slash = text.utf8.firstIndex(of: UInt8(ascii: "/"))
        let stream = slash.map { String(text[text.utf8.index(after: $0)...]) }
        guard let position = LogPosition(eventID: String(text[..<(slash ?? text.endIndex)])), stream?.isEmpty != true
        else {
            throw RequestFields.wrong("Last-Event-ID", "be the `id` of an event")
        }
        chat.lastEventID = position
        chat.lastStreamID = stream.map { StreamID($0) }
    }

    private static func wantsJSON(_ head: HTTPRequestHead) -> Bool {
        let types = head.headers.tokens("Accept").map { $0.prefix { $0 != ";" && $0 != " " }.lowercased() }
        return types.contains("application/json") && !types.contains("text/event-stream")
    }
}

extension LogPosition {
    /// A position as the `id` of an event has it: `<epoch>:<seq>`, before the name of a stream, if there is one.
    init?(eventID text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
            let seq = UInt64(text[text.utf8.index(after: colon)...])
        else { return nil }
        let epoch = String(text[..<colon])
        guard (1...Limits.frameIDCharactersMax).contains(epoch.unicodeScalars.count) else { return nil }
        self.init(epoch: epoch, seq: seq)
    }
}
