// The simulator as a program: `./dev simulate` compiles it together with the hub as one optimised module.

import Glibc

/// What was asked for on the command line.
struct Options {
    var from: UInt64 = 0
    var count = 1_000
    /// Only this one.
    var seed: UInt64?
    var stepCount = Scenario.stepsDefault
    /// Prints all that happens instead of the shortest history that fails.
    var traces = false
    /// The first failure ends the run, as it is.
    var untilFound = false
    /// Prints a number that stands for everything that happened.
    var digests = false
    /// Only these steps of the seed's history.
    var kept: [Int]?
    var simplified: Set<Scenario.Simplification> = []

    init?(_ arguments: [String]) {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            switch name {
            case "--trace": traces = true
            case "--until-found": untilFound = true
            case "--digest": digests = true
            case "--seeds":
                guard let value = rest.popFirst().flatMap({ Int($0) }) else { return nil }
                count = value
            case "--from":
                guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
                from = value
            case "--seed":
                guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
                seed = value
            case "--steps":
                guard let value = rest.popFirst().flatMap({ Int($0) }) else { return nil }
                stepCount = value
            case "--keep":
                guard let value = rest.popFirst() else { return nil }
                kept = Self.numbers(value)
            case "--simplify":
                guard let value = rest.popFirst() else { return nil }
                simplified = Set(
                    value.split(separator: ",").compactMap { Scenario.Simplification(rawValue: String($0)) })
            default: return nil
            }
        }
    }

    /// `3,7-9` are 3, 7, 8 and 9.
    private static func numbers(_ text: String) -> [Int] {
        text.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            return ends.isEmpty ? [] : Array(ends[0]...max(ends[0], ends[ends.count - 1]))
        }
    }
}

/// Prints a line at once.
func say(_ line: String) {
    print(line)
    fflush(nil)
}

/// The exit status says what was found: 0 nothing, 3 a broken rule, 4 a trap of the hub's.
enum ExitStatus {
    static let clean: Int32 = 0
    static let wrongUse: Int32 = 2
    static let broken: Int32 = 3
    static let trapped: Int32 = 4
}

@main
struct Simulate {
    static func main() {
        guard let options = Options(Array(CommandLine.arguments.dropFirst())) else {
            say("simulate takes --seeds N, --from N, --seed N, --steps N and --trace")
            exit(ExitStatus.wrongUse)
        }
        reportTraps()
        if let seed = options.seed {
            if options.kept == nil, !options.traces { explain(seed, options) }
            exit(runOne(seed, options))
        } else {
            runMany(options)
        }
    }

    /// Runs one history; returns the exit status.
    private static func runOne(_ seed: UInt64, _ options: Options) -> Int32 {
        currentSeed = seed
        let scenario = Scenario(seed: seed, stepCount: options.stepCount, simplified: options.simplified)
        let simulation = Simulation(scenario)
        if options.traces { simulation.trace = { say($0) } }
        var digest = Digest()
        if options.digests { simulation.trace = { digest.add($0) } }
        let kept = options.kept.map(Set.init)
        simulation.run(scenario.steps.filter { kept?.contains($0.number) ?? true })
        if options.digests { say("seed \(seed): \(String(digest.value, radix: 16))") }
        guard let violation = simulation.violations.first else { return ExitStatus.clean }
        let place = simulation.failedAt.map { "at step \($0)" } ?? "at the end"
        if !options.traces { say("seed \(seed), \(place): \(violation)") }
        return ExitStatus.broken
    }

    private static func runMany(_ options: Options) {
        let begin = milliseconds()
        var reported = begin
        for number in 0..<UInt64(options.count) {
            let seed = options.from + number
            guard runOne(seed, options) == ExitStatus.clean else {
                if options.untilFound { exit(ExitStatus.broken) }
                explain(seed, options)
            }
            if milliseconds() - reported > 5_000 {
                reported = milliseconds()
                say("simulate: \(number + 1) of \(options.count) seeds, \(rate(number + 1, since: begin)) a second")
            }
        }
        let count = UInt64(options.count)
        say(
            "simulate: \(options.count) seeds from \(options.from), \(options.stepCount) steps each, no rule broken,"
                + " \(rate(count, since: begin)) seeds a second")
    }

    /// Shows the shortest history that still fails.
    private static func explain(_ seed: UInt64, _ options: Options) -> Never {
        var shrinker = Shrinker(seed: seed, stepCount: options.stepCount)
        guard shrinker.shrink() else {
            say("seed \(seed): no rule broken")
            exit(ExitStatus.clean)
        }
        let steps = options.stepCount == Scenario.stepsDefault ? "" : " --steps \(options.stepCount)"
        say("seed \(seed) fails; the shortest history found has \(shrinker.steps.count) of its steps:")
        _ = Child.run(shrinker.arguments + ["--trace"], isQuiet: false)
        say("Again with: ./dev simulate --seed \(seed)\(steps); all of it with --trace")
        exit(ExitStatus.broken)
    }

    private static func rate(_ count: UInt64, since begin: Int) -> Int {
        Int(count) * 1000 / max(1, milliseconds() - begin)
    }

    private static func milliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    /// The seed that runs, for the handler of traps.
    nonisolated(unsafe) private static var currentSeed: UInt64 = 0

    /// A trap is a find like any other; nothing but its seed can be said of it here.
    private static func reportTraps() {
        for trap in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT] {
            signal(trap) { _ in
                say("seed \(Simulate.currentSeed): the hub trapped")
                _exit(ExitStatus.trapped)
            }
        }
    }
}

/// FNV-1a over all lines of a trace.
struct Digest {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ line: String) {
        for byte in line.utf8 { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }
}
