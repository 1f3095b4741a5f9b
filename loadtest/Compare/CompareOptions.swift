/// What `loadtest compare` is asked for.
struct CompareOptions {
    static let help = """
        usage: loadtest compare --hub PATH --floor PATH [OPTION...]
          plays scenarios on the hub and on the C floor in turn, on one core, and divides
          --cases A,B     only cases whose names begin so: \(caseNames(ofHubAndFloor: true));
                          or, of the hub with and without something: \(caseNames(ofHubAndFloor: false))
          --pairs N       runs of each case, hub and floor in turn (5)
          --seconds S     how long each run measures (1)
          --json FILE     write the report as JSON
          --html FILE     write the report as a page with plots
          --quick         a few seconds, to see that it works; the figures mean little

        """

    private static func caseNames(ofHubAndFloor isOfBoth: Bool) -> String {
        let cases = ComparedCase.all(isQuick: false).filter { ($0.first.name == Contender.hub.name) == isOfBoth }
        return cases.map(\.name).joined(separator: ", ")
    }

    /// The hub's binary.
    var hub = ""
    /// The C program's binary.
    var floor = ""
    var pairs = 5
    var seconds = 1.0
    var cases: [ComparedCase]
    var json: String?
    var html: String?

    init(_ arguments: [String]) throws(Failure) {
        let isQuick = arguments.contains("--quick")
        if isQuick { (pairs, seconds) = (1, 0.2) }
        cases = ComparedCase.all(isQuick: isQuick)
        var rest = arguments[...]
        while let flag = rest.popFirst() {
            switch flag {
            case "--hub": hub = try Self.value(of: flag, &rest)
            case "--floor": floor = try Self.value(of: flag, &rest)
            case "--json": json = try Self.value(of: flag, &rest)
            case "--html": html = try Self.value(of: flag, &rest)
            case "--pairs": pairs = try Self.number(of: flag, &rest, 1...100)
            case "--seconds": seconds = try Self.number(of: flag, &rest, 0.1...60)
            case "--cases":
                let beginnings = try Self.value(of: flag, &rest).split(separator: ",")
                cases = cases.filter { known in beginnings.contains { known.name.hasPrefix($0) } }
                guard !cases.isEmpty else { throw Failure("no case begins so\n\(Self.help)") }
            case "--quick": break
            default: throw Failure("unknown option \(flag)\n\(Self.help)")
            }
        }
        if !arguments.contains("--cases") { cases = cases.filter { $0.first.name == Contender.hub.name } }
        let contenders = Set(cases.map { [$0.first.name, $0.second.name] })
        guard contenders.count == 1 else {
            throw Failure("these cases have different contenders: \(contenders.sorted { $0[0] < $1[0] })")
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
