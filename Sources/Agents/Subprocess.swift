import CLinux
import Glibc

/// A program under way in a process group of its own, with our ends of its standard input and output, which do not
/// block. Its standard error goes nowhere. Confined to its loop.
///
/// The calling thread waits until the new process has left it for its program, which takes a fraction of a
/// millisecond, however much memory the hub has: nothing is copied. The kernel kills the process, but not those that it
/// started, when that thread ends: a program does not outlive a hub that was killed.
///
/// Invariant: the process is reaped exactly once, by `reap`; until then its id and its group's are its own.
final class Subprocess {
    /// How a process ended.
    enum End: Equatable {
        case exited(status: Int32)
        case killed(signal: Int32)
    }

    enum Received: Equatable {
        case bytes([UInt8])
        case wouldBlock
        case endOfStream
    }

    /// The process, and its group.
    let id: pid_t
    /// Readable once the process has ended.
    let endDescriptor: Int32
    private(set) var input: Int32?
    private(set) var output: Int32?

    /// Starts a program, found by the hub's `PATH` if its name has no slash, in the hub's directory.
    ///
    /// - Parameter environment: all that it gets.
    /// - Throws: why not; for a program that is not there `ENOENT`.
    init(_ command: [String], environment: [String: String]) throws(SpawnError) {
        let (theirInput, input) = try Self.pipe()
        let output: Int32
        let theirOutput: Int32
        do throws(SpawnError) {
            (output, theirOutput) = try Self.pipe()
        } catch {
            for end in [theirInput, input] { close(end) }
            throw error
        }
        defer { for end in [theirInput, theirOutput] { close(end) } }
        do throws(SpawnError) {
            id = try Self.spawn(command, environment: environment, input: theirInput, output: theirOutput)
            endDescriptor = hb_pidfd_open(id)
            guard endDescriptor >= 0 else {
                let reason = errno
                kill(-id, SIGKILL)
                waitpid(id, nil, 0)
                throw SpawnError(errno: reason)
            }
        } catch {
            for end in [input, output] { close(end) }
            throw error
        }
        for end in [input, output] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        self.input = input
        self.output = output
    }

    /// What fits; `nil` when nobody reads any more.
    func write(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let input else { return nil }
        while true {
            let count = bytes.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
            if count >= 0 { return count }
            switch errno {
            case EINTR: continue
            case EAGAIN: return 0
            default: return nil
            }
        }
    }

    func read(atMost bytesMax: Int) -> Received {
        guard let output else { return .endOfStream }
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: bytesMax) { buffer, initializedCount in
            repeat { count = Glibc.read(output, buffer.baseAddress, bytesMax) } while count < 0 && errno == EINTR
            initializedCount = max(0, count)
        }
        if count > 0 { return .bytes(bytes) }
        return count < 0 && errno == EAGAIN ? .wouldBlock : .endOfStream
    }

    func closeInput() {
        if let input { close(input) }
        input = nil
    }

    func closeOutput() {
        if let output { close(output) }
        output = nil
    }

    /// Sends a signal to the process and all that it started and left in its group.
    func signal(_ number: Int32) {
        kill(-id, number)
    }

    /// Whether the process waits to be reaped.
    var hasEnded: Bool { hb_has_ended(id) != 0 }

    /// Takes the end of a process that has ended, and kills what it left behind in its group. Called once.
    func reap() -> End {
        signal(SIGKILL)
        var status: Int32 = 0
        waitpid(id, &status, 0)
        closeInput()
        close(endDescriptor)
        // The layout of a status, which Swift cannot take apart with the C macros.
        let number = status & 0x7F
        return number == 0 ? .exited(status: (status >> 8) & 0xFF) : .killed(signal: number)
    }

    /// Waits a little for a process that was killed: nothing but the kernel can delay its end.
    func waitForEnd() {
        var poll = pollfd(fd: endDescriptor, events: Int16(POLLIN), revents: 0)
        _ = Glibc.poll(&poll, 1, 1000)
    }
}

/// Why a program cannot be started.
struct SpawnError: Error {
    let errno: Int32

    /// The system's words.
    var sentence: String { String(cString: strerror(errno)) }
}

extension Subprocess {
    /// A pipe's reading end and its writing end.
    private static func pipe() throws(SpawnError) -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        guard hb_pipe(&ends) == 0 else { throw SpawnError(errno: errno) }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ command: [String], environment: [String: String], input: Int32, output: Int32
    ) throws(SpawnError) -> pid_t {
        var arguments = command.map { strdup($0) } + [nil]
        // In an order of their own, so that a program sees the same each time.
        var variables = environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var id: pid_t = 0
        let failure = hb_spawn(&id, &arguments, &variables, input, output)
        guard failure == 0 else { throw SpawnError(errno: failure) }
        return id
    }
}
