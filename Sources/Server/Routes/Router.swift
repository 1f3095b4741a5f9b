import ChatProtocol
import Wire

/// What a request turned out to be.
enum Routed {
    case respond(HTTPResponse)
    /// The shell asks the hub, then lets the rendering make the response.
    case command(user: UserID, request: ClientRequest, render: RouteRendering)
    /// `GET /ws`.
    case webSocket
    /// `GET /ws/echo`, where diagnostics are on.
    case webSocketEcho
    /// `/readyz`, or `/healthz` where `ready` is false: only the shell knows whether the store answers.
    case health(ready: Bool)
}

/// Decides what a request asks for. Pure: no socket, no hub, no clock.
struct Router: Sendable {
    let assets: Assets
    /// Browser origins beside the hub's own that may change things.
    var origins: [String] = []
    /// Whether `/ws/echo` exists.
    var offersDiagnostics = false

    init(assets: Assets, origins: [String] = [], offersDiagnostics: Bool = false) {
        self.assets = assets
        self.origins = origins
        self.offersDiagnostics = offersDiagnostics
    }

    /// Routes a request.
    ///
    /// - Parameter now: the wall clock, for the envelope of a refusal.
    func route(_ request: HTTPRequest, at now: Timestamp) -> Routed {
        do throws(RouteFault) {
            return try routed(request)
        } catch {
            return .respond(Envelope.refusal(error, at: now, path: request.head.path))
        }
    }

    private func routed(_ request: HTTPRequest) throws(RouteFault) -> Routed {
        guard let endpoint = endpoint(request.segments) else { throw .noSuchRoute }
        let method = request.head.method
        if method == "OPTIONS" {
            let allow = endpoint.methods.joined(separator: ", ")
            return .respond(HTTPResponse(status: 204, headers: ["Allow": allow]))
        }
        guard endpoint.methods.contains(method) else { throw .methodNotAllowed(allow: endpoint.methods) }
        guard ["GET", "HEAD"].contains(method) || OriginRule.allows(request.head, origins: origins) else {
            throw .hub(
                HubError(.accessDenied, "This page's origin is not allowed here; the hub's --origins may list it."))
        }
        switch endpoint {
        case .root: return .respond(root(request.head))
        case .asset(let asset): return .respond(asset.response(to: request.head))
        case .rooms: return try RoomRoutes.rooms(request)
        case .room(let roomID): return try RoomRoutes.room(roomID, request)
        case .history(let roomID): return try RoomRoutes.history(roomID, request)
        case .webSocket: return .webSocket
        case .webSocketEcho: return .webSocketEcho
        case .alive: return .health(ready: false)
        case .ready: return .health(ready: true)
        }
    }

    private func endpoint(_ segments: [Substring]) -> Endpoint? {
        switch segments.count {
        case 0: return .root
        case 1 where segments == ["ws"]: return .webSocket
        case 1 where segments == ["healthz"]: return .alive
        case 1 where segments == ["readyz"]: return .ready
        case 2 where segments == ["ws", "echo"] && offersDiagnostics: return .webSocketEcho
        case 2 where segments == ["api", "rooms"]: return .rooms
        case 3 where segments.starts(with: ["api", "rooms"]):
            return roomID(segments[2]).map(Endpoint.room)
        case 4 where segments.starts(with: ["api", "rooms"]) && segments[3] == "history":
            return roomID(segments[2]).map(Endpoint.history)
        default: return assets["/" + segments.joined(separator: "/")].map(Endpoint.asset)
        }
    }

    private func roomID(_ segment: Substring) -> RoomID? {
        RoomID.isWellFormed(String(segment)) ? RoomID(String(segment)) : nil
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
    case history(RoomID)
    case webSocket
    case webSocketEcho
    case alive
    case ready

    var methods: [String] {
        switch self {
        case .root, .asset, .history, .alive, .ready: ["GET", "HEAD", "OPTIONS"]
        case .rooms: ["GET", "HEAD", "POST", "OPTIONS"]
        case .room: ["GET", "HEAD", "PATCH", "DELETE", "OPTIONS"]
        case .webSocket, .webSocketEcho: ["GET", "OPTIONS"]
        }
    }
}
