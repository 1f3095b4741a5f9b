import Testing
import Wire

struct Base64Tests {
    /// RFC 4648 section 10, and the two digits in which the alphabets differ.
    static let pairs: [([UInt8], String, String)] = [
        ([], "", ""), (bytes("f"), "Zg==", "Zg"), (bytes("fo"), "Zm8=", "Zm8"), (bytes("foo"), "Zm9v", "Zm9v"),
        (bytes("foob"), "Zm9vYg==", "Zm9vYg"), (bytes("fooba"), "Zm9vYmE=", "Zm9vYmE"),
        (bytes("foobar"), "Zm9vYmFy", "Zm9vYmFy"), ([0xFB, 0xFF, 0xBF], "+/+/", "-_-_"), ([0xFF], "/w==", "_w"),
    ]

    @Test(arguments: pairs) func goesThereAndBack(_ plain: [UInt8], _ standard: String, _ url: String) {
        #expect(Base64.string(plain) == standard && Base64.string(plain, .url) == url)
        #expect(Base64.decode(standard) == plain && Base64.decode(url, .url) == plain)
    }

    @Test(arguments: [
        "Zg", "Zg=", "Zg===", "Z", "Z===", "=", "====", "Zh==", "Zm9=", "Zm9v\n", "Zm 9", "-_-_", "Zg==Zg==", "Zm=v",
        "é===",
    ]) func refusesAllButTheOneText(_ text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(arguments: ["Zg==", "Zh", "Zm9", "+/+/", "Z", "Zm9vZ"]) func refusesAllButTheOneURLText(_ text: String) {
        #expect(Base64.decode(text, .url) == nil)
    }
}

struct SharedBytesTests {
    @Test(arguments: [[], [1], [1, 2, 3]] as [[UInt8]]) func keepsACopy(_ bytes: [UInt8]) {
        let shared = SharedBytes(bytes)
        let copy = shared.withUnsafeBytes { SharedBytes($0) }
        #expect(shared.count == bytes.count && shared.withUnsafeBytes { Array($0) } == bytes)
        #expect(copy.base != shared.base && copy.withUnsafeBytes { Array($0) } == bytes)
    }
}
