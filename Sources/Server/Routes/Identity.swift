import ChatProtocol
import Reactor
import Wire

/// The one place where a request's user is decided, for HTTP and for `/ws`.
///
/// Without configured keys the hub runs in open mode: whoever names a user is that user.
enum Identity {
    /// The user of a request.
    ///
    /// - Parameters:
    ///   - given: `user_id` as the body or the query names it.
    ///   - head: where a token would be.
    static func decide(_ given: String?, head: HTTPRequestHead) -> Result<UserID, HubError> {
        guard let given else { return .success(.anonymous) }
        guard UserID.isWellFormed(given) else {
            return .failure(
                HubError(.validationError, "`user_id` must be 1 to 64 letters, digits, hyphens or underscores."))
        }
        return .success(UserID(given))
    }

    /// The user of a WebSocket's opening handshake.
    static func decide(webSocket head: HTTPRequestHead) -> Result<UserID, HubError> {
        decide(head.query("user_id"), head: head)
    }
}

/// Which web pages may open sockets and change things.
///
/// Browsers send `Origin` with every WebSocket and every unsafe request, and let any page open a socket anywhere. In
/// open mode on loopback this check is all that stands between a visited page and the hub.
enum OriginRule {
    /// Whether a request may act: it comes from no page, from a page of the hub itself, or from an allowed origin.
    ///
    /// The hub's own page is known by `Host`, but only where that is an address or `localhost`: a name proves nothing,
    /// because whoever owns one can point it at this machine. Names are to be listed.
    static func allows(_ head: HTTPRequestHead, origins: [String]) -> Bool {
        guard let origin = head.headers.first("Origin")?.lowercased() else { return true }
        if origins.contains(origin) { return true }
        let host = head.host.lowercased()
        guard isAddress(host) else { return false }
        return origin == "http://" + host || origin == "https://" + host
    }

    /// Whether a `Host` (RFC 9110 section 7.2) is an address or `localhost`, with or without a port.
    private static func isAddress(_ host: String) -> Bool {
        if host.hasPrefix("[") {
            return PeerAddress(host: String(host.dropFirst().prefix { $0 != "]" }), port: 0) != nil
        }
        return PeerAddress(host: String(host.prefix { $0 != ":" }), port: 0) != nil
    }
}
