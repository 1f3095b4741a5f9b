import CLinux
import Glibc

/// One thread's epoll loop: sockets, timers, foreign descriptors and a mailbox. Confined to its thread.
///
/// How it works: a turn sleeps until something is ready, then serves it in this order: socket events, connections that
/// had more bytes than a turn allows, the mailbox (once), timers that are due, `turnEnded`. Each part is bounded, so
/// none keeps the others waiting: 512 events, 64 accepts per listener, 64 KiB received per connection, what the
/// mailbox held when the loop came to it, timers that were due when the turn began.
///
/// Sockets are registered once, edge-triggered: an edge sets a flag in the connection's slot, and only a read that
/// finds the end of the data clears it. So pausing and stopping at the limit lose nothing.
///
/// Invariant: between turns, a connection that is readable and not paused is on the list `unfinished`.
public final class EventLoop<Handler: LoopHandler> {
    /// The loop's number among its siblings, from 0.
    public let index: Int
    /// Where other threads leave messages for this loop.
    public let mailbox: Mailbox<Handler>
    /// Monotonic nanoseconds, read once per turn, after the sleep.
    public internal(set) var now: UInt64
    /// Who is called. Must be set before `run`; not retained, since a handler usually holds its loop.
    public unowned var handler: Handler!
    /// Whether batches of sends go through io_uring, where the kernel has it.
    public var usesRing = true
    /// Accepting waits while no descriptor below this is free, so that those from here on are left for files and for
    /// connections to others. The kernel gives the lowest number that is free.
    public var acceptedDescriptorsMax = Int32.max
    /// How many connections are open, whichever side opened them.
    public internal(set) var connectionCount = 0

    let epoll: Epoll
    var slab = ConnectionSlab()
    var watchers: [Int32: (Interest) -> Void] = [:]
    var listeners: [Int32] = []
    var acceptFailureLoggedAt: UInt64?
    /// The last connection came so near to `acceptedDescriptorsMax` that the next is not taken without a look.
    var isNearDescriptorsMax = false
    let receiveArea: UnsafeMutableRawBufferPointer
    /// Made for the first batch that is worth it.
    var ring: SendRing?
    /// Connections to read on without a new event.
    var unfinished: [ConnectionID] = []

    private var wheel: TimerWheel<() -> Void>
    private var spareQueue = Mailbox<Handler>.Queue()
    private var isStopping = false
    /// A timer that is later than this means that the process stood still.
    var standstillNanoseconds: UInt64 = 250_000_000
    /// Timers of this turn were left for the next one.
    private var hasLookedAgain = false
    private let thread = pthread_self()

    /// Makes the loop, on the thread that will run it. Ignores SIGPIPE in the whole process: a peer that is gone shows
    /// as an error of `write`.
    public init(index: Int, mailbox: Mailbox<Handler>) throws(SystemError) {
        self.index = index
        self.mailbox = mailbox
        now = Self.monotonicNanoseconds()
        wheel = TimerWheel(now: now)
        epoll = try Epoll()
        receiveArea = .allocate(byteCount: receiveBytesPerTurn, alignment: 64)
        signal(SIGPIPE, SIG_IGN)
        try epoll.add(mailbox.wakeUp.descriptor, Epoll.wakeUpEvents, key: Epoll.wakeUpKey)
    }

    deinit {
        for id in slab.connections { Socket.close(id.descriptor) }
        for listener in listeners { Socket.close(listener) }
        mailbox.close()
        receiveArea.deallocate()
    }

    /// Monotonic nanoseconds as of this instant; `now` is cheaper and will usually do.
    public func readClock() -> UInt64 { Self.monotonicNanoseconds() }

    /// Turns until `stop` is called on this thread.
    public func run() {
        precondition(handler != nil, "a loop runs for a handler")
        assertOnLoop()
        while !isStopping { turn() }
        isStopping = false
    }

    /// Ends `run` after this turn; called before `run`, it does not turn at all.
    public func stop() {
        assertOnLoop()
        isStopping = true
    }

    /// Calls the closure once, at the first millisecond at or after the deadline, and never within this turn.
    ///
    /// - Parameter deadline: on the clock of `now`.
    @discardableResult
    public func schedule(at deadline: UInt64, _ action: @escaping () -> Void) -> TimerID {
        assertOnLoop()
        return wheel.schedule(at: max(deadline, now + 1), action)
    }

    /// Forgets the timer; one that has fired or was cancelled already is ignored.
    public func cancel(_ timer: TimerID) {
        assertOnLoop()
        wheel.cancel(timer)
    }

    func assertOnLoop() {
        assert(pthread_equal(thread, pthread_self()) != 0, "a loop is used on its own thread only")
    }

    private static func monotonicNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// What one connection may bring in a turn before the others have theirs; also the size of the receive area.
let receiveBytesPerTurn = 64 * 1024

// MARK: - A turn

extension EventLoop {
    func turn() {
        let events = epoll.wait(nanoseconds: mayBlock() ? nanosecondsToNextTimer() : 0)
        mailbox.awake()
        now = readClock()
        // What the events leave unfinished has had its share of this turn.
        var round: [ConnectionID] = []
        swap(&round, &unfinished)
        for event in events { dispatch(event) }
        readOn(round)
        drainMailbox()
        if !hasStoodStill() { fireTimers() }
        handler.turnEnded()
    }

    /// All that are due; but in a quiet turn none behind one that makes work, which is done first: of several agents
    /// that speak in the same millisecond none waits until all have spoken.
    private func fireTimers() {
        let isQuiet = !handler.hasWork
        while let action = wheel.popDue(now: now) {
            action()
            if isQuiet, handler.hasWork { return }
        }
    }

    /// Whether timers are so late that the process must have been stopped, perhaps just before this turn: what has
    /// arrived meanwhile comes first, in one more turn, or those who were there would be taken for silent.
    private func hasStoodStill() -> Bool {
        let isLate = wheel.nextDeadline.map { $0 + standstillNanoseconds < now } ?? false
        hasLookedAgain = isLate && !hasLookedAgain
        return hasLookedAgain
    }

    private func mayBlock() -> Bool {
        unfinished.isEmpty && mailbox.prepareToSleep()
    }

    /// -1: there is none.
    private func nanosecondsToNextTimer() -> Int64 {
        guard let deadline = wheel.nextDeadline else { return -1 }
        let clock = readClock()
        return deadline > clock ? Int64(clamping: deadline - clock) : 0
    }

    private func dispatch(_ event: epoll_event) {
        guard event.data.u64 != Epoll.wakeUpKey else { return }
        let id = ConnectionID(key: event.data.u64)
        guard let slot = slab.find(id) else { return }
        if slot.pointee.state.contains(.watched) {
            watchers[id.descriptor]?(Interest(epollEvents: event.events))
        } else {
            connectionReady(id, event.events)
        }
    }

    private func readOn(_ round: [ConnectionID]) {
        for id in round {
            slab.find(id)?.pointee.state.remove(.queued)
            read(id)
        }
    }

    private func drainMailbox() {
        var queue = mailbox.take(leaving: spareQueue)
        spareQueue = Mailbox<Handler>.Queue()
        var handled = 0
        for work in queue.work {
            handler.handle(queue.messages[handled..<work.messagesBefore])
            handled = work.messagesBefore
            work.run(self)
        }
        handler.handle(queue.messages[handled...])
        // A flood's memory is given back.
        queue.messages.removeAll(keepingCapacity: queue.messages.capacity <= 4096)
        queue.work.removeAll()
        spareQueue = queue
    }
}

// MARK: - Foreign descriptors

extension EventLoop {
    /// Calls back, level-triggered, as long as the descriptor is ready; errors and hang-ups show as both interests.
    /// For descriptors that others own, such as libcurl's. Called again, it changes the interest and the callback.
    ///
    /// - Throws: `epoll_ctl` when the kernel is out of memory or watches, or cannot watch this kind of file.
    public func watch(
        descriptor: Int32, _ interest: Interest, _ callback: @escaping (Interest) -> Void
    ) throws(SystemError) {
        assertOnLoop()
        if let (id, state) = slab.current(descriptor), state.contains(.watched) {
            try epoll.set(descriptor, interest.epollEvents, key: id.key)
        } else {
            let id = slab.open(descriptor, .watched)
            do throws(SystemError) {
                try epoll.add(descriptor, interest.epollEvents, key: id.key)
            } catch {
                slab.free(descriptor)
                throw error
            }
        }
        watchers[descriptor] = callback
    }

    /// Ends `watch`, before the descriptor's owner closes it. Events of this turn not yet delivered are dropped.
    public func unwatch(descriptor: Int32) {
        assertOnLoop()
        // An owner that closed it first may find its number taken by a connection.
        guard slab.current(descriptor)?.state.contains(.watched) == true else { return }
        watchers[descriptor] = nil
        epoll.remove(descriptor)
        slab.free(descriptor)
    }
}
