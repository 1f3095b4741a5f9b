import ChatProtocol
import Synchronization

/// What all connections of the node hold beside the hub's own memory: requests and messages that have not arrived
/// whole, what was sent ahead, rows and answers that wait for their reader. Shared by the loops.
///
/// One connection may grow to a quarter of what the others leave free. So the more is taken the less a large one gets,
/// small ones find room nearly to the end, and the total stays within its limit.
final class ConnectionMemory: Sendable {
    /// The kernel takes so much of an answer at once: whoever has room for a request has room for that.
    static let sureBytes = 16 * 1024

    private let bytesMax: Int
    private let held = Atomic<Int>(0)

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// What all hold at present.
    var heldBytes: Int { held.load(ordering: .relaxed) }

    /// Takes note that a connection holds another number of bytes than before.
    ///
    /// - Returns: false if that is more than its share; whoever holds that much is to let go of it.
    func change(from old: Int, to new: Int) -> Bool {
        let total = held.wrappingAdd(new - old, ordering: .relaxed).newValue
        return new == 0 || fits(new, beside: total - new)
    }

    /// Whether an answer that may have to wait for its reader finds room.
    func hasRoom(for bytes: Int) -> Bool { bytes <= Self.sureBytes || fits(bytes, beside: heldBytes) }

    private func fits(_ bytes: Int, beside others: Int) -> Bool { bytes <= (bytesMax - others) / 4 }
}

extension HubError {
    /// The connections hold as much as they may.
    static let connectionMemoryFull = HubError(
        .capacityExceeded, "the hub holds as much for its connections as it may; try again",
        retryAfterMilliseconds: 1000)
}
