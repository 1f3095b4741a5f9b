import Wire

/// An endpoint that clients are to leave: since when (RFC 9745), until when it was promised (RFC 8594), and for what.
///
/// The dates are facts of the contract, not of this hub's release: its users were told on the day of the first, for
/// six months. The endpoint is served as long as it costs nothing.
struct Deprecation {
    let since: Timestamp
    let sunset: Timestamp
    let successor: String

    /// `/api/chat/rooms`: 2025-01-26, the release of `/api/rooms`, to 2025-07-26.
    static let rooms = Deprecation(
        since: Timestamp(milliseconds: 1_737_849_600_000), sunset: Timestamp(milliseconds: 1_753_488_000_000),
        successor: "/api/rooms")
}

extension HTTPResponse {
    /// Says that the endpoint that answers is deprecated.
    mutating func deprecate(_ deprecation: Deprecation) {
        head.headers.add("Deprecation", "@\(deprecation.since.milliseconds / 1000)")
        head.headers.add("Sunset", deprecation.sunset.httpDate)
        head.headers.add("Link", "<\(deprecation.successor)>; rel=\"successor-version\"")
    }
}
