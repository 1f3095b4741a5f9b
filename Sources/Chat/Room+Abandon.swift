import ChatProtocol

// A lost connection is never a cancel. But a room may say in its metadata, `"abandon_seconds": 60`, that an answer that
// nobody has watched for so long is to be stopped: its model costs money, and nobody is there.
extension Room {
    private static let secondsMax: Int64 = 86_400

    private var patience: UInt64? {
        guard let seconds = record.metadata["abandon_seconds"]?.int, (1...Self.secondsMax).contains(seconds) else {
            return nil
        }
        return UInt64(seconds) * 1_000_000_000
    }

    private var isWatched: Bool { !replica.subscribers.isEmpty || !links.isEmpty }

    /// Stops what runs and waits once the last watcher, socket or event stream, has been gone for too long.
    func stopIfAbandoned() {
        guard let patience, !isWatched, turns.contains(where: { $0.verdict == nil }) else {
            unwatchedSince = nil
            return
        }
        let since = unwatchedSince ?? now.instant
        unwatchedSince = since
        guard now.instant >= since + patience else { return }
        for turn in turns {
            stop(turn, StreamOutcome(status: .cancelled, finishReason: "abandoned", endedAt: now.timestamp))
        }
        unwatchedSince = nil
    }

    var abandonDeadline: UInt64? {
        guard let unwatchedSince, let patience else { return nil }
        return unwatchedSince + patience
    }
}
