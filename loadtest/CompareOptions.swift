/// What `loadtest compare` is asked for.
struct CompareOptions {
    static let help = """
        usage: loadtest compare --hub PATH --floor PATH [OPTION...]
          --watchers N    who watch the room (1000)
          --pairs N       runs of each kind, hub and floor in turn (5)
          --seconds S     how long one run of chunks lasts (1)
          --json FILE     write the result as one line of JSON, too
          --html FILE     write it as a page with plots, too
          --quick         a few seconds, to see that it works; the figures mean little
        """

    /// The hub's binary.
    var hub = ""
    /// The C program's binary.
    var floor = ""
    var watchers = 1000
    var pairs = 5
    var seconds = 1.0
    /// Sockets that send, each to a room of its own.
    var senders = 64
    /// Messages of each in one run. As many wait in one session at most (DESIGN section 6).
    var sendsEach = 16
    var json: String?
    var html: String?

    init(_ arguments: [String]) throws(Failure) {
        var rest = arguments[...]
        while let flag = rest.popFirst() {
            switch flag {
            case "--hub": hub = try Self.value(of: flag, &rest)
            case "--floor": floor = try Self.value(of: flag, &rest)
            case "--json": json = try Self.value(of: flag, &rest)
            case "--html": html = try Self.value(of: flag, &rest)
            case "--watchers": watchers = try Self.number(of: flag, &rest, 1...15_000)
            case "--pairs": pairs = try Self.number(of: flag, &rest, 1...15)
            case "--seconds": seconds = try Self.number(of: flag, &rest, 0.1...10)
            case "--quick": (watchers, pairs, seconds, senders, sendsEach) = (50, 1, 0.2, 8, 4)
            default: throw Failure("unknown option \(flag)\n\(Self.help)")
            }
        }
        guard !hub.isEmpty, !floor.isEmpty else { throw Failure("--hub and --floor are needed\n\(Self.help)") }
    }

    private static func value(of flag: String, _ rest: inout ArraySlice<String>) throws(Failure) -> String {
        guard let value = rest.popFirst(), !value.isEmpty else { throw Failure("\(flag) needs a value") }
        return value
    }

    private static func number<Number: LosslessStringConvertible & Comparable>(
        of flag: String, _ rest: inout ArraySlice<String>, _ range: ClosedRange<Number>
    ) throws(Failure) -> Number {
        let text = try value(of: flag, &rest)
        guard let number = Number(text), range.contains(number) else {
            throw Failure("\(flag) needs a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
        }
        return number
    }
}
