import Glibc

/// What the kernel tells about the server's process, where that runs on this machine.
struct ServerProbe {
    let processID: pid_t
    private let clock: clockid_t

    init(processID: pid_t) throws(Failure) {
        var clock = clockid_t()
        guard clock_getcpuclockid(processID, &clock) == 0 else {
            throw Failure("there is no process \(processID) on this machine whose times can be read")
        }
        (self.processID, self.clock) = (processID, clock)
    }

    /// CPU time of all its threads so far, in nanoseconds.
    var cpuNanoseconds: UInt64 { Clock.read(clock) }

    /// What it has in memory, without what it shares with files and other processes.
    var ownMemoryBytes: Int { status("RssAnon") }

    /// What it has in memory altogether.
    var memoryBytes: Int { status("VmRSS") }

    /// How often its threads went to sleep: `voluntary_ctxt_switches` of all.
    var sleeps: Int {
        tasks.reduce(0) { $0 + Self.number("voluntary_ctxt_switches", in: "/proc/\(processID)/task/\($1)/status") }
    }

    private var tasks: [String] {
        guard let directory = opendir("/proc/\(processID)/task") else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    private func status(_ field: String) -> Int { Self.number(field, in: "/proc/\(processID)/status") * 1024 }

    /// The number of a line such as `VmRSS:     1234 kB`.
    private static func number(_ field: String, in path: String) -> Int {
        for line in contents(of: path).split(separator: "\n") where line.hasPrefix(field + ":") {
            return line.split { !$0.isNumber }.last.flatMap { Int($0) } ?? 0
        }
        return 0
    }
}
