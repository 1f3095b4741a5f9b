import Glibc
import Synchronization

/// Ctrl-C and SIGTERM end a run as a failure does, so that servers that were started are stopped and their files go.
enum Interruption {
    static var isWanted: Bool { interruptionIsWanted.load(ordering: .relaxed) }

    static func catchSignals() {
        signal(SIGINT, interrupt)
        signal(SIGTERM, interrupt)
    }
}

private let interruptionIsWanted = Atomic(false)

private func interrupt(_ number: Int32) {
    interruptionIsWanted.store(true, ordering: .relaxed)
    // Once more, and the process ends at once.
    signal(number, SIG_DFL)
}
