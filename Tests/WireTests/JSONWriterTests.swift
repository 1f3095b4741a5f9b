import Testing
import Wire

struct JSONWriterTests {
    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func setsCommasAndColons() {
        let json = written { writer in
            writer.beginObject()
            writer.field("a", 1)
            writer.key("b")
            writer.beginArray()
            writer.null()
            writer.beginObject()
            writer.endObject()
            writer.beginArray()
            writer.endArray()
            writer.raw(Array("{\"x\":0}".utf8))
            writer.endArray()
            writer.key("c\n" as String)
            writer.double(0.5)
            writer.endObject()
        }
        #expect(json == #"{"a":1,"b":[null,{},[],{"x":0}],"c\n":0.5}"#)
    }

    @Test func leavesOutAbsentFields() {
        let json = written { writer in
            writer.beginObject()
            writer.field("a", nil as String?)
            writer.field("b", "x")
            writer.field("c", nil as Int?)
            writer.field("d", true)
            writer.field("e", 1.5)
            writer.field("f", JSONValue.null)
            writer.field("g", UInt64.max)
            writer.field("h", Int64.min)
            writer.endObject()
        }
        #expect(json == #"{"b":"x","d":true,"e":1.5,"f":null,"g":18446744073709551615,"h":-9223372036854775808}"#)
    }

    @Test(arguments: [
        ("", #""""#), ("a\"b\\c/", #""a\"b\\c/""#), ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#),
        ("\0\u{1}\u{B}\u{1F}\u{7F}", "\"\\u0000\\u0001\\u000b\\u001f\u{7F}\""), ("é€😀\u{2028}", "\"é€😀\u{2028}\""),
        ("eight by eight by eight \"", #""eight by eight by eight \"""#),
    ]) func escapesOnlyWhatMustBe(_ string: String, _ json: String) {
        #expect(written { $0.string(string) } == json)
        #expect(written { $0.string(utf8: Array(string.utf8)) } == json)
        #expect(written { $0.string(utf8: Array(string.utf8)[...]) } == json)
        #expect(written { $0.string(utf8: string.utf8.lazy.map { $0 }) } == json)
    }

    @Test(arguments: [(Double.nan, "null"), (.infinity, "null"), (1e21, "1e+21"), (-0.0, "-0.0"), (3, "3.0")])
    func writesNumbersThatJSONCanHold(_ number: Double, _ json: String) {
        #expect(written { $0.double(number) } == json)
    }

    /// Every place of every special byte in a string around the eight-byte steps comes back as it was.
    @Test func readsBackWhatItWrote() throws {
        for count in 0..<20 {
            for place in 0...count {
                for special in ["\"", "\\", "\u{1}", "é", "!", "\u{7F}", ""] {
                    let string =
                        String(repeating: "#", count: place) + special + String(repeating: "[", count: count - place)
                    #expect(try JSONValue(parsing: JSONValue.string(string).compact) == .string(string))
                }
            }
        }
    }
}
