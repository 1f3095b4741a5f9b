/// One thread for work that blocks, such as disk: jobs run one after the other, in the order of `submit`.
public final class WorkerThread: Sendable {
    private struct Queue: Sendable {
        var jobs: [@Sendable () -> Void] = []
        var isShutDown = false
    }

    private let queue: Lock<Queue>
    private let wakeUp: WakeUp
    private let thread: SystemThread

    /// Starts the thread.
    ///
    /// - Parameter name: shown by `top -H`, 15 bytes of it.
    public init(name: String) throws(SystemError) {
        let queue = Lock(Queue())
        let wakeUp = try WakeUp(blocking: true)
        self.queue = queue
        self.wakeUp = wakeUp
        thread = try SystemThread(named: name) { Self.run(queue, wakeUp) }
    }

    /// Adds a job to the end of the queue; any thread. The caller bounds how many it has under way.
    public func submit(_ job: @escaping @Sendable () -> Void) {
        let isFirst = queue.withLock { queue in
            precondition(!queue.isShutDown, "no job after shutdown")
            queue.jobs.append(job)
            return queue.jobs.count == 1
        }
        if isFirst { wakeUp.signal() }
    }

    /// Runs every job that was submitted, ends the thread and waits for it. Once, and not on the thread itself.
    public func shutdown() {
        queue.withLock { queue in
            precondition(!queue.isShutDown, "shut down once")
            queue.isShutDown = true
        }
        wakeUp.signal()
        thread.join()
    }

    private static func run(_ queue: Lock<Queue>, _ wakeUp: WakeUp) {
        while true {
            wakeUp.wait()
            let (jobs, isShutDown) = queue.withLock { queue in
                defer { queue.jobs = [] }
                return (queue.jobs, queue.isShutDown)
            }
            for job in jobs { job() }
            if isShutDown { return }
        }
    }
}
