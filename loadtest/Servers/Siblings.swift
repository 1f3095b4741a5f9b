import Glibc
import Wire

/// Further processes that play the same scenario at the same time, each a share of it, where one has too few
/// descriptors or too little of a core. Each writes its report to a file; what they found is put together.
final class Siblings {
    private let directory: ScratchDirectory
    private var processes: [pid_t] = []

    /// Starts them, `options.processes` less this one.
    init(_ options: Options, on server: Server, shares: [[Knob: Double]]) throws(Failure) {
        directory = try ScratchDirectory()
        for (index, values) in shares.enumerated().dropFirst() {
            var words = [options.scenario.name, "--url", server.url, "--json", path(index)]
            if let id = server.processID { words += ["--server-pid", String(id)] }
            for token in options.tokens { words += ["--token", token] }
            for (knob, value) in values.sorted(by: { $0.key.name < $1.key.name }) {
                words += ["--\(knob.name)", value.description]
            }
            // Where there are cores enough, each has one of its own.
            Cores.pin(to: Cores.loadTest + Int32(index % max(1, Cores.count - 1)))
            processes.append(try Self.spawn(words))
        }
        Cores.pin(to: Cores.loadTest)
    }

    deinit {
        for process in processes {
            kill(process, SIGTERM)
            waitpid(process, nil, 0)
        }
    }

    /// Waits for them, and adds what they found.
    func finish(into report: inout RunReport) throws(Failure) {
        for process in processes { waitpid(process, nil, 0) }
        for index in processes.indices {
            let file = path(index + 1)
            guard case .run(let other) = try ReportFile(parsing: try readFile(file), path: file) else { continue }
            report.merge(other)
        }
        processes = []
    }

    private func path(_ index: Int) -> String { "\(directory.path)/\(index).json" }

    private static func spawn(_ words: [String]) throws(Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        var arguments = (["loadtest"] + words).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        guard posix_spawn(&process, "/proc/self/exe", &actions, nil, &arguments, environ) == 0 else {
            throw Failure("cannot start a further process")
        }
        return process
    }
}

extension Options {
    /// What each process plays: the first ones get one more where it cannot be divided evenly.
    var shares: [[Knob: Double]] {
        get throws(Failure) {
            guard processes > 1 else { return [values] }
            guard !scenario.divides.isEmpty else {
                throw Failure("\(scenario.name) has one room, which one process watches: it takes no --processes")
            }
            var shares = [[Knob: Double]](repeating: values, count: processes)
            for knob in scenario.divides {
                let whole = values[knob]!
                for index in shares.indices {
                    let share = whole / Double(processes)
                    let rest = knob.isWhole && index < Int(whole) % processes ? 1.0 : 0
                    shares[index][knob] = knob.isWhole ? share.rounded(.down) + rest : share
                }
                guard shares.allSatisfy({ knob.range.contains($0[knob]!) }) else {
                    throw Failure("--\(knob.name) \(brief(whole)) cannot be divided among \(processes) processes")
                }
            }
            return shares
        }
    }
}

extension RunReport {
    /// Adds what another process found at the same time, on the same server.
    mutating func merge(_ other: RunReport) {
        if failure == nil { failure = other.failure }
        client.busyShare = max(client.busyShare, other.client.busyShare)
        client.connections += other.client.connections
        for latency in other.latencies {
            if let index = latencies.firstIndex(where: { $0.name == latency.name }) {
                latencies[index].histogram.merge(latency.histogram)
            } else {
                latencies.append(latency)
            }
        }
        for check in other.checks {
            if let index = checks.firstIndex(where: { $0.name == check.name }) {
                checks[index].merge(check)
            } else {
                checks.append(check)
            }
        }
        mergeFigures(other)
        notes += other.notes.filter { !notes.contains($0) }
    }

    /// What happened per second adds up, and what the server spent is shared by all; the rest is the first process's.
    private mutating func mergeFigures(_ other: RunReport) {
        for index in figures.indices where figures[index].unit == .perSecond {
            guard let added = other.figures.first(where: { $0.name == figures[index].name })?.value else { continue }
            let before = figures[index].value
            figures[index].value += added
            for spent in figures.indices where figures[spent].name.contains(" per ") {
                figures[spent].value *= before / figures[index].value
            }
        }
    }
}

extension Check {
    fileprivate mutating func merge(_ other: Check) {
        self = Check(
            name, checked: checked + other.checked, mismatchCount: mismatchCount + other.mismatchCount,
            mismatches: Array((mismatches + other.mismatches).prefix(Self.mismatchesMax)))
    }
}
