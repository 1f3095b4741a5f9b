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

    static let rooms = Knob("rooms", 1...100_000, "rooms")
    static let watchers = Knob("watchers", 1...100_000, "sockets that watch each room")
    static let rate = Knob("rate", 0...1_000_000, isWhole: false, "tokens a second in each room; 0: as many as go")
    static let seconds = Knob("seconds", 0.1...3600, isWhole: false, "how long is measured")
    static let warmUp = Knob("warm-up", 0...600, isWhole: false, "seconds before that")
    static let inFlight = Knob("in-flight", 1...100_000, "tokens said beyond the one that all watchers have")
    static let tokenBytes = Knob("token-bytes", 20...16_384, "size of a token")

    /// A value as it was typed.
    func value(_ text: String) throws(Failure) -> Double {
        guard let number = Double(text), range.contains(number), !isWhole || number == number.rounded() else {
            let kind = isWhole ? "whole number" : "number"
            throw Failure("--\(name) needs a \(kind) from \(brief(range.lowerBound)) to \(brief(range.upperBound))")
        }
        return number
    }
}
