import Chat
import ChatProtocol
import Reactor

/// One turn of the synthetic agent: says a script's tokens, for load tests. Confined to its loop.
///
/// How it works: a token may be said when it is due and the window allows it. When it is due follows from the start
/// alone, so a late loop neither slows the stream down nor hides that it was late: what is due is said at once, with
/// the instant it really left as its stamp. A step says 64 tokens at most and goes on in the loop's next turn; a
/// `release` says at once what it allows, since a closed loop waits for it.
///
/// Invariant: at most one of the timer and the next step is on its way.
final class SyntheticRun {
    /// A share of one turn of the loop; sockets and other streams have theirs before the next.
    static let tokensPerStepMax = 64

    private enum Next {
        case token
        case wait(until: UInt64)
        /// A release, a cancel or the hub's watchdog is what comes next.
        case nothing
        case end(AgentEnd)
    }

    private let script: SyntheticScript
    private let text: SyntheticText
    private let services: LoopServices
    private let say: ([UInt8]) -> Void
    private let end: (AgentEnd) -> Void
    /// Calls `step` in the loop's next turn.
    private let stepSoon: () -> Void
    /// Made once: a closure for each token would be an allocation for each. Holds the run until it is closed.
    private var timerFired: () -> Void = {}

    /// The token that is said; its receiver has let go of it when the next is written into the same memory.
    private var token: [UInt8]
    private var said = 0
    private var allowed: Int
    /// What due times count from: the first step, and what the pause took.
    private var start: UInt64?
    private var pauseEnds: UInt64?
    private var timer: TimerID?
    private var stepsSoon = false
    private var isSpeaking = false
    private var isOver = false

    /// - Parameter stepSoon: calls `step` in a later turn of the loop, without a wait.
    init(
        _ script: SyntheticScript, services: LoopServices, stepSoon: @escaping () -> Void,
        say: @escaping ([UInt8]) -> Void, end: @escaping (AgentEnd) -> Void
    ) {
        self.script = script
        self.services = services
        self.stepSoon = stepSoon
        self.say = say
        self.end = end
        text = SyntheticText(seed: script.seed)
        token = [UInt8](repeating: 0, count: script.tokenBytes)
        allowed = script.window ?? script.tokens
        timerFired = { [self] in
            timer = nil
            speak()
        }
    }

    /// Says the first tokens in the loop's next turn.
    func begin() {
        stepsSoon = true
        stepSoon()
    }

    func step() {
        stepsSoon = false
        speak()
    }

    /// Allows so many tokens more, and says them unless they have to wait.
    func release(_ count: Int) {
        allowed = min(allowed + count, script.tokens)
        if timer == nil, !stepsSoon { speak() }
    }

    /// Ends it for good, also after its own end.
    func close() {
        isOver = true
        timer.map(services.cancel)
        timer = nil
        timerFired = {}
    }

    /// HOT
    private func speak() {
        // A token's receiver may release more.
        guard !isSpeaking, !isOver else { return }
        isSpeaking = true
        defer { isSpeaking = false }
        for _ in 0..<Self.tokensPerStepMax {
            let now = services.clock()
            switch next(now) {
            case .token: sayNext(at: now)
            case .wait(let instant):
                timer = services.schedule(instant, timerFired)
                return
            case .nothing: return
            case .end(let end):
                isOver = true
                return self.end(end)
            }
            // Or it may have cancelled the run.
            if isOver { return }
        }
        begin()
    }

    private func next(_ now: UInt64) -> Next {
        if let wait = pause(now) { return .wait(until: wait) }
        if said == script.failAfter { return .end(.failed(.agentFailed, "the script fails after \(said) tokens")) }
        if said == script.stallAfter { return .nothing }
        if said == script.tokens { return .end(.finished(reason: "stop")) }
        guard said < allowed else { return .nothing }
        let due = due(said, now)
        return due <= now ? .token : .wait(until: due)
    }

    /// When the pause ends that stands before the next token, if it is not over.
    private func pause(_ now: UInt64) -> UInt64? {
        guard said == script.pauseAfter else { return nil }
        if pauseEnds == nil {
            let length = UInt64(script.pauseMilliseconds) * 1_000_000
            pauseEnds = now + length
            start = start.map { $0 + length }
        }
        return pauseEnds.flatMap { now < $0 ? $0 : nil }
    }

    private func due(_ number: Int, _ now: UInt64) -> UInt64 {
        guard script.rate > 0 else { return now }
        let start = start ?? now
        self.start = start
        let before = number - number % script.burst
        return start + UInt64(Double(before) / script.rate * 1e9)
    }

    private func sayNext(at now: UInt64) {
        token.withUnsafeMutableBytes { text.write(said, stamp: script.stamps ? now : nil, into: $0) }
        said += 1
        say(token)
    }
}
