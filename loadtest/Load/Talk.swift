import ChatProtocol

/// Keeps the agent of one room talking: an answer has a bounded length, so one exchange follows the other.
/// Confined to the main thread.
final class Talk {
    let room: Room
    private let stage: any Stage
    /// Of each answer, but for its seed and length.
    private let script: SyntheticScript
    private var current: Exchange?
    private var next: Exchange?
    private var begun = 0
    private var isStopped = true
    /// The next message is sent when so much of an answer is at its author's, and waits for its turn in the hub.
    private static let sendAheadShare = 0.8

    init(_ stage: any Stage, _ room: Room, _ script: SyntheticScript) {
        (self.stage, self.room, self.script) = (stage, room, script)
    }

    func start() {
        isStopped = false
        current = begin(isTimed: true)
    }

    func stop() { isStopped = true }

    /// Once per turn: releases what the window allows, and sends the next message in time.
    func turnEnded() {  // HOT
        guard !isStopped, let exchange = current else { return }
        if exchange.end != nil {
            (current, next) = (next, nil)
            return
        }
        guard exchange.streamID != nil else { return }
        if let window = script.window {
            let allowed = min(exchange.delivered + window, exchange.script.tokens)
            if allowed > exchange.released {
                stage.release(allowed - exchange.released, of: exchange, in: room)
                exchange.released = allowed
            }
        }
        let length = Double(exchange.script.tokens * exchange.script.tokenBytes)
        if next == nil, Double(exchange.text.count) > length * Self.sendAheadShare { next = begin(isTimed: false) }
    }

    private func begin(isTimed: Bool) -> Exchange {
        begun += 1
        var script = script
        script.seed &+= UInt64(begun)
        script.tokens = max(1, stage.answerBytesMax / script.tokenBytes)
        return stage.begin(script, in: room, isTimed: isTimed)
    }
}
