/// A JSON value (RFC 8259), kept in memory.
///
/// A number is `int` when it is written without fraction and exponent and fits; any other is `double`.
public enum JSONValue: Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number that is exact in 64 bits.
    case int(Int64)
    /// Any other number; also `-0`, whose sign an integer would lose.
    case double(Double)
    /// A string.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object.
    case object(JSONObject)

    /// Parses exactly one value, with white space around it at most.
    ///
    /// - Parameter depthMax: arrays and objects inside each other; the parser recurses once for each.
    public init(parsing bytes: UnsafeRawBufferPointer, depthMax: Int = 32) throws(JSONError) {
        var reader = JSONReader(bytes, depthMax: depthMax)
        self = try reader.document()
    }

    /// Parses exactly one value, with white space around it at most.
    public init(parsing bytes: [UInt8], depthMax: Int = 32) throws(JSONError) {
        self = try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) -> JSONValue in
            try JSONValue(parsing: UnsafeRawBufferPointer(buffer), depthMax: depthMax)
        }
    }

    /// The value as JSON without white space.
    public var compact: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }

    /// The string, if it is one.
    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The integer, if it is one; `3.0` and `3e2` count.
    public var int: Int64? {
        switch self {
        case .int(let value): value
        case .double(let value) where value >= -0x1p63 && value < 0x1p63 && Double(Int64(value)) == value: Int64(value)
        case .null, .bool, .double, .string, .array, .object: nil
        }
    }

    /// The number, if it is one.
    public var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        case .null, .bool, .string, .array, .object: nil
        }
    }

    /// The truth value, if it is one.
    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements, if it is an array.
    public var array: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The object, if it is one.
    public var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// Whether it is `null`.
    public var isNull: Bool {
        if case .null = self { true } else { false }
    }
}

extension JSONValue: Equatable {
    /// Whether both are the same value; strings compare by their bytes.
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.int(let left), .int(let right)): left == right
        case (.double(let left), .double(let right)): left == right
        case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        case (.null, _), (.bool, _), (.int, _), (.double, _), (.string, _), (.array, _), (.object, _): false
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .int(value) }
    /// A number.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object; of equal keys the last wins.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
}

/// Why bytes are not one JSON value, and where.
public struct JSONError: Error, Equatable, Sendable {
    /// What is wrong.
    public enum Kind: Sendable {
        /// The bytes end inside the value.
        case unexpectedEnd
        /// A byte that the grammar does not allow here.
        case unexpectedByte
        /// A control character inside a string.
        case controlCharacter
        /// A backslash followed by none of the eight escapes, or `\u` without four hexadecimal digits.
        case invalidEscape
        /// A string that is not UTF-8.
        case invalidUTF8
        /// A number against the grammar, such as `01`, `.5` or `1.`.
        case invalidNumber
        /// A number that no `Double` can hold.
        case numberOutOfRange
        /// More arrays and objects inside each other than allowed.
        case tooDeep
        /// Something after the value.
        case trailingBytes
    }

    /// What is wrong.
    public let kind: Kind
    /// Where, in bytes from the start.
    public let offset: Int

    /// An error at an offset.
    public init(kind: Kind, offset: Int) {
        self.kind = kind
        self.offset = offset
    }
}
