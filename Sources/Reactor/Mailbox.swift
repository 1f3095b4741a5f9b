import Synchronization

/// What other threads send to a loop. Created before the loop's thread; any thread may post.
///
/// How it works: senders append to an array under a lock, the loop swaps the array out once per turn, so a flood of
/// messages never keeps it from its sockets. A wake-up costs a system call, so it is sent only to a sleeping loop,
/// and by one sender: `isAsleep` is true from just before the loop looks into the array for the last time until it
/// wakes, and whoever turns it false writes to the eventfd. The eventfd is registered edge-triggered and never read.
/// Order is kept per sender, messages and work alike.
///
/// Invariant: `isAsleep` is false, or the array is empty, or a sender is about to write to the eventfd.
public final class Mailbox<Handler: LoopHandler>: Sendable {
    enum Item: Sendable {
        case message(Handler.Message)
        case work(@Sendable (EventLoop<Handler>) -> Void)
    }

    struct Queue: Sendable {
        var items: [Item] = []
        /// The loop is gone: what comes now is dropped.
        var isClosed = false
    }

    let wakeUp: WakeUp
    private let queue = Lock(Queue())
    private let isAsleep = Atomic<Bool>(false)

    /// Makes a mailbox for one loop to come.
    public init() throws(SystemError) {
        wakeUp = try WakeUp(blocking: false)
    }

    /// Sends a message, for the loop's `handle`. Unbounded by itself: what is sent has its limit at the sender.
    public func post(_ message: Handler.Message) {
        append(.message(message))
    }

    /// Runs a closure on the loop's thread, for rare things; it receives the loop.
    public func submit(_ work: @escaping @Sendable (EventLoop<Handler>) -> Void) {
        append(.work(work))
    }

    private func append(_ item: Item) {
        queue.withLock { queue in
            if !queue.isClosed { queue.items.append(item) }
        }
        if isAsleep.load(ordering: .sequentiallyConsistent),
            isAsleep.exchange(false, ordering: .sequentiallyConsistent)
        {
            wakeUp.signal()
        }
    }

    /// Takes everything that has arrived and leaves `spare`, which is empty, in its place. Loop only.
    func take(leaving spare: [Item]) -> [Item] {
        queue.withLock { queue in
            var items = spare
            swap(&items, &queue.items)
            return items
        }
    }

    /// Asks senders to wake the loop from now on. Returns false if it may not sleep, because something is here.
    func prepareToSleep() -> Bool {
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        return queue.withLock { $0.items.isEmpty }
    }

    func awake() {
        isAsleep.store(false, ordering: .sequentiallyConsistent)
    }

    /// Drops what is here and what will come; the loop has ended.
    func close() {
        queue.withLock { $0 = Queue(isClosed: true) }
    }
}
