import CLinux
import Glibc

/// Who runs where: the server alone on one core, the load test on another, so that neither pays for the other.
enum Cores {
    static let server: Int32 = 0
    static let loadTest: Int32 = 1
    static var count: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }

    /// CPU time that the server's core has given to anybody so far, in ticks of 10 ms, and to a hypervisor's others;
    /// `nil` where the kernel does not tell.
    static var serverTicks: UInt64? {
        let name = "cpu\(server) "
        guard let line = contents(of: "/proc/stat").split(separator: "\n").first(where: { $0.hasPrefix(name) }) else {
            return nil
        }
        // user nice system idle iowait irq softirq steal (proc(5)); neither idle nor iowait is work.
        let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { UInt64($0) }
        guard ticks.count == 8 else { return nil }
        return ticks.reduce(0, +) - ticks[3] - ticks[4]
    }

    /// Binds this thread. On a machine with one core, or where this is not allowed, everything runs everywhere.
    static func pin(to core: Int32) {
        if count > 1 { _ = hb_pin_thread(core) }
    }
}
