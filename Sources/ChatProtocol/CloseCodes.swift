import Wire

// The close codes of `hubbub.v1`, grouped by what the client must do: 4000 to 4099 reconnect with back-off and resume,
// 4100 to 4199 get a new token first, 4200 to 4299 do not come back. The RFC's own codes are for the RFC's own faults.
extension WebSocketCloseCode {
    /// The server is stopping.
    public static let draining = WebSocketCloseCode(rawValue: 4001)
    /// The reader made no progress for too long.
    public static let noProgress = WebSocketCloseCode(rawValue: 4002)
    /// Two heartbeats went unanswered.
    public static let noHeartbeat = WebSocketCloseCode(rawValue: 4003)
    /// The client does not speak the protocol.
    public static let protocolMisuse = WebSocketCloseCode(rawValue: 4200)
    /// The page's origin is not allowed.
    public static let originRefused = WebSocketCloseCode(rawValue: 4201)
    /// The user holds as many connections as may be.
    public static let tooManyConnections = WebSocketCloseCode(rawValue: 4202)
}
