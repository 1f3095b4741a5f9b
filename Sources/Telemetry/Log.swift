import CLinux
import Glibc
import Synchronization

/// Structured log lines on standard error, one per event:
/// `2026-01-31T12:00:00.000Z info listening host="127.0.0.1" port="8080"`.
///
/// Any thread. Each line is one `write`, so lines do not mix. A standard error that is non-blocking and full loses the
/// line, and the next line that fits says how many were lost.
public enum Log {
    /// How much an event matters.
    public enum Level: UInt8, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error

        /// Whether this matters less.
        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    /// Names and values, in the order of the line.
    public typealias Fields = KeyValuePairs<String, String>

    private static let threshold = Atomic<UInt8>(Level.info.rawValue)
    private static let lost = Atomic<Int>(0)

    /// The least level that is written.
    public static var level: Level {
        get { Level(rawValue: threshold.load(ordering: .relaxed)) ?? .info }
        set { threshold.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// For those who look for a fault.
    public static func debug(_ message: String, _ fields: @autoclosure () -> Fields = [:]) {
        log(.debug, message, fields)
    }

    /// The normal course of things.
    public static func info(_ message: String, _ fields: @autoclosure () -> Fields = [:]) {
        log(.info, message, fields)
    }

    /// Something an operator should know of, and need not act on.
    public static func warning(_ message: String, _ fields: @autoclosure () -> Fields = [:]) {
        log(.warning, message, fields)
    }

    /// Something that failed.
    public static func error(_ message: String, _ fields: @autoclosure () -> Fields = [:]) {
        log(.error, message, fields)
    }

    private static func log(_ level: Level, _ message: String, _ fields: () -> Fields) {
        guard level >= Self.level else { return }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let lostBefore = lost.exchange(0, ordering: .relaxed)
        let text = line(level, message, fields(), lost: lostBefore, time: now)
        if !send(text) { lost.add(lostBefore + 1, ordering: .relaxed) }
    }

    private static func send(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            while true {
                let count = write(STDERR_FILENO, bytes.baseAddress, bytes.count)
                if count >= 0 { return count == bytes.count }
                if errno != EINTR { return false }
            }
        }
    }
}

// MARK: - The line

extension Log {
    static func line(_ level: Level, _ message: String, _ fields: Fields, lost: Int, time: timespec) -> String {
        var line = "\(timestamp(time)) \(level) "
        appendEscaped(message, to: &line)
        for (name, value) in fields {
            line += " \(name)=\""
            appendEscaped(value, to: &line)
            line += "\""
        }
        if lost > 0 { line += " lost_lines=\"\(lost)\"" }
        line += "\n"
        return line
    }

    /// RFC 3339 section 5.6, in UTC with milliseconds.
    private static func timestamp(_ time: timespec) -> String {
        var seconds = time.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date = "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))"
        let clock = "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))"
        return "\(date)T\(clock).\(padded(Int32(time.tv_nsec / 1_000_000), 3))Z"
    }

    private static func padded(_ number: Int32, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// One event stays one line, and a value cannot end its quotes.
    private static func appendEscaped(_ text: String, to line: inout String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            default:
                if scalar.properties.generalCategory == .control {
                    line += "\\u{\(String(scalar.value, radix: 16))}"
                } else {
                    line.unicodeScalars.append(scalar)
                }
            }
        }
    }
}
