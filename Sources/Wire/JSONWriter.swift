/// Appends JSON (RFC 8259) to bytes; it sets commas and colons itself.
///
/// The caller keeps the nesting right: a key before each value in an object, one end for each begin.
public struct JSONWriter {
    /// What was written so far.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// A writer whose first `capacity` bytes cost one allocation.
    public init(capacity: Int = 256) {
        bytes.reserveCapacity(capacity)
    }

    /// Opens an object.
    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    /// Closes the object.
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    /// Opens an array.
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    /// Closes the array.
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    /// Writes a member's key that needs no escapes: the literals of our own protocols.  // HOT
    public mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { name in
            assert(JSONScan.firstSpecial(in: UnsafeRawBufferPointer(name), from: 0) == name.count)
            bytes.append(contentsOf: name)
        }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a member's key.
    @_disfavoredOverload
    public mutating func key(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a string.
    public mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { string(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// Writes a string whose bytes are known to be UTF-8.  // HOT
    public mutating func string(utf8: UnsafeRawBufferPointer) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        Self.escape(utf8, into: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends the inside of a string, or of a part of one: a text may be cut between any two of its bytes.  // HOT
    public static func escape(_ utf8: UnsafeRawBufferPointer, into bytes: inout [UInt8]) {
        var plainStart = 0
        while true {
            let special = JSONScan.firstSpecial(in: utf8, from: plainStart)
            if special > plainStart {
                bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: utf8[plainStart..<special]))
            }
            guard special < utf8.count else { break }
            appendEscaped(utf8[special], to: &bytes)
            plainStart = special + 1
        }
    }

    /// Hands over what was written so far; the rest of the document goes on behind it.
    public mutating func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        return taken
    }

    /// Writes a string whose bytes are known to be UTF-8.
    public mutating func string(utf8: some Collection<UInt8>) {
        let isContiguous: Void? = utf8.withContiguousStorageIfAvailable { string(utf8: UnsafeRawBufferPointer($0)) }
        if isContiguous == nil {
            Array(utf8).withUnsafeBytes { string(utf8: $0) }
        }
    }

    /// Writes an integer.
    public mutating func int(_ value: some FixedWidthInteger) {
        separate()
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        appendDecimal(UInt64(value.magnitude), to: &bytes)
    }

    /// Writes a number; what JSON cannot write (infinity, not a number) becomes `null`.
    public mutating func double(_ value: Double) {
        guard value.isFinite else { return null() }
        separate()
        bytes.append(contentsOf: value.description.utf8)
    }

    /// Writes `true` or `false`.
    public mutating func bool(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// Writes `null`.
    public mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    /// Writes a value with all that is in it.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .int(let value): int(value)
        case .double(let value): double(value)
        case .string(let value): string(value)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let object):
            beginObject()
            for (name, value) in object.members {
                key(name)
                self.value(value)
            }
            endObject()
        }
    }

    /// Writes a value that is JSON already.
    public mutating func raw(_ json: [UInt8]) {
        separate()
        bytes.append(contentsOf: json)
    }

    private mutating func begin(_ byte: UInt8) {
        separate()
        bytes.append(byte)
        needsComma = false
    }

    private mutating func end(_ byte: UInt8) {
        bytes.append(byte)
        needsComma = true
    }

    /// Sets the comma before a key or a value where one is due; after a value one is due.
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// How many bytes a byte of UTF-8 takes inside a string.
    public static func escapedCount(of byte: UInt8) -> Int {
        switch byte {
        case 0x08, 0x09, 0x0A, 0x0C, 0x0D, UInt8(ascii: "\""), UInt8(ascii: "\\"): 2
        case ..<0x20: 6
        default: 1
        }
    }

    /// Writes an escape at once: of a text of control characters each byte becomes one.
    private static func appendEscaped(_ byte: UInt8, to bytes: inout [UInt8]) {
        let letter: UInt8
        switch byte {
        case 0x08: letter = UInt8(ascii: "b")
        case 0x09: letter = UInt8(ascii: "t")
        case 0x0A: letter = UInt8(ascii: "n")
        case 0x0C: letter = UInt8(ascii: "f")
        case 0x0D: letter = UInt8(ascii: "r")
        case 0x20...: letter = byte
        default: letter = UInt8(ascii: "u")
        }
        // `\u0000` as the bytes of a word, the first one lowest, with both last digits still to be added.
        var word = UInt64(0x3030_3030_005C) | UInt64(letter) << 8
        if letter == UInt8(ascii: "u") {
            word += UInt64(byte >> 4) << 32 + UInt64(lowercaseHexDigit(byte & 0x0F) - 0x30) << 40
        }
        withUnsafeBytes(of: word.littleEndian) { escape in
            let count = letter == UInt8(ascii: "u") ? 6 : 2
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: escape[..<count]))
        }
    }
}

// Whole members of an object; an absent value leaves the member out.
extension JSONWriter {
    /// Writes a member with a string, unless it is absent.
    public mutating func field(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        key(name)
        string(value)
    }

    /// Writes a member with an integer, unless it is absent.
    public mutating func field(_ name: StaticString, _ value: Int?) {
        guard let value else { return }
        key(name)
        int(value)
    }

    /// Writes a member with an integer, unless it is absent.
    public mutating func field(_ name: StaticString, _ value: Int64?) {
        guard let value else { return }
        key(name)
        int(value)
    }

    /// Writes a member with an integer, unless it is absent.
    public mutating func field(_ name: StaticString, _ value: UInt64?) {
        guard let value else { return }
        key(name)
        int(value)
    }

    /// Writes a member with a number, unless it is absent.
    public mutating func field(_ name: StaticString, _ value: Double?) {
        guard let value else { return }
        key(name)
        double(value)
    }

    /// Writes a member with a truth value, unless it is absent.
    public mutating func field(_ name: StaticString, _ value: Bool?) {
        guard let value else { return }
        key(name)
        bool(value)
    }

    /// Writes a member with any value, unless it is absent; `.null` is written.
    public mutating func field(_ name: StaticString, _ value: JSONValue?) {
        guard let value else { return }
        key(name)
        self.value(value)
    }
}
