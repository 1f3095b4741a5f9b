import ChatProtocol
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
