import Chat
import Reactor

/// One turn of the guide: waits for its answer, then says it word by word. Confined to its loop.
final class GuideRun {
    /// Fast for a reader, slow enough to be seen streaming.
    private static let wordSeconds = 0.02

    private let services: LoopServices
    private let deliver: (AgentEvent) -> Void
    private var words: ArraySlice<[UInt8]> = []
    private var timer: TimerID?

    init(services: LoopServices, deliver: @escaping (AgentEvent) -> Void) {
        self.services = services
        self.deliver = deliver
    }

    func speak(_ answer: GuideAnswer) {
        switch answer {
        case .text(let text):
            words = Self.words(of: text)[...]
            sayNextWord()
        case .unavailable: deliver(.ended(.failed(.agentFailed, "the documentation cannot be searched at the moment")))
        }
    }

    func close() {
        timer.map(services.cancel)
        timer = nil
        words = []
    }

    private func sayNextWord() {
        timer = nil
        guard let word = words.popFirst() else { return deliver(.ended(.finished(reason: "stop"))) }
        // Scheduled first: the word's receiver may cancel the run.
        timer = services.schedule(afterSeconds: Self.wordSeconds) { [weak self] in self?.sayNextWord() }
        deliver(.text(word))
    }

    /// Each word with the white space behind it. Cuts only after ASCII, so no character is cut in half.
    static func words(of text: String) -> [[UInt8]] {
        var words: [[UInt8]] = []
        var word: [UInt8] = []
        for byte in text.utf8 {
            if let last = word.last, isWhiteSpace(last), !isWhiteSpace(byte) {
                words.append(word)
                word = []
            }
            word.append(byte)
        }
        return word.isEmpty ? words : words + [word]
    }

    private static func isWhiteSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
