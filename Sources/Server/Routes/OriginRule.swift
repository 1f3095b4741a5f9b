import Wire

/// Which web pages may open sockets, change things and read answers, and by which names the hub is known.
///
/// Browsers send `Origin` with every WebSocket and every unsafe request, and let any page open a socket anywhere. In
/// open mode on loopback this check is all that stands between a visited page and the hub. `Origin` alone does not
/// hold: an image is fetched without it, and a page whose own name was pointed at this machine after it had loaded
/// (DNS rebinding) shares its origin with the hub. So a `GET` that sends has to show where it comes from, and `Host`
/// has to be an address, which nobody can point elsewhere, or a name that the operator listed.
struct OriginRule: Sendable {
    /// Browser origins beside the hub's own, in lower case: what `--origins` lists.
    let origins: [String]
    /// Their hosts: the names by which the hub itself may be addressed, at any port.
    private let names: [String]

    /// No image, frame or form can carry it, a script of another origin only after a preflight that fails here, and no
    /// browser sends it by itself; Android's adds `X-Requested-With` to everything.
    static let sendHeader = "Hubbub-Send"

    init(_ origins: [String] = []) {
        self.origins = origins
        names = origins.map { origin in
            HostName(String(origin.drop { $0 != ":" }.drop { $0 == ":" || $0 == "/" })).text
        }
    }

    /// Whether a request may act: it comes from no page, from a page of the hub itself, or from an allowed origin.
    func allows(_ head: HTTPRequestHead) -> Bool {
        guard let origin = head.headers.first("Origin") else { return true }
        return isAllowed(origin, head)
    }

    /// The host to which a request is addressed and by which the hub is not known, if that is so.
    ///
    /// A whole URI as the target counts more than the header (RFC 9112 section 3.2.2); here both have to be right. A
    /// request of HTTP/1.0 without either comes from no browser.
    func foreignHost(of head: HTTPRequestHead) -> String? {
        Self.hosts(of: head).first { text in
            let host = HostName(text)
            return !host.isAddress && !names.contains(host.text)
        }
    }

    /// Whether a `GET` that sends may: it could be an image, a frame or a link on any page.
    ///
    /// Browsers say by `Sec-Fetch-Site` (W3C Fetch Metadata) which page is behind a request, but only to addresses
    /// that they trust: over TLS, or on loopback. So silence says something there, and nothing elsewhere. To a plain
    /// address the `EventSource` of an allowed page has no header but `Referer`, which other pages cannot choose.
    func maySendByGet(_ head: HTTPRequestHead) -> Bool {
        let headers = head.headers
        if let origin = headers.first("Origin") { return isAllowed(origin, head) }
        if headers.first(Self.sendHeader) != nil { return true }
        if headers.first("Sec-Fetch-Mode").map({ Self.isSame($0, "navigate") }) == true { return false }
        if let site = headers.first("Sec-Fetch-Site"), !Self.isSame(site, "none") {
            return Self.isSame(site, "same-origin")
        }
        if let referrer = headers.first("Referer"), isAllowed(Self.origin(of: referrer), head) { return true }
        let hosts = Self.hosts(of: head)
        return !hosts.isEmpty && hosts.allSatisfy { HostName($0).isLoopback }
    }

    /// The hub's own page is known by `Host`, but only where that is an address or `localhost`: a name proves nothing,
    /// because whoever owns one can point it at this machine. Names are to be listed.
    private func isAllowed(_ origin: String, _ head: HTTPRequestHead) -> Bool {
        if isListed(origin) { return true }
        guard HostName(head.host).isAddress, Self.isASCII(origin) else { return false }
        let (origin, host) = (origin.lowercased(), head.host.lowercased())
        return origin == "http://" + host || origin == "https://" + host
    }

    private func isListed(_ origin: String) -> Bool {
        Self.isASCII(origin) && origins.contains(origin.lowercased())
    }

    private static func hosts(of head: HTTPRequestHead) -> [String] {
        ([head.host] + head.headers.all("Host")).filter { !$0.isEmpty }
    }

    /// Scheme, host and port of a URL.
    private static func origin(of url: String) -> String {
        let parts = url.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return url }
        return String(decoding: parts[0], as: UTF8.self) + "//" + String(decoding: parts[2], as: UTF8.self)
    }

    /// Swift compares other texts by canonical equivalence, at a cost that a stranger chooses.
    private static func isASCII(_ text: String) -> Bool { text.utf8.allSatisfy { $0 < 0x80 } }

    private static func isSame(_ value: String, _ word: StaticString) -> Bool {
        word.withUTF8Buffer { value.utf8.elementsEqual($0) }
    }
}

// MARK: - Reading from other pages

// The CORS protocol of the Fetch standard: what a browser wants to see before a page of another origin may read an
// answer, or ask with more than a form could.
extension OriginRule {
    /// What lets a page of a listed origin read the answer, be it a refusal.
    ///
    /// `Vary` for every request, since what a cache keeps for one page is not for another.
    func sharing(with head: HTTPRequestHead) -> HTTPHeaders {
        guard !origins.isEmpty, head.path.utf8.starts(with: "/api/".utf8) else { return [:] }
        guard let origin = head.headers.first("Origin"), isListed(origin) else { return ["Vary": "Origin"] }
        return [
            "Vary": "Origin", "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "Location, Retry-After, Deprecation, Sunset, Link",
        ]
    }

    /// What an allowed page may ask, for its browser's preflight.
    func preflight(_ head: HTTPRequestHead, methods: [String]) -> HTTPHeaders {
        guard head.headers.first("Access-Control-Request-Method") != nil,
            sharing(with: head).first("Access-Control-Allow-Origin") != nil
        else { return [:] }
        return [
            "Access-Control-Allow-Methods": methods.joined(separator: ", "),
            "Access-Control-Allow-Headers": "Content-Type, Last-Event-ID, Authorization",
            // Two hours; no browser keeps it longer than a day.
            "Access-Control-Max-Age": "7200",
        ]
    }
}
