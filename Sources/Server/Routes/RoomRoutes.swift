import ChatProtocol
import Wire

/// The six operations of `/api/rooms`, from request to command.
enum RoomRoutes {
    /// `/api/rooms`: a list, or with `POST` a new room.
    static func rooms(_ request: HTTPRequest) throws(RouteFault) -> Routed {
        let head = request.head
        guard head.method == "POST" else {
            let page = try refusable { () throws(HubError) in
                try RoomPage(
                    limit: try number("limit", in: head), offset: try number("offset", in: head),
                    sortBy: head.query("sort_by"))
            }
            let user = try requiredUser(head.query("user_id"), head)
            return .command(
                user: user, request: .listRooms(page), render: .rooms(limit: page.limit, offset: page.offset))
        }
        let body = try object(request)
        let user = try requiredUser(try userID(in: body, or: head), head)
        let creation = try refusable { () throws(HubError) in try RoomCreation(decoding: body) }
        return .command(user: user, request: .createRoom(creation), render: .roomCreated)
    }

    /// `/api/rooms/{room_id}`: one room, changed by `PATCH`, deleted by `DELETE`.
    static func room(
        _ roomID: RoomID, _ request: HTTPRequest
    ) throws(RouteFault) -> Routed {
        let head = request.head
        switch head.method {
        case "PATCH":
            let body = try object(request)
            let user = try requiredUser(try userID(in: body, or: head), head)
            let change = try refusable { () throws(HubError) in try RoomChange(decoding: body) }
            return .command(user: user, request: .updateRoom(roomID, change), render: .roomUpdated)
        case "DELETE":
            let user = try requiredUser(head.query("user_id"), head)
            return .command(user: user, request: .deleteRoom(roomID), render: .roomDeleted)
        default:
            let user = try user(head.query("user_id"), head)
            return .command(user: user, request: .getRoom(roomID), render: .roomFetched)
        }
    }

    /// `/api/rooms/{room_id}/history`.
    static func history(
        _ roomID: RoomID, _ request: HTTPRequest
    ) throws(RouteFault) -> Routed {
        let head = request.head
        let (limit, offset) = try refusable { () throws(HubError) in
            (
                try Page.rows(asked: try number("limit", in: head)),
                try Page.offset(asked: try number("offset", in: head))
            )
        }
        return .command(
            user: try user(head.query("user_id"), head),
            request: .historyPage(HistoryFilter(roomID: roomID), limit: limit, offset: offset), render: .history(limit: limit, offset: offset))
    }
}

// Fields.
extension RoomRoutes {
    private static func refusable<Value>(_ body: () throws(HubError) -> Value) throws(RouteFault) -> Value {
        do throws(HubError) { return try body() } catch { throw .hub(error) }
    }

    private static func number(_ name: String, in head: HTTPRequestHead) throws(HubError) -> Int? {
        guard let text = head.query(name) else { return nil }
        guard let number = Int(text) else { throw HubError(.validationError, "`\(name)` must be a whole number.") }
        return number
    }

    private static func user(_ given: String?, _ head: HTTPRequestHead) throws(RouteFault) -> UserID {
        try refusable { () throws(HubError) in try Identity.decide(given, head: head).get() }
    }

    /// An id is enough to read a room; what a room belongs to, or is changed by, has to be said.
    private static func requiredUser(_ given: String?, _ head: HTTPRequestHead) throws(RouteFault) -> UserID {
        guard let given else { throw .hub(HubError(.validationError, "`user_id` must be given.")) }
        return try user(given, head)
    }

    private static func userID(in body: JSONObject, or head: HTTPRequestHead) throws(RouteFault) -> String? {
        switch body["user_id"] {
        case nil, .null: return head.query("user_id")
        case .string(let text): return text
        default: throw .hub(HubError(.validationError, "`user_id` must be a string."))
        }
    }

    private static func object(_ request: HTTPRequest) throws(RouteFault) -> JSONObject {
        let head = request.head
        guard isJSON(head.headers.first("Content-Type")) else { throw .unsupportedMediaType }
        let body: JSONValue
        do throws(JSONError) {
            body = try JSONValue(parsing: request.body)
        } catch {
            throw .hub(
                HubError(.invalidJSON, "The body is not valid JSON: \(error.kind.sentence) at byte \(error.offset)."))
        }
        guard let object = body.object else {
            throw .hub(HubError(.validationError, "The body must be a JSON object."))
        }
        return object
    }

    /// `application/json` and everything that ends with `+json`; a client that does not say means JSON.
    private static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return true }
        let type = contentType.prefix { $0 != ";" && $0 != " " && $0 != "\t" }.lowercased()
        return type == "application/json" || (type.contains("/") && type.hasSuffix("+json"))
    }
}
