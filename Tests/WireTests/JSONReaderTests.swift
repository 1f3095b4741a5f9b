import Foundation
import Testing
import Wire

struct JSONReaderTests {
    static let valid: [(String, JSONValue)] = [
        ("null", nil), (" true\n", true), ("\t[ ]\r", []), ("{ }", [:]), ("\"\"", ""),
        ("0", 0), ("-1", -1), ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
        ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("1e2", .double(100)), ("2.50", 2.5),
        ("-9223372036854775809", .double(-9_223_372_036_854_775_808)),
        ("18446744073709551615", .double(0x1p64)), ("1E+2", .double(100)),
        ("5e-324", .double(.leastNonzeroMagnitude)),
        ("1e-400", .double(0)), ("0.1", 0.1), ("12345678901234567890123", .double(12_345_678_901_234_567_741_440)),
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
        (#""\ud83d\ude00""#, "😀"), (#""\ud83d""#, "\u{FFFD}"), (#""\ude00x""#, "\u{FFFD}x"),
        (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"), (#""\ud83d\n""#, "\u{FFFD}\n"),
        (#""\u0000""#, "\0"), ("\"\u{2028}\u{7F}\u{10FFFF}\"", "\u{2028}\u{7F}\u{10FFFF}"),
        (#""eight by eight by\"eight""#, "eight by eight by\"eight"),
        ("\"ünïcödé, quïté löng\"", "ünïcödé, quïté löng"),
        (#"{"a":1,"b":[true,{"c":null}]}"#, ["a": 1, "b": [true, ["c": nil]]]), (#"{"a":1,"a":2}"#, ["a": 2]),
        (#"[1 , 2]"#, [1, 2]), (#"{"":""}"#, ["": ""]),
    ]

    @Test(arguments: valid) func readsWhatTheGrammarAllows(_ text: String, _ value: JSONValue) throws {
        #expect(try JSONValue(parsing: Array(text.utf8)) == value)
    }

    @Test func keepsTheSignOfMinusZero() throws {
        let value = try JSONValue(parsing: Array("-0".utf8))
        #expect(value.double?.sign == .minus && value.int == 0 && value.compact == Array("-0.0".utf8))
    }

    static let invalid: [(String, JSONError.Kind, Int)] = [
        ("", .unexpectedEnd, 0), (" ", .unexpectedEnd, 1), ("[", .unexpectedEnd, 1), ("{", .unexpectedEnd, 1),
        ("tru", .unexpectedEnd, 3), ("trux", .unexpectedByte, 3), ("nul1", .unexpectedByte, 3),
        ("[1,]", .unexpectedByte, 3), ("[,1]", .unexpectedByte, 1), ("[1 2]", .unexpectedByte, 3),
        ("{\"a\"}", .unexpectedByte, 4), ("{\"a\":}", .unexpectedByte, 5), ("{a:1}", .unexpectedByte, 1),
        ("{\"a\":1,}", .unexpectedByte, 7), ("{1:1}", .unexpectedByte, 1), ("'a'", .unexpectedByte, 0),
        ("\u{FEFF}1", .unexpectedByte, 0), ("[1]]", .trailingBytes, 3), ("1 1", .trailingBytes, 2),
        ("01", .invalidNumber, 0), ("-", .invalidNumber, 0), ("-01", .invalidNumber, 0), ("1.", .invalidNumber, 0),
        (".5", .unexpectedByte, 0), ("+1", .unexpectedByte, 0), ("1e", .invalidNumber, 0), ("1e+", .invalidNumber, 0),
        ("1.e1", .invalidNumber, 0), ("0x1", .trailingBytes, 1), ("NaN", .unexpectedByte, 0), ("-I", .invalidNumber, 0),
        ("1e400", .numberOutOfRange, 0), ("[-1e999]", .numberOutOfRange, 1),
        ("\"", .unexpectedEnd, 1), ("\"abc", .unexpectedEnd, 4), ("\"\\", .unexpectedEnd, 2),
        ("\"\\x\"", .invalidEscape, 2), ("\"\\u12g4\"", .invalidEscape, 5), ("\"\\u12", .unexpectedEnd, 5),
        ("\"\\ud83d\\u\"", .invalidEscape, 9), ("\"\n\"", .controlCharacter, 1),
        ("\"eight by eight\u{1F}\"", .controlCharacter, 15), ("// a", .unexpectedByte, 0),
    ]

    @Test(arguments: invalid) func refusesWhatTheGrammarDoesNotAllow(
        _ text: String, _ kind: JSONError.Kind, _ offset: Int
    ) {
        #expect(throws: JSONError(kind: kind, offset: offset)) { try JSONValue(parsing: Array(text.utf8)) }
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC3], [0xE2, 0x82],
            [0xC3, 0x5C, 0x6E],
        ] as [[UInt8]]) func refusesStringsThatAreNotUTF8(_ bytes: [UInt8])
    {
        #expect(throws: JSONError(kind: .invalidUTF8, offset: 1)) { try JSONValue(parsing: [0x22] + bytes + [0x22]) }
    }

    @Test func keepsTheLastOfEqualKeysAlsoBehindHalfACharacter() throws {
        let text = #"{"a":"1","b":"u00e9d\ude00","n":"1","b":[1,-0,2,null]}"#
        let value = try JSONValue(parsing: Array(text.utf8))
        #expect(value == ["a": "1", "b": [1, .double(-0.0), 2, nil], "n": "1"])
    }

    @Test func nestsUpToTheLimitAndNoFurther() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONValue(parsing: nested(32))
        #expect(throws: JSONError(kind: .tooDeep, offset: 32)) { try JSONValue(parsing: nested(33)) }
        #expect(throws: JSONError(kind: .tooDeep, offset: 1)) {
            try JSONValue(parsing: Array(#"[{}]"#.utf8), depthMax: 1)
        }
    }

    /// Left out are the texts on which Foundation is laxer (a trailing comma, a byte order mark), stricter (a lone
    /// surrogate) or keeps a number as a decimal.
    @Test func agreesWithFoundation() throws {
        let leftOut = ["[1,]", #"{"a":1,}"#, "\u{FEFF}1", "1e-400", "-9223372036854775809", "12345678901234567890123"]
        for (text, _) in Self.valid
        where !leftOut.contains(text) && !text.contains(#"\ud83d"#) && !text.contains("\\ude") {
            let ours = try JSONValue(parsing: Array(text.utf8)).compact
            #expect(try foundation(ours) == foundation(Array(text.utf8)), "\(text)")
        }
        for (text, _, _) in Self.invalid where !leftOut.contains(text) {
            #expect(throws: (any Error).self, "\(text)") { try foundation(Array(text.utf8)) }
        }
    }

    private func foundation(_ json: [UInt8]) throws -> NSObject? {
        try JSONSerialization.jsonObject(with: Data(json), options: .fragmentsAllowed) as? NSObject
    }
}

struct JSONObjectTests {
    @Test func keepsOrderAndTheLastOfEqualKeys() {
        var object: JSONObject = ["b": 1, "a": 2, "b": 3]
        #expect(object.members.map(\.key) == ["b", "a"] && object["b"] == 3)
        object["b"] = nil
        object["c"] = .null
        #expect(object.members.map(\.key) == ["a", "c"] && object["c"] == .null && object["b"] == nil)
    }

    /// As strings they are equal, and to find that out costs the square of the number of accents.
    @Test(arguments: [0, 20]) func tellsKeysApartByTheirBytes(_ others: Int) throws {
        var object = JSONObject()
        for number in 0..<others { object["k\(number)"] = .null }
        object["\u{E9}"] = 1
        object["e\u{301}"] = 2
        #expect(object.count == others + 2 && object["\u{E9}"] == 1 && object["e\u{301}"] == 2)
        object["e\u{301}"] = nil
        #expect(object.count == others + 1 && object["\u{E9}"] == 1 && object["e\u{301}"] == nil)
        let read = try JSONValue(parsing: Array("{\"\u{E9}\":1,\"e\u{301}\":2}".utf8)).object
        #expect(read?.members.map(\.value) == [1, 2])
        #expect(["a": "\u{E9}"] as JSONObject != ["a": "e\u{301}"])
    }

    @Test func mergesWhatAnotherObjectSetsAndRemoves() {
        var object: JSONObject = ["a": 1, "b": 2, "c": 3]
        object.merge(["b": nil, "d": 4, "a": 5, "none": nil])
        #expect(object.members.map(\.key) == ["a", "c", "d"] && object == ["a": 5, "c": 3, "d": 4])
    }

    @Test func equalsAnObjectInAnotherOrder() {
        #expect(["a": 1, "b": 2] as JSONObject == ["b": 2, "a": 1])
        #expect(["a": 1, "b": 2] as JSONObject != ["a": 1, "c": 2])
    }

    @Test func behavesAlikeWhenSmallAndWhenIndexed() {
        var object = JSONObject()
        for number in 0..<40 { object["k\(number)"] = .int(Int64(number)) }
        for number in 0..<40 { object["k\(number)"] = .int(Int64(number * 2)) }
        #expect(object.count == 40 && object["k39"] == 78)
        for number in 0..<30 { object["k\(number)"] = nil }
        #expect(object.members.map(\.key) == (30..<40).map { "k\($0)" } && object["k35"] == 70 && object["k3"] == nil)
    }
}
