import ChatProtocol
import Wire

/// An aspect of a room that is no part of its log: everyone gets its full state, only the latest counts.
public enum StateKind: Int, Sendable, CaseIterable {
    case presence, typing, read

    /// At most one frame in this time, in nanoseconds.
    var interval: UInt64 {
        switch self {
        case .presence: 1_000_000_000
        case .typing, .read: 250_000_000
        }
    }
}

/// Who is in a room, who writes, who has read what; as its home knows it. Confined to its loop.
struct LiveState {
    /// A writer who says nothing more stops being one after so long.
    static let typingNanoseconds: UInt64 = 6_000_000_000

    /// The sockets that joined, with their users.
    var watchers: [ConnectionRef: UserID] = [:]
    /// Who writes, and until when without another word.
    var typers: [UserID: UInt64] = [:]
    /// In the order of the users' ids.
    var reads: [ReadMark] = []
    /// What was last sent of each kind.
    private(set) var frames: [StateKind: SharedBytes] = [:]
    private var wanted: Set<StateKind> = []
    private var sentAt: [StateKind: UInt64] = [:]

    var users: [UserID] { Set(watchers.values).sorted { $0.text < $1.text } }

    mutating func want(_ kind: StateKind) { wanted.insert(kind) }

    /// The kinds whose time to be sent has come.
    func due(at now: UInt64) -> [StateKind] {
        StateKind.allCases.filter { kind in
            wanted.contains(kind) && sentAt[kind].map { now >= $0 + kind.interval } ?? true
        }
    }

    mutating func sent(_ kind: StateKind, _ frame: SharedBytes, at now: UInt64) {
        wanted.remove(kind)
        sentAt[kind] = now
        frames[kind] = frame
    }

    /// When something is to be sent, or a writer falls silent.
    var nextDeadline: UInt64? {
        let sends = wanted.map { kind in sentAt[kind].map { $0 + kind.interval } ?? 0 }
        return (sends + typers.values).min()
    }
}
