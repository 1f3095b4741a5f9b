import ChatProtocol
import Wire

/// The six operations of `/api/session`, from request to command.
enum SessionRoutes {
    /// `/api/session/create`.
    static func create(_ request: HTTPRequest) throws(RouteFault) -> Routed {
        let fields = try RequestFields(request)
        let user = try fields.requiredUser()
        return .command(user: user, request: .openSession(try fields.identifier("room_id")), render: .sessionCreated)
    }

    /// `/api/session/{session_id}`: one session, ended by `DELETE`.
    static func session(_ sessionID: SessionID, _ request: HTTPRequest) throws(RouteFault) -> Routed {
        let user = try RequestFields(query: request.head).user()
        guard request.head.method == "DELETE" else {
            return .command(user: user, request: .getSession(sessionID), render: .sessionFetched)
        }
        return .command(user: user, request: .closeSession(sessionID), render: .sessionClosed)
    }

    /// `/api/session/{session_id}/reset`: of one agent, or without `agent_type` of all.
    static func reset(_ sessionID: SessionID, _ request: HTTPRequest) throws(RouteFault) -> Routed {
        let fields = try RequestFields(request, allowsEmptyBody: true)
        return .command(
            user: try fields.user(), request: .reset(sessionID, agentType: try fields.shortString("agent_type")),
            render: .sessionReset)
    }

    /// `/api/session/{session_id}/stop`. Its body says nothing: whatever a client sends along must not keep it from
    /// stopping.
    static func stop(_ sessionID: SessionID, _ request: HTTPRequest) throws(RouteFault) -> Routed {
        let user = try RequestFields(query: request.head).user()
        return .command(user: user, request: .stopSession(sessionID), render: .streamStopped)
    }

    /// `/api/session/{session_id}/history`, narrowed by `room_id`.
    static func clearHistory(_ sessionID: SessionID, _ request: HTTPRequest) throws(RouteFault) -> Routed {
        let fields = RequestFields(query: request.head)
        return .command(
            user: try fields.user(), request: .clearHistory(try fields.identifier("room_id"), sessionID),
            render: .historyCleared(sessionID))
    }
}
