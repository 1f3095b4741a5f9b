import ChatProtocol
import Wire

/// What a request turned out to be.
enum Routed {
    case respond(HTTPResponse)
    /// A refusal that the shell logs too: for the page behind the request, or the name it was sent to.
    case refused(OriginRefusal, HTTPResponse)
    /// The shell asks the hub, then lets the rendering make the response.
    case command(user: UserID, request: ClientRequest, render: RouteRendering)
    /// `GET /ws`.
    case webSocket
    /// `GET /ws/echo`, where diagnostics are on.
    case webSocketEcho
    /// A message to send or a stream to follow; its answer takes its time, so the shell keeps it.
    case chat(ChatRequest)
    /// Only the shell knows whether the store answers.
    case health(HealthProbe)
}

/// Decides what a request asks for. Pure: no socket, no hub, no clock.
struct Router: Sendable {
    let assets: Assets
    /// Which pages may use the hub, and by which names.
    let originRule: OriginRule
    /// Whether `/ws/echo` exists.
    var offersDiagnostics = false
    let limits: Limits

    init(
        assets: Assets, origins: [String] = [], offersDiagnostics: Bool = false, limits: Limits = Limits()
    ) {
        self.assets = assets
        originRule = OriginRule(origins)
        self.offersDiagnostics = offersDiagnostics
        self.limits = limits
    }

    /// Routes a request.
    ///
    /// - Parameter now: the wall clock, for the envelope of a refusal.
    func route(_ request: HTTPRequest, at now: Timestamp) -> Routed {
        do throws(RouteFault) {
            return try routed(request)
        } catch {
            var refusal = Envelope.refusal(error, at: now, path: request.head.path)
            if case .deprecatedRooms = endpoint(request.segments) { refusal.deprecate(.rooms) }
            if case .origin(let cause) = error { return .refused(cause, refusal) }
            return .respond(refusal)
        }
    }

    private func routed(_ request: HTTPRequest) throws(RouteFault) -> Routed {
        let found = endpoint(request.segments)
        if found?.isProbe != true, let host = originRule.foreignHost(of: request.head) { throw .origin(.host(host)) }
        guard let endpoint = found else { throw .noSuchRoute }
        let method = request.head.method
        if method == "OPTIONS" { return .respond(options(endpoint.methods, request.head)) }
        guard endpoint.methods.contains(method) else { throw .methodNotAllowed(allow: endpoint.methods) }
        guard ["GET", "HEAD"].contains(method) || originRule.allows(request.head) else {
            throw .origin(.page)
        }
        switch endpoint {
        case .root: return .respond(root(request.head))
        case .asset(let asset): return .respond(asset.response(to: request.head))
        case .rooms: return try RoomRoutes.rooms(request)
        case .room(let roomID): return try RoomRoutes.room(roomID, request)
        case .member(let roomID, let userID): return try RoomRoutes.member(userID, of: roomID, request)
        case .history(let roomID): return try RoomRoutes.history(roomID, request)
        case .sessionCreation: return try SessionRoutes.create(request)
        case .session(let sessionID): return try SessionRoutes.session(sessionID, request)
        case .sessionReset(let sessionID): return try SessionRoutes.reset(sessionID, request)
        case .sessionStop(let sessionID): return try SessionRoutes.stop(sessionID, request)
        case .sessionHistory(let sessionID): return try SessionRoutes.clearHistory(sessionID, request)
        case .chat: return try ChatRoutes.chat(request, limits: limits, originRule: originRule)
        case .chatHistory: return try ChatRoutes.history(request)
        case .deprecatedRooms: return try RoomRoutes.deprecatedRooms(request)
        case .webSocket: return .webSocket
        case .webSocketEcho: return .webSocketEcho
        case .health(let probe): return .health(probe)
        }
    }

    private func options(_ methods: [String], _ head: HTTPRequestHead) -> HTTPResponse {
        var response = HTTPResponse(status: 204, headers: ["Allow": methods.joined(separator: ", ")])
        response.head = response.head.adding(originRule.preflight(head, methods: methods))
        return response
    }

    private func endpoint(_ segments: [ExactText]) -> Endpoint? {
        switch segments.count {
        case 0: return .root
        case 1 where segments == ["ws"]: return .webSocket
        case 1 where segments == ["healthz"]: return .health(.alive)
        case 1 where segments == ["readyz"]: return .health(.ready)
        case 2 where segments == ["ws", "echo"] && offersDiagnostics: return .webSocketEcho
        case 2... where segments[0] == "api": return apiEndpoint(segments[1], segments[2...])
        default: return assets["/" + segments.map(\.text).joined(separator: "/")].map(Endpoint.asset)
        }
    }

    private func apiEndpoint(_ family: ExactText, _ rest: ArraySlice<ExactText>) -> Endpoint? {
        switch (family, rest.count) {
        case ("health", 0): return .health(.detailed)
        case ("rooms", 0): return .rooms
        case ("rooms", 1): return identifier(rest[2]).map(Endpoint.room)
        case ("rooms", 2) where rest[3] == "history": return identifier(rest[2]).map(Endpoint.history)
        case ("rooms", 3) where rest[3] == "members":
            guard let roomID: RoomID = identifier(rest[2]), let userID: UserID = identifier(rest[4]) else { return nil }
            return .member(roomID, userID)
        case ("session", 1) where rest[2] == "create": return .sessionCreation
        case ("session", 1): return identifier(rest[2]).map(Endpoint.session)
        case ("session", 2): return identifier(rest[2]).flatMap { Endpoint.session($0, operation: rest[3]) }
        case ("chat", 1): return Endpoint.chat(rest[2])
        default: return nil
        }
    }

    private func identifier<Kind>(_ segment: ExactText) -> Identifier<Kind>? {
        Identifier<Kind>.isWellFormed(segment.text) ? Identifier(segment.text) : nil
    }

    /// The page for a browser; for a program what runs here, as the orchestrator family's root has it.
    private func root(_ head: HTTPRequestHead) -> HTTPResponse {
        var response: HTTPResponse
        if let page = assets["/"], head.headers.first("Accept")?.lowercased().contains("text/html") == true {
            response = page.response(to: head)
        } else {
            response = HTTPResponse(status: 200, json: JSONValue.object(Self.information).compact)
        }
        response.head.headers.add("Vary", "Accept")
        return response
    }

    private static let information: JSONObject = [
        "message": "Hubbub", "version": .string(Version.current), "status": "active",
        "architecture": [
            "storage": "SQLite", "race_condition_handling": "One event loop decides for each room",
            "scalability": "Single instance",
        ],
    ]
}

/// A path that exists.
private enum Endpoint {
    case root
    case asset(Asset)
    case rooms
    case room(RoomID)
    case member(RoomID, UserID)
    case history(RoomID)
    case sessionCreation
    case session(SessionID)
    case sessionReset(SessionID)
    case sessionStop(SessionID)
    case sessionHistory(SessionID)
    case chat
    case chatHistory
    case deprecatedRooms
    case webSocket
    case webSocketEcho
    case health(HealthProbe)

    static func session(_ sessionID: SessionID, operation: ExactText) -> Endpoint? {
        switch operation {
        case "reset": .sessionReset(sessionID)
        case "stop": .sessionStop(sessionID)
        case "history": .sessionHistory(sessionID)
        default: nil
        }
    }

    static func chat(_ operation: ExactText) -> Endpoint? {
        switch operation {
        case "message", "stream": .chat
        case "history": .chatHistory
        case "rooms": .deprecatedRooms
        default: nil
        }
    }

    /// Probes are asked by whatever name a load balancer has for the hub, and tell nothing.
    var isProbe: Bool { if case .health = self { true } else { false } }

    var methods: [String] {
        switch self {
        case .root, .asset, .history, .chatHistory, .deprecatedRooms, .health: ["GET", "HEAD", "OPTIONS"]
        case .rooms: ["GET", "HEAD", "POST", "OPTIONS"]
        case .room: ["GET", "HEAD", "PATCH", "DELETE", "OPTIONS"]
        case .member: ["PUT", "DELETE", "OPTIONS"]
        case .session: ["GET", "HEAD", "DELETE", "OPTIONS"]
        case .sessionCreation, .sessionReset, .sessionStop: ["POST", "OPTIONS"]
        case .sessionHistory: ["DELETE", "OPTIONS"]
        // Not HEAD: a head cannot be had without sending.
        case .chat: ["GET", "POST", "OPTIONS"]
        case .webSocket, .webSocketEcho: ["GET", "OPTIONS"]
        }
    }
}
