import Foundation
import Testing
import Wire

struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
            (784_111_777_000, "1994-11-06T08:49:37.000Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_737_887_400_000, "2025-01-26T10:30:00.000Z", "Sun, 26 Jan 2025 10:30:00 GMT"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z", "Sat, 01 Jan 0000 00:00:00 GMT"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] as [(Int64, String, String)]) func isWrittenAndRead(
            _ milliseconds: Int64, _ rfc3339: String, _ httpDate: String
        )
    {
        let timestamp = Timestamp(milliseconds: milliseconds)
        #expect(timestamp.rfc3339 == rfc3339 && timestamp.httpDate == httpDate)
        #expect(Timestamp(rfc3339: rfc3339) == timestamp)
    }

    @Test func isClampedToTheYearsThatCanBeWritten() {
        #expect(Timestamp(milliseconds: .max).rfc3339 == "9999-12-31T23:59:59.999Z")
        #expect(Timestamp(milliseconds: .min).rfc3339 == "0000-01-01T00:00:00.000Z")
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:01.5z", 1500), ("1970-01-01T00:00:00.123456789Z", 123),
            ("1970-01-01T01:30:00+01:30", 0), ("1969-12-31T19:00:00-05:00", 0),
            ("1998-12-31T23:59:60Z", 915_148_800_000),
            ("1970-01-01T00:00:00.00Z", 0),
        ] as [(String, Int64)]) func readsWhatTheRFCAllows(_ text: String, _ milliseconds: Int64)
    {
        #expect(Timestamp(rfc3339: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z", "1970-13-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "1970-04-31T00:00:00Z", "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z", "1970-01-01 00:00:00Z", "1970-01-01T00:00:00Zx",
        "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+0100", "70-01-01T00:00:00Z", "+970-01-01T00:00:00Z",
    ]) func refusesWhatTheRFCDoesNotAllow(_ text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func agreesWithFoundationOnEveryDayOfFourHundredYears() {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0)!
        for day in stride(from: -20_000, to: 130_000, by: 13) {
            let date = Date(timeIntervalSince1970: Double(day) * 86400)
            let parts = calendar.dateComponents([.year, .month, .day], from: date)
            let text = String(format: "%04d-%02d-%02dT00:00:00.000Z", parts.year!, parts.month!, parts.day!)
            let timestamp = Timestamp(milliseconds: Int64(day) * 86_400_000)
            #expect(timestamp.rfc3339 == text && Timestamp(rfc3339: text) == timestamp)
        }
    }

    @Test func isOrderedByTime() {
        #expect(Timestamp(milliseconds: 1) < Timestamp(milliseconds: 2))
    }
}
