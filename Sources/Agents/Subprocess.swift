import CLinux
import Glibc

/// A program under way in a process group of its own, with our ends of its standard input and output, which do not
/// block. Its standard error goes nowhere. Confined to its loop.
///
/// `posix_spawn` lets the calling thread wait until the new process has left it for its program, which takes a
/// fraction of a millisecond, however much memory the hub has: nothing is copied.
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

    /// Starts a program, found by `PATH` if its name has no slash, with the hub's environment and directory.
    ///
    /// - Throws: the call that failed; for a program that is not there `posix_spawnp` with `ENOENT`.
    init(_ command: [String]) throws(SpawnError) {
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
            id = try Self.spawn(command, input: theirInput, output: theirOutput)
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

    private static func spawn(_ command: [String], input: Int32, output: Int32) throws(SpawnError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        _ = hb_spawn_close_from(&actions, 3)

        // The hub blocks the signals that stop it and ignores SIGPIPE and SIGXFSZ: a program expects neither.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGPIPE)
        sigaddset(&signals, SIGXFSZ)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var id: pid_t = 0
        let failure = posix_spawnp(&id, command[0], &actions, &attributes, &arguments, environ)
        guard failure == 0 else { throw SpawnError(errno: failure) }
        return id
    }
}
