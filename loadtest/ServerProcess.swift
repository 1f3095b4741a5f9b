import CLinux
import Glibc

/// A server under test, in a process of its own that ends with this object.
final class ServerProcess {
    /// Where it listens.
    let port: UInt16
    let processID: pid_t
    private let clock: clockid_t
    private let directory: ScratchDirectory
    private static let stopMilliseconds = 5000

    /// Starts it on core 0 and waits for its line `listening on http://HOST:PORT`.
    ///
    /// - Parameter directory: where the server writes; `name` is that of its standard error.
    init(_ words: [String], name: String, in directory: ScratchDirectory) throws(Failure) {
        let log = "\(directory.path)/\(name).err"
        // What a thread is bound to is what its children are bound to.
        Cores.pin(to: Cores.server)
        defer { Cores.pin(to: Cores.loadTest) }
        var pipe: [Int32] = [0, 0]
        guard Glibc.pipe(&pipe) == 0 else { throw Failure("pipe failed") }
        defer { Glibc.close(pipe[0]) }
        let processID = Self.spawn(words, output: pipe[1], log: log)
        Glibc.close(pipe[1])
        guard let processID else { throw Failure("cannot start \(words[0])") }
        let line = Self.readLine(pipe[0])
        let digits = line.split(separator: ":").last.map { $0.prefix { $0.isNumber } }
        var clock = clockid_t()
        guard line.hasPrefix("listening on "), let port = digits.flatMap({ UInt16($0) }),
            clock_getcpuclockid(processID, &clock) == 0
        else {
            kill(processID, SIGKILL)
            waitpid(processID, nil, 0)
            throw Failure("\(words[0]) did not start to listen; its log says:\n\(contents(of: log))")
        }
        (self.processID, self.port, self.clock, self.directory) = (processID, port, clock, directory)
    }

    /// CPU time of all its threads so far, in nanoseconds.
    var cpuNanoseconds: UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Ends it, by force if it takes too long.
    deinit {
        kill(processID, SIGTERM)
        for _ in 0..<Self.stopMilliseconds {
            if waitpid(processID, nil, WNOHANG) != 0 { return }
            usleep(1000)
        }
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
    }

    private static func spawn(_ words: [String], output: Int32, log: String) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_addclose(&actions, output)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var processID = pid_t()
        return posix_spawn(&processID, words[0], &actions, nil, &arguments, environ) == 0 ? processID : nil
    }

    /// The first line that comes within ten seconds, or what there is of it.
    private static func readLine(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&watched, 1, 10_000) == 1, read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") {
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

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

/// A directory that lives as long as this object, on a disk rather than in memory: what is durable should cost.
final class ScratchDirectory {
    let path: String

    init() throws(Failure) {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
        var template = Array("\(base)/hubbub-loadtest-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("cannot make a directory in \(base)") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit { Self.remove(path) }

    func write(_ bytes: [UInt8], to name: String) throws(Failure) {
        try writeFile(bytes, to: "\(path)/\(name)")
    }

    private static func remove(_ path: String) {
        guard let directory = opendir(path) else {
            unlink(path)
            return
        }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { remove("\(path)/\(name)") }
        }
        closedir(directory)
        rmdir(path)
    }
}

/// Makes or replaces a file.
func writeFile(_ bytes: [UInt8], to path: String) throws(Failure) {
    guard let file = fopen(path, "w") else { throw Failure("cannot write \(path)") }
    let count = fwrite(bytes, 1, bytes.count, file)
    guard fclose(file) == 0, count == bytes.count else { throw Failure("cannot write \(path)") }
}

/// The beginning of a file, or nothing.
func contents(of path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
}
