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
    /// What was last sent of each kind, by its raw value.
    private var kinds = StateKind.allCases.map { _ in Sending() }

    private struct Sending {
        var isWanted = false
        var sentAt: UInt64?
        var frame: SharedBytes?

        /// When it may be sent again.
        func dueAt(_ kind: StateKind) -> UInt64 { sentAt.map { $0 + kind.interval } ?? 0 }
    }

    func frame(of kind: StateKind) -> SharedBytes? { kinds[kind.rawValue].frame }

    var users: [UserID] { Set(watchers.values).sorted { $0.text < $1.text } }

    mutating func want(_ kind: StateKind) { kinds[kind.rawValue].isWanted = true }

    /// Whether a kind's time to be sent has come.
    func isDue(_ kind: StateKind, at now: UInt64) -> Bool {
        kinds[kind.rawValue].isWanted && now >= kinds[kind.rawValue].dueAt(kind)
    }

    mutating func sent(_ kind: StateKind, _ frame: SharedBytes, at now: UInt64) {
        kinds[kind.rawValue] = Sending(sentAt: now, frame: frame)
    }

    /// When something is to be sent, or a writer falls silent.
    var nextDeadline: UInt64? {
        var deadline: UInt64?
        for kind in StateKind.allCases where kinds[kind.rawValue].isWanted {
            deadline = earliest(deadline, kinds[kind.rawValue].dueAt(kind))
        }
        for silence in typers.values { deadline = earliest(deadline, silence) }
        return deadline
    }
}
