import Foundation

/// What is read is written, read again, and is the same. Foundation reads what we read, and the same; and refuses what
/// we refuse, but for the differences that `FoundationReading` lists.
func fuzzJSON(_ input: UnsafeRawBufferPointer) {
    let theirs = FoundationReading(input)
    let value: JSONValue
    do throws(JSONError) {
        value = try JSONValue(parsing: input)
    } catch {
        check((0...input.count).contains(error.offset), "an error outside the text")
        return check(theirs.mayAccept(whatWeRefuse: error), "Foundation reads what we refuse: \(error)")
    }
    let compact = value.compact
    let again = try? JSONValue(parsing: compact)
    check(again == value && again?.compact == compact, "written and read again, it is another value")
    check(theirs.agrees(with: value), "Foundation reads another value, or none")
}

/// What is written is read again, by us and by Foundation, and is the same.
func fuzzJSONWriter(_ input: UnsafeRawBufferPointer) {
    var recipe = Recipe(input)
    let value = recipe.value(depth: 0)
    let compact = value.compact
    check((try? JSONValue(parsing: compact)) == value.asRead, "read again, it is another value")
    compact.withUnsafeBytes { bytes in
        check(FoundationReading(bytes).agrees(with: value.asRead), "Foundation reads another value, or none")
    }
}

/// What `JSONSerialization` makes of a text, and where it may differ from RFC 8259 as we read it.
private struct FoundationReading {
    private let value: Any?
    private let text: UnsafeRawBufferPointer

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
        // An empty input has no address, which `Data` wants.
        let data = text.isEmpty ? Data() : Data(text)
        value = try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
    }

    func mayAccept(whatWeRefuse error: JSONError) -> Bool {
        if value == nil { return true }
        // It guesses UTF-16 and UTF-32 from a byte order mark or zero bytes, and skips the mark of UTF-8.
        if isAnotherEncoding { return true }
        // Its limit is 512, ours 32.
        if error.kind == .tooDeep { return true }
        // It reads `[1,]`.
        return error.kind == .unexpectedByte && isBehindComma(error.offset)
    }

    func agrees(with ours: JSONValue) -> Bool {
        guard let value else { return hasLoneSurrogate }
        return Self.isSame(ours, value)
    }

    /// It refuses half a character, also in a value that a later one of the same name replaces; we read U+FFFD, as
    /// browsers do.
    private var hasLoneSurrogate: Bool {
        var rest = text[...]
        var awaitsLow = false
        while let byte = rest.first {
            var unit: UInt16 = 0
            var length = 1
            if byte == UInt8(ascii: "\\") {
                let isUnit = rest.dropFirst().first == UInt8(ascii: "u")
                length = isUnit ? 6 : 2
                let digits = String(decoding: rest.dropFirst(2).prefix(isUnit ? 4 : 0), as: UTF8.self)
                unit = UInt16(digits, radix: 16) ?? 0
            }
            if awaitsLow != (0xDC00...0xDFFF ~= unit) { return true }
            awaitsLow = 0xD800...0xDBFF ~= unit
            rest = rest.dropFirst(length)
        }
        return false
    }

    private func isBehindComma(_ offset: Int) -> Bool {
        guard text[offset] == UInt8(ascii: "]") || text[offset] == UInt8(ascii: "}") else { return false }
        let before = text[..<offset].last { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
        return before == UInt8(ascii: ",")
    }

    private var isAnotherEncoding: Bool {
        text.contains(0) || text.starts(with: [0xEF, 0xBB, 0xBF]) || text.starts(with: [0xFE, 0xFF])
            || text.starts(with: [0xFF, 0xFE])
    }

    private static func isSame(_ ours: JSONValue, _ theirs: Any) -> Bool {
        switch ours {
        case .null: return theirs is NSNull
        case .string(let string): return (theirs as? String).map { $0.utf8.elementsEqual(string.utf8) } ?? false
        case .array(let array):
            guard let theirs = theirs as? [Any], theirs.count == array.count else { return false }
            return zip(array, theirs).allSatisfy { isSame($0, $1) }
        case .object(let object):
            // Its keys are strings: where several of ours are canonically equivalent, it has one, with one's value.
            let ours = Dictionary(grouping: object.members, by: \.key)
            guard let theirs = theirs as? [String: Any], theirs.count == ours.count else { return false }
            return ours.allSatisfy { key, members in
                theirs[key].map { value in members.contains { isSame($0.value, value) } } ?? false
            }
        case .bool(let bool): return (theirs as? NSNumber)?.boolValue == bool
        case .int(let int): return (theirs as? NSNumber)?.int64Value == int
        case .double(let double):
            // It goes by way of decimals, and may miss the last bits.
            guard let theirs = (theirs as? NSNumber)?.doubleValue else { return false }
            return theirs == double || abs(theirs - double) <= abs(double) * 1e-14
        }
    }
}

extension Recipe {
    fileprivate mutating func value(depth: Int) -> JSONValue {
        let choice = byte()
        switch choice & 15 {
        case 0: return .null
        case 1, 2: return .bool(choice & 16 != 0)
        case 3, 4: return .int(Int64(bitPattern: word()))
        case 5: return .int(Int64(byte()))
        case 6, 7: return .double(Double(bitPattern: word()))
        case 8...11: return .string(text())
        case 12 where depth < 8, 13 where depth < 8:
            return .array((0..<Int(choice >> 4)).map { _ in value(depth: depth + 1) })
        default:
            var object = JSONObject()
            guard depth < 8 else { return .object(object) }
            let members = choice == 255 ? 20 : Int(choice >> 4)
            for _ in 0..<members { object[text()] = value(depth: depth + 1) }
            return .object(object)
        }
    }
}

extension JSONValue {
    /// What a reader makes of it: JSON cannot write infinity and what is not a number.
    fileprivate var asRead: JSONValue {
        switch self {
        case .double(let double) where !double.isFinite: return .null
        case .array(let array): return .array(array.map(\.asRead))
        case .object(let object):
            var read = JSONObject()
            for (key, value) in object.members { read[key] = value.asRead }
            return .object(read)
        default: return self
        }
    }
}
