import CLinux
import Glibc

/// A plain POSIX thread.
struct SystemThread: Sendable {
    private let thread: pthread_t

    /// Starts a thread of this name (15 bytes are shown) that runs the closure and ends.
    init(named name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, runThread, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw SystemError("pthread_create", errno: code)
        }
        self.thread = thread
    }

    /// Waits for the thread's end. Exactly once per thread.
    func join() {
        let code = pthread_join(thread, nil)
        precondition(code == 0, "pthread_join failed")
    }
}

/// What a new thread needs, carried through the C call by hand: a C callback cannot capture.
private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
    hb_name_thread(String(start.name.prefix(15)))
    start.body()
    return nil
}
