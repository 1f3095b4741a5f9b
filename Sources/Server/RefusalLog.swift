import Telemetry
import Wire

/// Tells the operator which pages and names were refused, because a browser tells its user nothing.
///
/// A page can ask a thousand times a second: at most one line a second is written, with the number of those that were
/// not. Confined to its loop.
struct RefusalLog {
    private var silentUntil: UInt64 = 0
    private var leftOut = 0

    /// Logs the page and the host of a request, never its target, which may hold a message.
    mutating func log(_ cause: OriginRefusal, _ head: HTTPRequestHead, now: UInt64) {
        guard let leftOut = count(now: now) else { return }
        let host = if case .host(let name) = cause { name } else { head.host }
        Log.warning(
            cause.news,
            [
                "host": OriginRefusal.shortened(host),
                "origin": OriginRefusal.shortened(head.headers.first("Origin") ?? ""), "left_out": String(leftOut),
            ])
    }

    /// How many were left out before this one, or `nil` if this one is left out too.
    mutating func count(now: UInt64) -> Int? {
        guard now >= silentUntil else {
            leftOut += 1
            return nil
        }
        defer { leftOut = 0 }
        silentUntil = now + 1_000_000_000
        return leftOut
    }
}

extension OriginRefusal {
    /// What the log says.
    var news: String {
        switch self {
        case .host: "refused a request to a name that is not this hub's; --origins lists names"
        case .page: "refused a page of another origin; --origins lists those that may"
        case .hiddenPage: "refused a GET that sends and may come from any page; see --origins, POST or Hubbub-Send"
        }
    }
}
