import ChatProtocol
import Wire

/// How the hub's answer to a routed command becomes a response; a value, so that it can wait beside the command.
enum RouteRendering: Sendable, Equatable {
    case roomCreated
    case roomFetched
    case roomUpdated
    case roomDeleted
    case memberSet
    case memberRemoved
    case rooms(limit: Int, offset: Int)
    /// As `rooms`, at the path that clients are to leave.
    case deprecatedRooms(limit: Int, offset: Int)
    /// Refusals only: rows are written by `HistoryPage`.
    case history(limit: Int, offset: Int)
    case sessionCreated
    case sessionFetched
    case sessionClosed
    case sessionReset
    case streamStopped
    case historyCleared(SessionID)

    /// The response in the first family's envelope.
    ///
    /// - Parameter path: the request's path, for errors.
    func response(for result: Result<Ack, HubError>, at now: Timestamp, path: String) -> HTTPResponse {
        var response =
            switch result {
            case .success(let ack): success(ack, at: now)
            case .failure(let error): Envelope.refusal(.hub(error), at: now, path: path)
            }
        if case .deprecatedRooms = self { response.deprecate(.rooms) }
        return response
    }

    private func success(_ ack: Ack, at now: Timestamp) -> HTTPResponse {
        switch (self, ack) {
        case (.roomCreated, .room(let room)):
            return Self.created("Room", at: "/api/rooms/" + room.roomID.text, now) { $0.room(room) }
        case (.roomFetched, .roomWithMembers(let room, let members)):
            return Envelope.success(message: "Room retrieved successfully", at: now) {
                $0.room(room, members: members)
            }
        case (.roomUpdated, .room(let room)):
            return Envelope.success(message: "Room updated successfully", at: now) { $0.room(room) }
        case (.roomDeleted, .roomDeleted(let roomID)):
            return Envelope.success(message: "Room deleted successfully", at: now) { writer in
                writer.beginObject()
                writer.field("room_id", roomID.text)
                writer.endObject()
            }
        case (.rooms(let limit, let offset), .rooms(let rooms, let total)),
            (.deprecatedRooms(let limit, let offset), .rooms(let rooms, let total)):
            return Envelope.success(message: "Rooms retrieved successfully", at: now) { writer in
                writer.page("rooms", rooms, total: total, limit: limit, offset: offset) { $0.roomListing($1) }
            }
        case (.memberSet, .member(let roomID, let member, let isNew)):
            return Self.memberSet(roomID, member, isNew: isNew, at: now)
        case (.memberRemoved, .memberRemoved(let roomID, let userID)):
            return Envelope.success(message: "Member removed successfully", at: now) { writer in
                writer.beginObject()
                writer.field("room_id", roomID.text)
                writer.field("user_id", userID.text)
                writer.endObject()
            }
        default: return sessionSuccess(ack, at: now)
        }
    }

    /// 201 where there was no such member (RFC 9110 section 9.3.4).
    private static func memberSet(
        _ roomID: RoomID, _ member: MemberRecord, isNew: Bool, at now: Timestamp
    ) -> HTTPResponse {
        let message = isNew ? "Member added successfully" : "Member updated successfully"
        return Envelope.success(status: isNew ? 201 : 200, message: message, at: now) { writer in
            writer.beginObject()
            writer.field("room_id", roomID.text)
            writer.memberMembers(member)
            writer.endObject()
        }
    }

    private func sessionSuccess(_ ack: Ack, at now: Timestamp) -> HTTPResponse {
        switch (self, ack) {
        case (.sessionCreated, .session(let session)):
            return Self.created("Session", at: "/api/session/" + session.sessionID.text, now) { $0.session(session) }
        case (.sessionFetched, .session(let session)):
            return Envelope.success(message: "Session retrieved successfully", at: now) { $0.session(session) }
        case (.sessionClosed, .session(let session)):
            return Envelope.success(message: "Session deleted successfully", at: now) { writer in
                writer.beginObject()
                writer.field("session_id", session.sessionID.text)
                writer.endObject()
            }
        case (.sessionReset, .reset(let sessionID, let agentType, let count)):
            return Envelope.success(message: "Session reset successfully", at: now) { writer in
                writer.beginObject()
                writer.field("session_id", sessionID.text)
                writer.field("reset_scope", agentType ?? "all")
                writer.field("conversations_cleared", count)
                writer.endObject()
            }
        case (.streamStopped, .stopped(let session, let partial)):
            return Self.stopped(session, partial, at: now)
        case (.historyCleared(let sessionID), .historyCleared(let count)):
            return Envelope.success(message: "History cleared successfully", at: now) { writer in
                writer.beginObject()
                writer.field("session_id", sessionID.text)
                writer.field("conversations_cleared", count)
                writer.endObject()
            }
        default:
            preconditionFailure("the hub answered \(self) with an acknowledgement of another request")
        }
    }

    private static func created(
        _ what: String, at path: String, _ now: Timestamp, data: (inout JSONWriter) -> Void
    ) -> HTTPResponse {
        var response = Envelope.success(status: 201, message: what + " created successfully", at: now, data: data)
        response.head.headers.add("Location", path)
        return response
    }

    /// A session in which nothing ran is no error: whoever stops wants it silent, and it is.
    private static func stopped(_ session: SessionRecord, _ partial: String?, at now: Timestamp) -> HTTPResponse {
        Envelope.success(message: "Stream stop requested", at: now) { writer in
            writer.beginObject()
            writer.field("session_id", session.sessionID.text)
            writer.field("room_id", session.roomID.text)
            writer.field("status", partial == nil ? "no_active_stream" : "stop_requested")
            writer.key("partial_response")
            if let partial { writer.string(partial) } else { writer.null() }
            writer.endObject()
        }
    }
}

extension JSONWriter {
    /// Writes a page of a list: its rows, `total`, `page` (from 1) and `page_size`.
    ///
    /// `page_size` is the limit after clamping: only then does `total / page_size` count pages that can be fetched.
    fileprivate mutating func page<Row>(
        _ name: StaticString, _ rows: [Row], total: Int, limit: Int, offset: Int,
        writeRow: (inout JSONWriter, Row) -> Void
    ) {
        beginObject()
        key(name)
        beginArray()
        for row in rows { writeRow(&self, row) }
        endArray()
        field("total", total)
        field("page", offset / limit + 1)
        field("page_size", limit)
        endObject()
    }
}
