import Chat
import Reactor

/// Which pages of history the store reads for a loop. Confined to its loop.
///
/// A few at a time: so what was read and still lies in the mailbox takes little, however many clients ask at once, and
/// whoever opens a room does not wait behind all of them. The others wait their turn, the first one first.
struct HistoryReads {
    static let atOnce = 16

    private var running: Set<ConnectionRef> = []
    private var waiting: [ConnectionID] = []
    private var next = 0

    mutating func wait(_ id: ConnectionID) { waiting.append(id) }

    /// Who may ask now, if anyone waits; `began` follows, unless it is gone.
    mutating func take() -> ConnectionID? {
        guard running.count < Self.atOnce, next < waiting.count else { return nil }
        defer {
            next += 1
            if next == waiting.count { (waiting, next) = ([], 0) }
        }
        return waiting[next]
    }

    mutating func began(_ question: ConnectionRef) { running.insert(question) }

    /// The question was answered, whether anybody still wants to know or not; false if it was none of these.
    mutating func ended(_ question: ConnectionRef) -> Bool { running.remove(question) != nil }
}
