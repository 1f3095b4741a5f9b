/// Reads one JSON text (RFC 8259), strictly, by recursive descent.
///
/// Strings are searched eight bytes at a time for the three things that can end or interrupt them; what lies between
/// is checked for UTF-8 and copied once, into its `String`.
/// Invariant: `position <= bytes.count`; every load is preceded by that check.
struct JSONReader {
    private let bytes: UnsafeRawBufferPointer
    private let depthMax: Int
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer, depthMax: Int) {
        self.bytes = bytes
        self.depthMax = depthMax
    }

    mutating func document() throws(JSONError) -> JSONValue {
        skipWhiteSpace()
        let value = try value(depth: 0)
        skipWhiteSpace()
        guard position == bytes.count else { throw error(.trailingBytes) }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        switch try peek() {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: throw error(.unexpectedByte)
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
        guard depth <= depthMax else { throw error(.tooDeep) }
        var object = JSONObject()
        position += 1
        skipWhiteSpace()
        if try peek() == UInt8(ascii: "}") {
            position += 1
            return object
        }
        while true {
            guard try peek() == UInt8(ascii: "\"") else { throw error(.unexpectedByte) }
            let key = try string()
            skipWhiteSpace()
            guard try peek() == UInt8(ascii: ":") else { throw error(.unexpectedByte) }
            position += 1
            skipWhiteSpace()
            object[key] = try value(depth: depth)
            if try endsList(with: UInt8(ascii: "}")) { return object }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
        guard depth <= depthMax else { throw error(.tooDeep) }
        var array: [JSONValue] = []
        position += 1
        skipWhiteSpace()
        if try peek() == UInt8(ascii: "]") {
            position += 1
            return array
        }
        while true {
            array.append(try value(depth: depth))
            if try endsList(with: UInt8(ascii: "]")) { return array }
        }
    }

    /// Consumes what follows an element: the closing byte (true), or a comma and white space.
    private mutating func endsList(with closing: UInt8) throws(JSONError) -> Bool {
        skipWhiteSpace()
        let byte = try peek()
        guard byte == closing || byte == UInt8(ascii: ",") else { throw error(.unexpectedByte) }
        position += 1
        if byte == closing { return true }
        skipWhiteSpace()
        return false
    }

    private mutating func literal(_ name: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for index in 0..<name.utf8CodeUnitCount {
            guard try peek() == name.utf8Start[index] else { throw error(.unexpectedByte) }
            position += 1
        }
        return value
    }

    private func peek() throws(JSONError) -> UInt8 {
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        return bytes[position]
    }

    private mutating func skipWhiteSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private func error(_ kind: JSONError.Kind, at offset: Int? = nil) -> JSONError {
        JSONError(kind: kind, offset: offset ?? position)
    }
}

// Strings, section 7.
extension JSONReader {
    private mutating func string() throws(JSONError) -> String {
        let start = position + 1
        position = JSONScan.firstSpecial(in: bytes, from: start)
        guard try peek() == UInt8(ascii: "\"") else { return try stringWithEscapes(from: start) }
        defer { position += 1 }
        return try validated(UnsafeRawBufferPointer(rebasing: bytes[start..<position]), at: start)
    }

    private mutating func stringWithEscapes(from start: Int) throws(JSONError) -> String {
        var unescaped: [UInt8] = []
        var plainStart = start
        while true {
            unescaped.append(contentsOf: bytes[plainStart..<position])
            switch try peek() {
            case UInt8(ascii: "\""):
                position += 1
                return try unescaped.withUnsafeBufferPointer { (buffer) throws(JSONError) -> String in
                    try validated(UnsafeRawBufferPointer(buffer), at: start)
                }
            case UInt8(ascii: "\\"):
                position += 1
                try appendEscaped(to: &unescaped)
            default:
                throw error(.controlCharacter)
            }
            plainStart = position
            position = JSONScan.firstSpecial(in: bytes, from: position)
        }
    }

    private func validated(_ utf8: UnsafeRawBufferPointer, at start: Int) throws(JSONError) -> String {
        // `String(validating:)` costs a quarter of a microsecond more, even for a short key.
        var validator = UTF8Validator()
        guard validator.consume(utf8), validator.isAtScalarBoundary else { throw error(.invalidUTF8, at: start) }
        return String(decoding: utf8, as: UTF8.self)
    }

    private mutating func appendEscaped(to unescaped: inout [UInt8]) throws(JSONError) {
        let escape = try peek()
        position += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(escape)
        case UInt8(ascii: "b"): unescaped.append(0x08)
        case UInt8(ascii: "f"): unescaped.append(0x0C)
        case UInt8(ascii: "n"): unescaped.append(0x0A)
        case UInt8(ascii: "r"): unescaped.append(0x0D)
        case UInt8(ascii: "t"): unescaped.append(0x09)
        case UInt8(ascii: "u"): unescaped.append(contentsOf: UTF8.encode(try escapedScalar())!)
        default: throw error(.invalidEscape, at: position - 1)
        }
    }

    /// The scalar of `\uXXXX` or of a pair of them; a surrogate without its other half becomes U+FFFD.
    private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let isHigh = first < 0xDC00
        guard isHigh, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let afterFirst = position
        position += 2
        let second = try fourHexDigits()
        guard (0xDC00...0xDFFF).contains(second) else {
            position = afterFirst
            return "\u{FFFD}"
        }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))!
    }

    private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = hexDigitValue(try peek()) else { throw error(.invalidEscape) }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}

// Numbers, section 6.
extension JSONReader {
    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = bytes[position] == UInt8(ascii: "-")
        if isNegative { position += 1 }
        let integerStart = position
        try skipDigits(from: start)
        if bytes[integerStart] == UInt8(ascii: "0"), position > integerStart + 1 {
            throw error(.invalidNumber, at: start)
        }
        let integerEnd = position
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            try skipDigits(from: start)
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try skipDigits(from: start)
        }
        if position == integerEnd, let int = integer(integerStart..<integerEnd, isNegative: isNegative) {
            return .int(int)
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let double = Double(text), double.isFinite else { throw error(.numberOutOfRange, at: start) }
        return .double(double)
    }

    private mutating func skipDigits(from numberStart: Int) throws(JSONError) {
        let start = position
        while position < bytes.count, isDigit(bytes[position]) { position += 1 }
        guard position > start else { throw error(.invalidNumber, at: numberStart) }
    }

    private func integer(_ digits: Range<Int>, isNegative: Bool) -> Int64? {
        guard digits.count <= 19 else { return nil }
        // Nineteen digits always fit in 64 bits without a sign.
        var magnitude: UInt64 = 0
        for index in digits { magnitude = magnitude * 10 + UInt64(bytes[index] - UInt8(ascii: "0")) }
        guard isNegative else { return Int64(exactly: magnitude) }
        if magnitude == 0 || magnitude > Int64.min.magnitude { return nil }
        return Int64(truncatingIfNeeded: 0 &- magnitude)
    }
}
