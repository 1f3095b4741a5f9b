/// A thread that runs one event loop, named `hubbub-loop-N`.
public struct EventLoopThread: Sendable {
    private let thread: SystemThread

    /// Starts the thread, makes the loop and its handler on it, and returns once both exist.
    ///
    /// - Parameter makeHandler: called on the new thread, before the loop turns: it may listen, watch and schedule.
    /// - Throws: what making the loop or the handler threw; the thread has ended then.
    public static func start<Handler: LoopHandler>(
        index: Int, mailbox: Mailbox<Handler>,
        makeHandler: @escaping @Sendable (EventLoop<Handler>) throws(SystemError) -> Handler
    ) throws(SystemError) -> EventLoopThread {
        let ready = try WakeUp(blocking: true)
        let failure = Lock<SystemError?>(nil)
        let thread = try SystemThread(named: "hubbub-loop-\(index)") {
            do throws(SystemError) {
                let loop = try EventLoop(index: index, mailbox: mailbox)
                let handler = try makeHandler(loop)
                loop.handler = handler
                ready.signal()
                withExtendedLifetime(handler) { loop.run() }
            } catch {
                failure.withLock { $0 = error }
                ready.signal()
            }
        }
        ready.wait()
        if let error = failure.withLock({ $0 }) {
            thread.join()
            throw error
        }
        return EventLoopThread(thread: thread)
    }

    /// Waits until the loop has been stopped and the thread has ended. Exactly once.
    public func join() { thread.join() }
}
