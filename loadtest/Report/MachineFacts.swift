import Glibc
import Wire

/// Where a run took place: figures of two machines do not compare.
struct MachineFacts: Equatable {
    var cpu: String
    var cores: Int
    var memoryBytes: Int
    var kernel: String

    static var current: MachineFacts {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return MachineFacts(
            cpu: cpuModel, cores: sysconf(Int32(_SC_NPROCESSORS_ONLN)),
            memoryBytes: sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)), kernel: "Linux \(release)")
    }

    /// As the kernel names it; ARM's kernels do not.
    private static var cpuModel: String {
        let line = contents(of: "/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("model name") }
        return line.flatMap { $0.split(separator: ":").last }.map { String($0.drop { $0 == " " }) } ?? "unknown"
    }

    var text: String {
        "\(cpu), \(cores) \(cores == 1 ? "core" : "cores"), \(Unit.bytes.text(Double(memoryBytes))), \(kernel)"
    }

    var json: JSONValue {
        [
            "cpu": .string(cpu), "cores": .int(Int64(cores)), "memory_bytes": .int(Int64(memoryBytes)),
            "kernel": .string(kernel),
        ]
    }
}

extension MachineFacts {
    init(json fields: Fields) throws(Failure) {
        self.init(
            cpu: try fields.string("cpu"), cores: try fields.int("cores"), memoryBytes: try fields.int("memory_bytes"),
            kernel: try fields.string("kernel"))
    }
}

extension Timestamp {
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

extension Timestamp {
    /// Such as `2025-01-26 10:30:00 UTC`.
    var readable: String { rfc3339.prefix(19).split(separator: "T").joined(separator: " ") + " UTC" }
}
