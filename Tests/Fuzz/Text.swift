import Foundation

/// The same bytes are text for us, for the standard library and for Foundation; and what is not, is refused at the
/// first byte that no text could have there.
func fuzzUTF8(_ input: UnsafeRawBufferPointer) {
    guard let (rule, bytes) = input.cutting else { return }
    var validator = UTF8Validator()
    var isValid = true
    for range in Pieces(bytes.count, by: rule) where isValid { isValid = validator.consume(bytes.piece(range)) }
    let isText = isValid && validator.isAtScalarBoundary
    check(isText == (String(validating: bytes, as: UTF8.self) != nil), "the standard library says otherwise")
    if rule & 7 == 1 {
        check(isText == (String(data: Data(bytes), encoding: .utf8) != nil), "Foundation says otherwise")
    }
    checkEarliestRefusal(bytes, isRefused: !isValid)
}

/// Before the refused byte there is text, but for a last character that some bytes would complete.
private func checkEarliestRefusal(_ bytes: UnsafeRawBufferPointer, isRefused: Bool) {
    var validator = UTF8Validator()
    let accepted = bytes.indices.first { !validator.consume(bytes.piece($0..<$0 + 1)) } ?? bytes.count
    check((accepted < bytes.count) == isRefused, "single bytes change the judgement")
    let canBegin = { (bytes: [UInt8]) in
        ([[]] + textEnds).contains { String(validating: bytes + $0, as: UTF8.self) != nil }
    }
    // A character has at most four bytes, so the last seven decide.
    let start = bytes[max(0, accepted - 6)..<accepted].firstIndex { $0 & 0xC0 != 0x80 } ?? accepted
    check(canBegin(Array(bytes[start..<accepted])), "bytes were accepted that begin no text")
    if accepted < bytes.count { check(!canBegin(Array(bytes[start...accepted])), "refused too early") }
}

/// Each value has one text, ours and Foundation's; what Foundation decodes and we do not is not that one text.
func fuzzBase64(_ input: UnsafeRawBufferPointer) {
    let bytes = Array(input)
    for alphabet in [Base64.Alphabet.standard, .url] {
        check(Base64.decode(Base64.encode(bytes, alphabet), alphabet) == bytes, "encoded and decoded, it is another")
        if let decoded = Base64.decode(bytes, alphabet) {
            check(Base64.encode(decoded, alphabet) == bytes, "a second text of the same bytes was decoded")
        }
    }
    let data = Data(bytes)
    check(Array(data.base64EncodedData()) == Base64.encode(bytes), "Foundation encodes otherwise")
    let theirs = Data(base64Encoded: data)
    if let ours = Base64.decode(bytes) {
        check(theirs.map { Array($0) } == ours, "Foundation decodes otherwise")
    } else if let theirs {
        check(theirs.base64EncodedData() != data, "Foundation decodes what is right, and we do not")
    }
}

/// A moment is written as the C library has it, and read again; any text is a moment or refused.
func fuzzTimestamp(_ input: UnsafeRawBufferPointer) {
    let text = String(decoding: input, as: UTF8.self)
    if let read = Timestamp(rfc3339: text) { checkRead(text, read) }
    var recipe = Recipe(input)
    let any = Timestamp(milliseconds: Int64(bitPattern: recipe.word()))
    check(any.rfc3339.utf8.count == 24 && any.httpDate.utf8.count == 29, "another length")
    // Years 0 to 9999.
    let (first, count): (Int64, UInt64) = (-62_167_219_200_000, 315_569_520_000_000)
    let inside = Timestamp(milliseconds: first + Int64(any.milliseconds.magnitude % count))
    check(Timestamp(rfc3339: inside.rfc3339) == inside, "written and read again, it is another moment")
    let civil = CivilTime(seconds: (inside.milliseconds - (inside.milliseconds % 1000 + 1000) % 1000) / 1000)
    let prefix = "\(civil.year)-\(civil.text("%m-%dT%H:%M:%S."))"
    check(inside.rfc3339.hasPrefix(prefix), "the C library writes another moment")
    check(
        inside.httpDate == "\(civil.text("%a, %d %b")) \(civil.year) \(civil.text("%H:%M:%S GMT"))",
        "the C library writes another date")
}

/// The C library must agree about the calendar: the same text, taken apart by it.
private func checkRead(_ text: String, _ read: Timestamp) {
    let digits = text.utf8.prefix(19).map { Int32($0) - 0x30 }
    let number = { (start: Int, count: Int) in digits[start..<start + count].reduce(0) { $0 * 10 + $1 } }
    var parts = tm()
    (parts.tm_year, parts.tm_mon, parts.tm_mday) = (number(0, 4) - 1900, number(5, 2) - 1, number(8, 2))
    (parts.tm_hour, parts.tm_min, parts.tm_sec) = (number(11, 2), number(14, 2), number(17, 2))
    let offset = text.last == "Z" || text.last == "z" ? 0 : offsetSeconds(text.suffix(6))
    let seconds = Int64(timegm(&parts)) - Int64(offset)
    check((0..<1000).contains(read.milliseconds - seconds * 1000), "the C library reads another moment")
}

/// Of `+01:30`.
private func offsetSeconds(_ text: Substring) -> Int {
    let digits = text.utf8.compactMap { Int($0) - 0x30 }.filter { (0...9).contains($0) }
    let minutes = (digits[0] * 10 + digits[1]) * 60 + digits[2] * 10 + digits[3]
    return minutes * 60 * (text.first == "-" ? -1 : 1)
}

/// A moment as the C library takes it apart.
private struct CivilTime {
    private var parts = tm()

    init(seconds: Int64) {
        var time = time_t(seconds)
        gmtime_r(&time, &parts)
    }

    /// Four digits, which `%Y` has not.
    var year: String {
        let digits = String(parts.tm_year + 1900)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }

    func text(_ format: String) -> String {
        var parts = parts
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, format, &parts)
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
