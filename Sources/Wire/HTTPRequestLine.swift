/// A request's first line (RFC 9112 section 3): method, target and version, one space between them.
struct HTTPRequestLine: Sendable {
    let method: String
    let target: HTTPRequestTarget
    let version: HTTPVersion

    init(_ line: [UInt8]) throws(HTTPParseError) {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw HTTPParseError(400, "malformed request line") }
        guard !parts[0].isEmpty, parts[0].allSatisfy(isTokenByte) else { throw HTTPParseError(400, "malformed method") }
        version = try Self.version(parts[2])
        method = String(decoding: parts[0], as: UTF8.self)
        target = try HTTPRequestTarget(parts[1], method: method)
    }

    private static func version(_ text: ArraySlice<UInt8>) throws(HTTPParseError) -> HTTPVersion {
        let parts = Array(text)
        guard parts.count == 8, parts.starts(with: "HTTP/".utf8), isDigit(parts[5]), parts[6] == UInt8(ascii: "."),
            isDigit(parts[7])
        else { throw HTTPParseError(400, "malformed version") }
        switch (parts[5], parts[7]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): return .http11
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): return .http10
        default: throw HTTPParseError(505, "version other than HTTP/1.0 and 1.1")
        }
    }
}

/// What a request is about (RFC 9112 section 3.2): a path with its query, or a whole URI, or `OPTIONS *`.
struct HTTPRequestTarget: Sendable {
    let target: String
    /// Host and port of a whole URI.
    let authority: String?
    let path: String
    let query: [(name: String, value: String)]

    init(_ bytes: ArraySlice<UInt8>, method: String) throws(HTTPParseError) {
        guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw HTTPParseError(400, "malformed target")
        }
        target = String(decoding: bytes, as: UTF8.self)
        if target == "*", method == "OPTIONS" {
            (authority, path, query) = (nil, "*", [])
            return
        }
        let origin: ArraySlice<UInt8>
        (authority, origin) = try Self.splitAuthority(bytes)
        let question = origin.firstIndex(of: UInt8(ascii: "?")) ?? origin.endIndex
        path = try Self.path(origin[..<question])
        query = try Self.query(origin[question...].dropFirst())
    }

    /// Whether it can be a host with or without port (RFC 9110 section 7.2), user names excluded.
    static func isAuthority(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty
            && bytes.allSatisfy { byte in
                isTokenByte(byte) && byte != UInt8(ascii: "#") || ":[]()=;".utf8.contains(byte)
            }
    }

    private static func splitAuthority(
        _ bytes: ArraySlice<UInt8>
    ) throws(HTTPParseError) -> (authority: String?, origin: ArraySlice<UInt8>) {
        if bytes.first == UInt8(ascii: "/") { return (nil, bytes) }
        let lower = bytes.prefix(8).map(lowercased)
        let schemeCount = lower.starts(with: "http://".utf8) ? 7 : lower.starts(with: "https://".utf8) ? 8 : 0
        guard schemeCount > 0 else { throw HTTPParseError(400, "target is neither a path nor a URI") }
        let rest = bytes.dropFirst(schemeCount)
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        guard isAuthority(rest[..<end]) else { throw HTTPParseError(400, "malformed authority") }
        return (String(decoding: rest[..<end], as: UTF8.self), rest[end...])
    }

    private static func path(_ bytes: ArraySlice<UInt8>) throws(HTTPParseError) -> String {
        if bytes.isEmpty { return "/" }
        let slashCount = bytes.count { $0 == UInt8(ascii: "/") }
        guard let path = percentDecoded(bytes, plusIsSpace: false),
            !path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }),
            path.utf8.count(where: { $0 == UInt8(ascii: "/") }) == slashCount
        else { throw HTTPParseError(400, "malformed path") }
        guard
            !path.utf8.split(separator: UInt8(ascii: "/")).contains(where: {
                $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8)
            })
        else { throw HTTPParseError(400, "dot segment in the path") }
        return path
    }

    private static func query(_ bytes: ArraySlice<UInt8>) throws(HTTPParseError) -> [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        for part in bytes.split(separator: UInt8(ascii: "&")) {
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard let name = percentDecoded(part[..<equals], plusIsSpace: true),
                let value = percentDecoded(part[equals...].dropFirst(), plusIsSpace: true)
            else { throw HTTPParseError(400, "malformed query") }
            query.append((name, value))
        }
        return query
    }
}

/// The text without its percent escapes (RFC 3986 section 2.1), or `nil` if one is malformed or NUL, or if the whole is
/// not UTF-8.
private func percentDecoded(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var rest = bytes
    while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "%"):
            guard let high = rest.popFirst().flatMap(hexDigitValue), let low = rest.popFirst().flatMap(hexDigitValue),
                high | low != 0
            else { return nil }
            decoded.append(high << 4 | low)
        case UInt8(ascii: "+") where plusIsSpace: decoded.append(0x20)
        default: decoded.append(byte)
        }
    }
    return String(validating: decoded, as: UTF8.self)
}
