import Wire

extension ClientFrame {
    /// Decodes and validates the payload of one WebSocket text message.
    ///
    /// Unknown fields are ignored; `null` counts as absent.
    ///
    /// - Parameter offersSynthetic: whether `release` is known.
    /// - Throws: `INVALID_JSON`, `UNKNOWN_FRAME`, `VALIDATION_ERROR` that names the field, `MESSAGE_TOO_LARGE`, or
    ///   `NOT_FOUND` for what cannot be an identifier; each with what the answer correlates by, where it could be read.
    public static func decode(
        _ bytes: [UInt8], limits: Limits = Limits(), offersSynthetic: Bool = false
    ) throws(FrameFault) -> ClientFrame {
        let fields = FrameFields(try object(in: bytes))
        do throws(HubError) {
            let id = try fields.shortString("id")
            let type = try fields.frameType(offersSynthetic: offersSynthetic)
            return ClientFrame(id: id, type: type, request: try fields.request(type, limits: limits))
        } catch {
            throw fields.fault(error)
        }
    }

    private static func object(in bytes: [UInt8]) throws(FrameFault) -> JSONObject {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw FrameFault(
                id: nil, type: nil,
                error: HubError(.invalidJSON, "The frame is not JSON, as seen at byte \(error.offset)."))
        }
        guard let object = value.object else {
            throw FrameFault(
                id: nil, type: nil, error: HubError(.invalidJSON, "The frame must be one JSON object."))
        }
        return object
    }
}

extension FrameFields {
    fileprivate func frameType(offersSynthetic: Bool) throws(HubError) -> ClientFrameType {
        let name = try required("type", try string("type"))
        guard let type = ClientFrameType(named: name), offersSynthetic || type != .release else {
            let known = ClientFrameType.allCases.filter { offersSynthetic || $0 != .release }
            let names = known.map(\.rawValue).joined(separator: ", ")
            throw HubError(.unknownFrame, "`type` must be one of: \(names).")
        }
        return type
    }

    /// The fault with what of the frame can be sent back; what is longer than allowed is not.
    fileprivate func fault(_ error: HubError) -> FrameFault {
        var roomID: RoomID?
        if let text = self["room_id"]?.string, RoomID.isWellFormed(text) { roomID = RoomID(text) }
        return FrameFault(id: short("id"), type: short("type"), roomID: roomID, error: error)
    }

    private func short(_ name: String) -> String? {
        guard let text = self[name]?.string else { return nil }
        return (1...Limits.frameIDCharactersMax).contains(text.unicodeScalars.count) ? text : nil
    }

    fileprivate func request(_ type: ClientFrameType, limits: Limits) throws(HubError) -> ClientRequest {
        switch type {
        case .auth: .auth(token: try token())
        case .createRoom: .createRoom(try RoomCreation(decoding: object))
        case .getRoom: .getRoom(try requiredIdentifier("room_id"))
        case .updateRoom: .updateRoom(try requiredIdentifier("room_id"), try RoomChange(decoding: object))
        case .deleteRoom: .deleteRoom(try requiredIdentifier("room_id"))
        case .setMember:
            .setMember(try requiredIdentifier("room_id"), try userID(), try MemberRole(decoding: object))
        case .removeMember: .removeMember(try requiredIdentifier("room_id"), try userID())
        case .listRooms:
            .listRooms(
                try RoomPage(limit: integer("limit"), offset: integer("offset"), sortBy: string("sort_by")))
        case .join: .join(try joins())
        case .leave: .leave(try requiredIdentifier("room_id"))
        case .openSession: .openSession(try requiredIdentifier("room_id"))
        case .closeSession: .closeSession(try requiredIdentifier("session_id"))
        case .send: .send(try send(limits: limits))
        case .cancel: .cancel(try cancelTarget())
        case .reset: .reset(try requiredIdentifier("session_id"), agentType: try shortString("agent_type"))
        case .clearHistory: try clearHistory()
        case .history:
            .history(
                try requiredIdentifier("room_id"), before: try identifier("before"),
                limit: try Page.rows(asked: integer("limit")))
        case .typing:
            .typing(try requiredIdentifier("room_id"), isActive: try required("active", try bool("active")))
        case .read: .read(try requiredIdentifier("room_id"), try requiredIdentifier("exchange_id"))
        case .ping: .ping
        case .release: .release(try requiredIdentifier("stream_id"), tokens: try tokens())
        }
    }

    private func tokens() throws(HubError) -> Int {
        let count = try required("tokens", try integer("tokens"))
        guard (1...SyntheticScript.tokensMax).contains(count) else {
            throw wrong("tokens", "be 1 to \(SyntheticScript.tokensMax)")
        }
        return count
    }

    private func token() throws(HubError) -> String {
        let token = try required("token", try string("token"))
        guard !token.isEmpty else { throw wrong("token", "not be empty") }
        return token
    }

    private func userID() throws(HubError) -> UserID {
        let text = try required("user_id", try string("user_id"))
        guard UserID.isWellFormed(text) else {
            throw wrong("user_id", "be 1 to 64 letters, digits, hyphens or underscores")
        }
        return UserID(text)
    }

    private func joins() throws(HubError) -> [JoinRequest] {
        guard let rooms = self["rooms"] else { return [try join()] }
        guard !has("room_id"), !has("after") else {
            throw wrong("rooms", "stand alone: neither `room_id` nor `after` goes beside it")
        }
        guard let rooms = rooms.array, (1...Limits.joinedRoomsPerSocket).contains(rooms.count) else {
            throw wrong("rooms", "be an array of 1 to \(Limits.joinedRoomsPerSocket) objects")
        }
        var joins: [JoinRequest] = []
        var seen: Set<RoomID> = []
        for (index, room) in rooms.enumerated() {
            guard let object = room.object else { throw wrong("rooms[\(index)]", "be an object") }
            let fields = FrameFields(object, path: "rooms[\(index)].")
            let join = try fields.join()
            guard seen.insert(join.roomID).inserted else {
                throw fields.wrong("room_id", "not name the same room twice")
            }
            joins.append(join)
        }
        return joins
    }

    private func join() throws(HubError) -> JoinRequest {
        JoinRequest(roomID: try requiredIdentifier("room_id"), after: try position("after"))
    }

    private func position(_ name: String) throws(HubError) -> LogPosition? {
        guard let object = try object(name) else { return nil }
        let fields = FrameFields(object, path: "\(path)\(name).")
        let epoch = try fields.required("epoch", try fields.shortString("epoch"))
        let seq = try fields.required("seq", try fields.integer("seq"))
        guard seq >= 0 else { throw fields.wrong("seq", "be at least 0") }
        return LogPosition(epoch: epoch, seq: UInt64(seq))
    }

    private func send(limits: Limits) throws(HubError) -> SendRequest {
        let roomID: RoomID = try requiredIdentifier("room_id")
        let text = try required("text", try string("text"))
        try MessageText.validate(text, limits: limits)
        var request = SendRequest(
            roomID: roomID, text: text, messageID: try shortString("message_id"), busyPolicy: try busyPolicy())
        request.sessionID = try identifier("session_id")
        request.agentType = try shortString("agent_type")
        request.metadata = try metadata()
        request.wantsResponse = try bool("respond") ?? true
        request.regenerateOf = try identifier("regenerate_of")
        guard request.regenerateOf == nil || request.wantsResponse else {
            throw wrong("regenerate_of", "not stand beside `respond: false`")
        }
        return request
    }

    private func busyPolicy() throws(HubError) -> BusyPolicy {
        guard let name = try string("if_busy") else { return .queue }
        guard let policy = BusyPolicy(named: name) else {
            throw wrong("if_busy", "be one of: queue, reject, interrupt")
        }
        return policy
    }

    private func cancelTarget() throws(HubError) -> CancelTarget {
        let targets = ["stream_id", "session_id", "room_id"].filter { has($0) }
        guard targets.count == 1 else {
            throw HubError(
                .validationError, "Exactly one of `stream_id`, `session_id` and `room_id` must be given.")
        }
        guard !has("message_id") || has("room_id") else {
            throw wrong("message_id", "stand beside `room_id`")
        }
        if let streamID: StreamID = try identifier("stream_id") { return .stream(streamID) }
        if let sessionID: SessionID = try identifier("session_id") { return .session(sessionID) }
        return .room(try requiredIdentifier("room_id"), messageID: try shortString("message_id"))
    }

    private func clearHistory() throws(HubError) -> ClientRequest {
        let roomID: RoomID? = try identifier("room_id")
        let sessionID: SessionID? = try identifier("session_id")
        guard roomID != nil || sessionID != nil else {
            throw HubError(.validationError, "`session_id` or `room_id` must be given.")
        }
        return .clearHistory(roomID, sessionID)
    }
}
