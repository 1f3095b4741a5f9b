/// A moment in UTC to the millisecond.
///
/// The calendar is computed on years that begin in March, so that a leap day is a year's last day and the days before
/// each month follow one straight line: `(153 * month + 2) / 5` days before month 0 (March) to 11 (February).
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Since 1970-01-01T00:00:00Z, leap seconds not counted.
    public var milliseconds: Int64

    /// A moment by its Unix time in milliseconds.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// Whether the left moment is earlier.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// Such as `2025-01-26T10:30:00.000Z` (RFC 3339); years outside 0 to 9999, which it cannot write, are clamped.
    public var rfc3339: String {
        let civil = CivilTime(clamping: milliseconds)
        var text: [UInt8] = []
        text.reserveCapacity(24)
        append(civil.year, digits: 4, to: &text)
        text.append(UInt8(ascii: "-"))
        append(civil.month, digits: 2, to: &text)
        text.append(UInt8(ascii: "-"))
        append(civil.day, digits: 2, to: &text)
        text.append(UInt8(ascii: "T"))
        appendTimeOfDay(civil, to: &text)
        text.append(UInt8(ascii: "."))
        append(civil.millisecondOfDay % 1000, digits: 3, to: &text)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// Such as `Sun, 26 Jan 2025 10:30:00 GMT`, as the `Date` header has it (RFC 9110 section 5.6.7).
    public var httpDate: String {
        let civil = CivilTime(clamping: milliseconds)
        var text: [UInt8] = []
        text.reserveCapacity(29)
        text.append(contentsOf: CivilTime.weekdayNames[Int(civil.weekday)].utf8)
        text.append(contentsOf: ", ".utf8)
        append(civil.day, digits: 2, to: &text)
        text.append(UInt8(ascii: " "))
        text.append(contentsOf: CivilTime.monthNames[Int(civil.month) - 1].utf8)
        text.append(UInt8(ascii: " "))
        append(civil.year, digits: 4, to: &text)
        text.append(UInt8(ascii: " "))
        appendTimeOfDay(civil, to: &text)
        text.append(contentsOf: " GMT".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads RFC 3339 with any offset; digits after the milliseconds are dropped, a leap second counts as the next one.
    public init?(rfc3339 text: String) {
        var reader = DigitReader(Array(text.utf8))
        guard let year = reader.digits(4), reader.skip("-"), let month = reader.digits(2), reader.skip("-"),
            let day = reader.digits(2), reader.skip("T"), let hour = reader.digits(2), reader.skip(":"),
            let minute = reader.digits(2), reader.skip(":"), let second = reader.digits(2),
            (1...12).contains(month), (1...CivilTime.dayCount(ofMonth: month, year: year)).contains(day),
            hour < 24, minute < 60, second <= 60,
            let millisecond = reader.fraction(), let offsetMinutes = reader.offsetMinutes(), reader.isAtEnd
        else { return nil }
        let minutes = CivilTime.daysSince1970(year: year, month: month, day: day) * 1440 + hour * 60 + minute
        milliseconds = ((minutes - offsetMinutes) * 60 + second) * 1000 + millisecond
    }

    private func appendTimeOfDay(_ civil: CivilTime, to text: inout [UInt8]) {
        append(civil.millisecondOfDay / 3_600_000, digits: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        append(civil.millisecondOfDay / 60_000 % 60, digits: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        append(civil.millisecondOfDay / 1000 % 60, digits: 2, to: &text)
    }

    private func append(_ value: Int64, digits: Int, to text: inout [UInt8]) {
        var divisor = (1..<digits).reduce(Int64(1)) { product, _ in product * 10 }
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }
}

/// A moment by the calendar (proleptic Gregorian).
private struct CivilTime {
    static let weekdayNames = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    static let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let daysPer400Years: Int64 = 146_097
    private static let millisecondsPerDay: Int64 = 86_400_000

    let year, month, day, millisecondOfDay: Int64
    /// Days after a Thursday, the weekday of 1970-01-01.
    let weekday: Int64

    init(clamping milliseconds: Int64) {
        let earliest = Self.daysSince1970(year: 0, month: 1, day: 1) * Self.millisecondsPerDay
        let latest = Self.daysSince1970(year: 10_000, month: 1, day: 1) * Self.millisecondsPerDay - 1
        let clamped = min(max(milliseconds, earliest), latest)
        // Counted from 0000-03-01 less 400 years, so that nothing below is negative.
        let origin = Self.daysSince1970(year: -400, month: 3, day: 1)
        let sinceOrigin = clamped - origin * Self.millisecondsPerDay
        millisecondOfDay = sinceOrigin % Self.millisecondsPerDay
        let days = sinceOrigin / Self.millisecondsPerDay
        weekday = (days + (origin % 7 + 7)) % 7
        let dayOfEra = days % Self.daysPer400Years
        // Take out the leap days before this day: one each 1,461 days, none each 36,524, one on the era's last day.
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = days / Self.daysPer400Years * 400 + yearOfEra - 400 + (month <= 2 ? 1 : 0)
    }

    static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        // Eight hundred years added, and taken away in days, keep the divisions away from negative numbers.
        let marchYear = year + 800 - (month <= 2 ? 1 : 0)
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let daysBefore1970: Int64 = 719_468 + 2 * daysPer400Years
        return 365 * marchYear + marchYear / 4 - marchYear / 100 + marchYear / 400 + dayOfYear - daysBefore1970
    }

    static func dayCount(ofMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// Reads fixed-width numbers off the front of a text.
private struct DigitReader {
    private var rest: ArraySlice<UInt8>

    init(_ text: [UInt8]) {
        rest = text[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func digits(_ count: Int) -> Int64? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy(isDigit) else { return nil }
        rest = rest.dropFirst(count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    /// Skips a character; letters in either case, as the RFC allows.
    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let first = rest.first, lowercased(first) == lowercased(UInt8(ascii: character)) else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// The milliseconds of an optional fraction.
    mutating func fraction() -> Int64? {
        guard skip(".") else { return 0 }
        var milliseconds: Int64 = 0
        var digitCount = 0
        while let digit = digits(1) {
            digitCount += 1
            if digitCount <= 3 { milliseconds = milliseconds * 10 + digit }
        }
        guard digitCount > 0 else { return nil }
        for _ in min(digitCount, 3)..<3 { milliseconds *= 10 }
        return milliseconds
    }

    mutating func offsetMinutes() -> Int64? {
        if skip("Z") { return 0 }
        let isNegative = rest.first == UInt8(ascii: "-")
        guard skip(isNegative ? "-" : "+"), let hours = digits(2), skip(":"), let minutes = digits(2),
            hours < 24, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (isNegative ? -1 : 1)
    }
}
