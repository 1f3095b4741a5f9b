import Wire

/// A file of the page.
struct Asset: Sendable {
    let path: String
    let contentType: String
    let bytes: [UInt8]
    /// Strong (RFC 9110 section 8.8.3): equal tags, equal bytes.
    let entityTag: String

    init(path: String, contentType: String, bytes: [UInt8]) {
        self.path = path
        self.contentType = contentType
        self.bytes = bytes
        entityTag = Self.entityTag(of: bytes)
    }

    /// FNV-1a and the length: the files are our own, so nobody aims for a collision.
    private static func entityTag(of bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "\"\(String(hash, radix: 16))-\(String(bytes.count, radix: 16))\""
    }
}

/// The files of the page, by path; the page itself is at `/`.
struct Assets: Sendable {
    private let assets: [ExactText: Asset]

    init(_ assets: [Asset] = []) {
        self.assets = Dictionary(assets.map { ($0.path.exact, $0) }, uniquingKeysWith: { $1 })
    }

    subscript(path: String) -> Asset? { assets[path.exact] }
}

extension Asset {
    /// What a page of ours may do: load from us, talk to us (`'self'` means our WebSocket too), be framed by nobody.
    private static let contentSecurityPolicy = """
        default-src 'self'; connect-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
        form-action 'self'; frame-ancestors 'none'
        """

    /// The file, or 304 where the client has it.
    ///
    /// `no-cache` lets a browser keep it but makes it ask, so a new version of the hub shows at the next load.
    func response(to head: HTTPRequestHead) -> HTTPResponse {
        var headers: HTTPHeaders = [
            "ETag": entityTag, "Cache-Control": "no-cache", "Content-Security-Policy": Self.contentSecurityPolicy,
            "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
        ]
        if isKnown(head.headers.tokens("If-None-Match")) { return HTTPResponse(status: 304, headers: headers) }
        headers.add("Content-Type", contentType)
        return HTTPResponse(status: 200, headers: headers, body: bytes)
    }

    /// Compares weakly, as RFC 9110 section 13.1.2 wants it; none of our tags holds a comma.
    private func isKnown(_ entityTags: [String]) -> Bool {
        entityTags.contains { tag in
            tag == "*" || tag == entityTag || tag == "W/" + entityTag
        }
    }
}
