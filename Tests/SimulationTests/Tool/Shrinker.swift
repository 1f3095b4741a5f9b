import Glibc

/// Finds a shorter history that fails too: steps are taken out in ever smaller pieces, the scenario is made plainer.
///
/// Each attempt is a process of its own, so a trap of the hub's is shrunk like a broken rule.
struct Shrinker {
    let seed: UInt64
    let stepCount: Int
    private(set) var steps: [Int]
    private var simplified: [Scenario.Simplification] = []
    private var attempts = 0
    private static let attemptsMax = 1_500

    init(seed: UInt64, stepCount: Int) {
        self.seed = seed
        self.stepCount = stepCount
        steps = Array(0..<stepCount)
    }

    /// What the child is called with.
    var arguments: [String] { arguments(steps, simplified) }

    /// Returns `false` if the seed does not fail at all.
    mutating func shrink() -> Bool {
        guard fails(steps, simplified) else { return false }
        for simplification in Scenario.Simplification.allCases where fails(steps, simplified + [simplification]) {
            simplified.append(simplification)
        }
        // What comes behind the broken rule goes first, in halves.
        var size = max(1, steps.count / 2)
        while true {
            let before = steps.count
            takeOut(size)
            if size == 1, steps.count == before || attempts >= Self.attemptsMax { return true }
            size = max(1, size / 2)
        }
    }

    /// Takes out pieces of a size, from the end to the front.
    private mutating func takeOut(_ size: Int) {
        var end = steps.count
        while end > 0, attempts < Self.attemptsMax {
            let start = max(0, end - size)
            var fewer = steps
            fewer.removeSubrange(start..<end)
            if fails(fewer, simplified) { steps = fewer }
            end = start
        }
    }

    private mutating func fails(_ steps: [Int], _ simplified: [Scenario.Simplification]) -> Bool {
        attempts += 1
        return Child.run(arguments(steps, simplified), isQuiet: true) != ExitStatus.clean
    }

    private func arguments(_ steps: [Int], _ simplified: [Scenario.Simplification]) -> [String] {
        [
            "--seed", "\(seed)", "--steps", "\(stepCount)", "--keep", Self.ranges(steps), "--simplify",
            simplified.map(\.rawValue).joined(separator: ","),
        ]
    }

    /// 3, 7, 8 and 9 are `3,7-9`.
    private static func ranges(_ numbers: [Int]) -> String {
        var ranges: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }
}

/// This program once more.
enum Child {
    /// Runs it to its end; returns its exit status, or `ExitStatus.trapped` when a signal ended it.
    static func run(_ arguments: [String], isQuiet: Bool) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if isQuiet { posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) }
        // The runtime's own report of a trap takes longer than the history.
        let environment = ["SWIFT_BACKTRACE=enable=no"]
        var argv = (["simulate"] + arguments).map { strdup($0) } + [nil]
        var envp = environment.map { strdup($0) } + [nil]
        defer { for string in argv + envp { free(string) } }
        var child = pid_t()
        guard posix_spawn(&child, "/proc/self/exe", &actions, nil, &argv, &envp) == 0 else {
            say("simulate: cannot start itself: \(String(cString: strerror(errno)))")
            exit(ExitStatus.wrongUse)
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? (status >> 8) & 0xff : ExitStatus.trapped
    }
}
