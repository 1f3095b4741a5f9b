/// A number that a scenario can be told, by its flag.
struct Knob: Hashable, Sendable {
    let name: String
    let range: ClosedRange<Double>
    let isWhole: Bool
    let about: String

    private init(_ name: String, _ range: ClosedRange<Double>, isWhole: Bool = true, _ about: String) {
        (self.name, self.range, self.isWhole, self.about) = (name, range, isWhole, about)
    }

    static func == (left: Knob, right: Knob) -> Bool { left.name == right.name }
    func hash(into hasher: inout Hasher) { hasher.combine(name) }

    // How long.
    static let seconds = Knob("seconds", 0.1...3600, isWhole: false, "how long is measured")
    static let warmUp = Knob("warm-up", 0...600, isWhole: false, "seconds before that")
    static let poll = Knob("poll", 0...100_000, "microseconds between polls, without sleeping; 0: sleep until awoken")

    // How many.
    static let rooms = Knob("rooms", 1...100_000, "rooms")
    static let watchers = Knob("watchers", 1...100_000, "sockets that watch each room")
    static let connections = Knob("connections", 1...1_000_000, "sockets")
    static let steps = Knob("steps", 2...100, "in so many steps, with a measurement after each")
    static let storm = Knob("storm", 1...100_000, "sockets that come at once and leave at once")

    // What is said.
    static let rate = Knob("rate", 0...1_000_000, isWhole: false, "tokens a second in each room; 0: as many as go")
    static let inFlight = Knob("in-flight", 1...100_000, "how many are on their way at a time")
    static let tokens = Knob("tokens", 1...1_000_000, "tokens of an answer")
    static let tokenBytes = Knob("token-bytes", 20...16_384, "size of a token")
    static let messageBytes = Knob("message-bytes", 20...65_536, "size of a message")
    static let sends = Knob("sends", 0.01...100_000, isWhole: false, "messages a second, in all rooms together")
    static let cancels = Knob("cancels", 0...1, isWhole: false, "share of the answers that are cancelled half-way")

    // Who reads badly.
    static let slowShare = Knob("slow-share", 0...1, isWhole: false, "share of the watchers that read slowly")
    static let slowBytes = Knob("slow-bytes", 0...1_000_000_000, "bytes a second of each; 0: as many as come")
    static let slowBuffer = Knob("slow-buffer", 1024...16_777_216, "bytes of their kernel's receive buffer")
    static let drops = Knob("drops", 0.01...100_000, isWhole: false, "watchers a second that lose their connection")
    static let away = Knob("away", 0...600, isWhole: false, "seconds that each is away at most")

    /// A value as it was typed.
    func value(_ text: String) throws(Failure) -> Double {
        guard let number = Double(text), range.contains(number), !isWhole || number == number.rounded() else {
            let kind = isWhole ? "whole number" : "number"
            throw Failure("--\(name) needs a \(kind) from \(brief(range.lowerBound)) to \(brief(range.upperBound))")
        }
        return number
    }
}
