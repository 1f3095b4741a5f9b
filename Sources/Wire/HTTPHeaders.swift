/// Header fields in the order in which they came; names in any case (RFC 9110 section 5).
///
/// What is read is ASCII: no field that is read here has a meaning for other bytes, which the RFC calls opaque, and
/// strings of ASCII are compared by their bytes.
public struct HTTPHeaders: Sendable {
    /// The fields; each line for itself.
    public private(set) var fields: [(name: String, value: String)] = []

    /// No fields.
    public init() {}

    /// Adds a line. A control character in the value, which could start another line, becomes a space.
    ///
    /// - Precondition: the name is a token.
    public mutating func add(_ name: String, _ value: String) {
        precondition(!name.isEmpty && name.utf8.allSatisfy(isTokenByte))
        let safe = value.utf8.allSatisfy(isFieldValueByte)
        fields.append(
            (name, safe ? value : String(decoding: value.utf8.map { isFieldValueByte($0) ? $0 : 0x20 }, as: UTF8.self)))
    }

    /// The value of the first line of that name.
    public func first(_ name: String) -> String? {
        fields.first { equalsIgnoringCase($0.name, name) }?.value
    }

    /// The values of all lines of that name.
    public func all(_ name: String) -> [String] {
        fields.compactMap { equalsIgnoringCase($0.name, name) ? $0.value : nil }
    }

    /// The members of a comma-separated list, over all lines of that name; for lists without quoted strings.
    public func tokens(_ name: String) -> [String] {
        all(name).flatMap { value in
            value.utf8.split(separator: UInt8(ascii: ",")).map { trimmed($0) }.filter { !$0.isEmpty }
                .map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Whether a comma-separated list holds a token, in any case.
    public func contains(_ token: String, in name: String) -> Bool {
        tokens(name).contains { equalsIgnoringCase($0, token) }
    }

    /// Reads one line of a header or trailer section (RFC 9112 section 5), without its line end.
    mutating func add(line: [UInt8], countMax: Int) throws(HTTPParseError) {
        guard fields.count < countMax else { throw HTTPParseError(431, "more than \(countMax) header fields") }
        guard let first = line.first, first != 0x20, first != 0x09 else {
            throw HTTPParseError(400, "folded header line")
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            line[..<colon].allSatisfy(isTokenByte)
        else { throw HTTPParseError(400, "malformed header name") }
        let value = trimmed(line[(colon + 1)...])
        guard value.allSatisfy(isFieldValueByte) else { throw HTTPParseError(400, "control character in a header") }
        fields.append((String(decoding: line[..<colon], as: UTF8.self), ascii(value)))
    }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
    /// The fields of a literal, a line for each.
    public init(dictionaryLiteral fields: (String, String)...) {
        for (name, value) in fields { add(name, value) }
    }
}

/// The text of ASCII bytes; a question mark stands for each other one.
private func ascii(_ bytes: ArraySlice<UInt8>) -> String {
    guard !bytes.allSatisfy({ $0 < 0x80 }) else { return String(decoding: bytes, as: UTF8.self) }
    return String(decoding: bytes.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
}

/// Without the spaces and tabs at both ends.
private func trimmed<Bytes: BidirectionalCollection<UInt8>>(_ bytes: Bytes) -> Bytes.SubSequence {
    var rest = bytes[...]
    while let first = rest.first, first == 0x20 || first == 0x09 { rest.removeFirst() }
    while let last = rest.last, last == 0x20 || last == 0x09 { rest.removeLast() }
    return rest
}
