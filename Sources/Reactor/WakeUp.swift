import CLinux
import Glibc

/// An eventfd: one side signals, the other waits, in epoll or blocking.
final class WakeUp: Sendable {
    let descriptor: Int32

    init(blocking: Bool) throws(SystemError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC) | (blocking ? 0 : Int32(EFD_NONBLOCK)))
        guard descriptor >= 0 else { throw SystemError("eventfd") }
    }

    deinit { close(descriptor) }

    func signal() {
        var one: UInt64 = 1
        // Fails only when the counter is full, and then the other side is signalled anyway.
        while write(descriptor, &one, 8) < 0, errno == EINTR {}
    }

    /// Returns once a signal has come, and takes all that have.
    func wait() {
        var count: UInt64 = 0
        while read(descriptor, &count, 8) < 0, errno == EINTR {}
    }
}
