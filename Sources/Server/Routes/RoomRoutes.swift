import ChatProtocol
import Wire

/// The operations of `/api/rooms`, from request to command.
enum RoomRoutes {
    /// `/api/rooms`: a list, or with `POST` a new room.
    static func rooms(_ request: HTTPRequest) throws(RouteFault) -> Routed {
        guard request.head.method == "POST" else {
            let (user, page) = try list(request)
            return .command(
                user: user, request: .listRooms(page), render: .rooms(limit: page.limit, offset: page.offset))
        }
        let fields = try RequestFields(request)
        let user = try fields.requiredUser()
        let creation = try refusable { () throws(HubError) in try RoomCreation(decoding: fields.body) }
        return .command(user: user, request: .createRoom(creation), render: .roomCreated)
    }

    /// `/api/chat/rooms`: what `/api/rooms` lists, for clients that have not moved yet.
    static func deprecatedRooms(_ request: HTTPRequest) throws(RouteFault) -> Routed {
        let (user, page) = try list(request)
        return .command(
            user: user, request: .listRooms(page), render: .deprecatedRooms(limit: page.limit, offset: page.offset))
    }

    private static func list(_ request: HTTPRequest) throws(RouteFault) -> (UserID, RoomPage) {
        let fields = RequestFields(query: request.head)
        let (limit, offset) = (try fields.integer("limit"), try fields.integer("offset"))
        let page = try refusable { () throws(HubError) in
            try RoomPage(limit: limit, offset: offset, sortBy: request.head.query("sort_by"))
        }
        return (try fields.requiredUser(), page)
    }

    /// `/api/rooms/{room_id}`: one room, changed by `PATCH`, deleted by `DELETE`.
    static func room(_ roomID: RoomID, _ request: HTTPRequest) throws(RouteFault) -> Routed {
        switch request.head.method {
        case "PATCH":
            let fields = try RequestFields(request)
            let user = try fields.requiredUser()
            let change = try refusable { () throws(HubError) in try RoomChange(decoding: fields.body) }
            return .command(user: user, request: .updateRoom(roomID, change), render: .roomUpdated)
        case "DELETE":
            let user = try RequestFields(query: request.head).requiredUser()
            return .command(user: user, request: .deleteRoom(roomID), render: .roomDeleted)
        default:
            let user = try RequestFields(query: request.head).user()
            return .command(user: user, request: .getRoom(roomID), render: .roomFetched)
        }
    }

    /// `/api/rooms/{room_id}/members/{user_id}`: a member by `PUT`, none by `DELETE`. The `user_id` of body or query is
    /// who asks, as everywhere.
    static func member(_ userID: UserID, of roomID: RoomID, _ request: HTTPRequest) throws(RouteFault) -> Routed {
        guard request.head.method == "PUT" else {
            let user = try RequestFields(query: request.head).requiredUser()
            return .command(user: user, request: .removeMember(roomID, userID), render: .memberRemoved)
        }
        let fields = try RequestFields(request)
        let user = try fields.requiredUser()
        let role = try refusable { () throws(HubError) in try MemberRole(decoding: fields.body) }
        return .command(user: user, request: .setMember(roomID, userID, role), render: .memberSet)
    }

    /// `/api/rooms/{room_id}/history`.
    static func history(_ roomID: RoomID, _ request: HTTPRequest) throws(RouteFault) -> Routed {
        let fields = RequestFields(query: request.head)
        let (limit, offset) = try fields.page()
        return .command(
            user: try fields.user(),
            request: .historyPage(HistoryFilter(roomID: roomID), limit: limit, offset: offset),
            render: .history(limit: limit, offset: offset))
    }
}
