import Glibc

/// Counts a process's system calls with strace(1). The kernel counts none by itself, so this slows the process down, a
/// hundredfold for those that do little else: it has a time of its own, after the measurement, and tells of a closed
/// loop, or of a load that the slowed server still carries.
final class CallCount {
    private let path: String
    private let tracer: pid_t
    private let directory: ScratchDirectory

    /// Starts to count.
    init(of processID: pid_t) throws(Failure) {
        directory = try ScratchDirectory()
        path = "\(directory.path)/calls"
        var words: [UnsafeMutablePointer<CChar>?] = []
        for word in ["strace", "-f", "-c", "-q", "-U", "calls,name", "-o", path, "-p", String(processID)] {
            words.append(strdup(word))
        }
        defer { for word in words { free(word) } }
        var tracer = pid_t()
        guard posix_spawnp(&tracer, "strace", nil, nil, words + [nil], environ) == 0 else {
            throw Failure("cannot start strace; it is in the package of that name")
        }
        self.tracer = tracer
        try waitUntilAttached(to: processID)
    }

    private func waitUntilAttached(to processID: pid_t) throws(Failure) {
        for _ in 0..<3000 {
            if contents(of: "/proc/\(processID)/status").contains("TracerPid:\t\(tracer)\n") { return }
            usleep(1000)
        }
        kill(tracer, SIGINT)
        waitpid(tracer, nil, 0)
        throw Failure("strace could not attach to process \(processID); is it allowed to trace it?")
    }

    /// Stops, and says how often each call was made.
    func stop() throws(Failure) -> [(name: String, count: Int)] {
        kill(tracer, SIGINT)
        waitpid(tracer, nil, 0)
        let calls = contents(of: path).split(separator: "\n").compactMap { line -> (name: String, count: Int)? in
            let words = line.split(separator: " ")
            guard words.count == 2, let count = Int(words[0]), words[1] != "total" else { return nil }
            return (String(words[1]), count)
        }
        guard !calls.isEmpty else { throw Failure("strace counted nothing; is it allowed to trace the server?") }
        return calls
    }
}

extension Run {
    /// Counts the server's system calls for a while, at the same load, if that was asked for.
    func countCalls(per thing: Meter.Counted) throws(Failure) {
        guard countedSeconds > 0 else { return }
        guard let probe else { throw Failure("--count-calls needs --server-pid, --hub or --floor") }
        func delivered() -> Int { tallies.reduce(0) { $0 + $1.delivered } }
        let count = try CallCount(of: probe.processID)
        let before = delivered()
        try engine.run(seconds: countedSeconds)
        let things = Double(max(1, delivered() - before))
        let calls = try count.stop().sorted { ($0.count, $1.name) > ($1.count, $0.name) }
        let total = calls.reduce(0) { $0 + $1.count }
        report.figures.append(Figure("system calls per \(thing.one), under strace", Double(total) / things, .count))
        let most = calls.prefix(5).map { "\($0.name) \(brief(Double($0.count) / things))" }.joined(separator: ", ")
        report.notes.append("System calls per \(thing.one): \(most). Tracing slows the server, which may batch more.")
    }
}
