import CLinux
import Glibc

/// The kernel's readiness list of one loop.
final class Epoll {
    /// What arrives as `data` for the mailbox's eventfd; no connection has this key.
    static let wakeUpKey = UInt64.max
    /// Edge-triggered and registered once: no further system call, whatever the connection does.
    static let connectionEvents = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    static let wakeUpEvents = EPOLLIN.rawValue | EPOLLET.rawValue
    private static let eventsPerTurn = 512

    private let descriptor: Int32
    private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: eventsPerTurn)

    init() throws(SystemError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw SystemError("epoll_create1") }
    }

    deinit {
        close(descriptor)
        events.deallocate()
    }

    func add(_ target: Int32, _ interest: UInt32, key: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, target, interest, key: key)
    }

    /// Changes the interest, or adds the descriptor if the kernel does not know it, having been closed and opened
    /// again behind our back.
    func set(_ target: Int32, _ interest: UInt32, key: UInt64) throws(SystemError) {
        do throws(SystemError) {
            try control(EPOLL_CTL_MOD, target, interest, key: key)
        } catch  where error.errno == ENOENT {
            try control(EPOLL_CTL_ADD, target, interest, key: key)
        }
    }

    /// Forgets the descriptor; closing it has the same effect, so an unknown one is fine.
    func remove(_ target: Int32) {
        var event = epoll_event()
        epoll_ctl(descriptor, EPOLL_CTL_DEL, target, &event)
    }

    private func control(_ operation: Int32, _ target: Int32, _ interest: UInt32, key: UInt64) throws(SystemError) {
        var event = epoll_event(events: interest, data: epoll_data(u64: key))
        guard epoll_ctl(descriptor, operation, target, &event) == 0 else { throw SystemError("epoll_ctl") }
    }

    /// Waits at most so long (-1: for ever). Interrupted, it tells what is ready by then: after SIGSTOP and SIGCONT the
    /// timers are overdue, and what arrived meanwhile has to be seen before they judge who was silent.
    func wait(nanoseconds: Int64) -> UnsafeBufferPointer<epoll_event> {
        var count = hb_epoll_wait(descriptor, events, Int32(Self.eventsPerTurn), nanoseconds)
        while count < 0, errno == EINTR { count = hb_epoll_wait(descriptor, events, Int32(Self.eventsPerTurn), 0) }
        precondition(count >= 0, "epoll_wait failed")
        return UnsafeBufferPointer(start: events, count: Int(count))
    }
}

extension Interest {
    /// As epoll bits, level-triggered.
    var epollEvents: UInt32 {
        (contains(.read) ? EPOLLIN.rawValue | EPOLLRDHUP.rawValue : 0) | (contains(.write) ? EPOLLOUT.rawValue : 0)
    }

    /// From epoll bits; an error or a hang-up is for readers and writers alike.
    init(epollEvents events: UInt32) {
        let broken = EPOLLERR.rawValue | EPOLLHUP.rawValue
        let canRead = events & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | broken) != 0
        let canWrite = events & (EPOLLOUT.rawValue | broken) != 0
        self = canRead ? (canWrite ? [.read, .write] : .read) : (canWrite ? .write : [])
    }
}
