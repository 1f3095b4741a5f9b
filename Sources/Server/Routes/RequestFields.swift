import ChatProtocol
import Wire

/// The fields of a request: the body's, and the query's where the body lacks them; `null` counts as absent.
struct RequestFields {
    let head: HTTPRequestHead
    let body: JSONObject

    /// The fields of a request whose body, if any, says nothing.
    init(query head: HTTPRequestHead) {
        self.head = head
        body = JSONObject()
    }

    /// The fields of a request whose body is a JSON object; without one, an empty body if `allowsEmptyBody`.
    init(_ request: HTTPRequest, allowsEmptyBody: Bool = false) throws(RouteFault) {
        head = request.head
        body = allowsEmptyBody && request.body.isEmpty ? JSONObject() : try Self.object(request)
    }

    private static func object(_ request: HTTPRequest) throws(RouteFault) -> JSONObject {
        guard isJSON(request.head.headers.first("Content-Type")) else { throw .unsupportedMediaType }
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

    // MARK: - Fields

    func string(_ name: String) throws(RouteFault) -> String? {
        switch body[name] {
        case nil, .null: return head.query(name)
        case .string(let text): return text
        default: throw Self.wrong(name, "be a string")
        }
    }

    /// A string of 1 to `Limits.frameIDCharactersMax` characters.
    func shortString(_ name: String) throws(RouteFault) -> String? {
        guard let text = try string(name) else { return nil }
        guard (1...Limits.frameIDCharactersMax).contains(text.unicodeScalars.count) else {
            throw Self.wrong(name, "have 1 to \(Limits.frameIDCharactersMax) characters")
        }
        return text
    }

    /// What cannot be an identifier names nothing, so it is answered as if it had been looked up.
    func identifier<Kind>(_ name: String) throws(RouteFault) -> Identifier<Kind>? {
        guard let text = try string(name) else { return nil }
        guard Identifier<Kind>.isWellFormed(text) else {
            throw .hub(HubError(.notFound, "`\(name)` names nothing that exists."))
        }
        return Identifier(text)
    }

    /// An object; only a body can hold one.
    func object(_ name: String) throws(RouteFault) -> JSONObject? {
        switch body[name] {
        case nil, .null: return nil
        case .object(let object): return object
        default: throw Self.wrong(name, "be an object")
        }
    }

    func integer(_ name: String) throws(RouteFault) -> Int? {
        guard let text = head.query(name) else { return nil }
        guard let number = Int(text) else { throw Self.wrong(name, "be a whole number") }
        return number
    }

    /// `limit` and `offset` of a history.
    func page() throws(RouteFault) -> (limit: Int, offset: Int) {
        let (limit, offset) = (try integer("limit"), try integer("offset"))
        return try refusable { () throws(HubError) in
            (try Page.rows(asked: limit), try Page.offset(asked: offset))
        }
    }

    // MARK: - Users

    /// The user that a request names, if it names one.
    func givenUser() throws(RouteFault) -> UserID? {
        guard let given = try string("user_id") else { return nil }
        return try refusable { () throws(HubError) in try Identity.decide(given, head: head).get() }
    }

    /// An id is enough to read, and for what a session does.
    func user() throws(RouteFault) -> UserID {
        if let user = try givenUser() { return user }
        return try refusable { () throws(HubError) in try Identity.decide(nil, head: head).get() }
    }

    /// What a room or session belongs to, or is changed by, has to be said.
    func requiredUser() throws(RouteFault) -> UserID {
        guard let user = try givenUser() else { throw Self.wrong("user_id", "be given") }
        return user
    }

    static func wrong(_ name: String, _ rule: String) -> RouteFault {
        .hub(HubError(.validationError, "`\(name)` must \(rule)."))
    }
}

/// Lets a rule that the WebSocket and HTTP share refuse a request.
func refusable<Value>(_ body: () throws(HubError) -> Value) throws(RouteFault) -> Value {
    do throws(HubError) { return try body() } catch { throw .hub(error) }
}
