import CLinux
import Glibc

/// Signals as readable events, for `EventLoop.watch`: no handler runs at an arbitrary instruction.
public final class SignalWatcher: Sendable {
    /// Readable when a signal has come.
    public let descriptor: Int32

    /// Blocks these signals in the calling thread and those it starts: called before any other thread exists, or the
    /// kernel picks one that still dies of them.
    public static func block(_ signals: [Int32] = [SIGTERM, SIGINT, SIGHUP]) {
        var set = signalSet(signals)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Watches signals that `block` has blocked.
    public init(_ signals: [Int32] = [SIGTERM, SIGINT, SIGHUP]) throws(SystemError) {
        var set = Self.signalSet(signals)
        descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC))
        guard descriptor >= 0 else { throw SystemError("signalfd") }
    }

    deinit { close(descriptor) }

    /// Takes one signal that has come, or returns `nil`.
    public func next() -> Int32? {
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        return read(descriptor, &information, size) == size ? Int32(information.ssi_signo) : nil
    }

    private static func signalSet(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }
}
