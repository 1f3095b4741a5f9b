import Wire

/// One whole request, as the router takes it.
struct HTTPRequest {
    let head: HTTPRequestHead
    let body: [UInt8]

    init(head: HTTPRequestHead, body: [UInt8] = []) {
        self.head = head
        self.body = body
    }

    /// The request-target without its query.
    var path: String { String(RequestTarget(head.target).path) }
}

/// A request-target in origin form (RFC 9112 section 3.2.1): an absolute path, perhaps with a query.
struct RequestTarget {
    let path: Substring
    private let query: Substring

    init(_ target: String) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts.first ?? ""
        query = parts.count == 2 ? parts[1] : ""
    }

    /// The decoded segments of the path; one slash at the end is not looked at. `nil` if the path is not well formed.
    var segments: [String]? {
        guard path.hasPrefix("/") else { return nil }
        var rest = path.dropFirst()
        if rest.hasSuffix("/") { rest.removeLast() }
        if rest.isEmpty { return [] }
        let segments = rest.split(separator: "/", omittingEmptySubsequences: false).compactMap {
            PercentEncoding.decode($0, plusIsSpace: false)
        }
        return segments.count == rest.count { $0 == "/" } + 1 ? segments : nil
    }

    /// The value of a field of the query; of several the last, as the first family's framework has it.
    ///
    /// What is not valid percent-encoding of UTF-8 matches nothing and has no value.
    func field(_ name: String) -> String? {
        for pair in query.split(separator: "&").reversed() {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard PercentEncoding.decode(parts[0], plusIsSpace: true) == name else { continue }
            return parts.count == 2 ? PercentEncoding.decode(parts[1], plusIsSpace: true) ?? "" : ""
        }
        return nil
    }
}

/// Percent-encoding (RFC 3986 section 2.1), in queries with the plus of HTML forms.
enum PercentEncoding {
    /// The text, or `nil` if an escape is broken or the result is not UTF-8.
    static func decode(_ text: Substring, plusIsSpace: Bool) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue)
                else { return nil }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
