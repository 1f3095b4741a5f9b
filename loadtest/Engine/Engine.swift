import CLinux
import Glibc

/// The load test's one loop: sockets, timers, and nothing else. `run` turns it until something has happened, so that a
/// scenario reads from top to bottom. Confined to the main thread.
///
/// How it works: sockets are registered once, edge-triggered, and read into one large area until a read is short. There
/// is a loop beside the hub's own because a load client needs what a server must not have: waits of microseconds, reads
/// of a few bytes, receive buffers of a chosen size, many source addresses. It knows nothing of the hub.
///
/// Invariant: a client stands in its slot from `connect` until it ends.
final class Engine {
    /// Monotonic nanoseconds, read after each wait and each read.
    var now = Clock.now()
    /// If set, it polls at this interval, in nanoseconds, and never sleeps.
    ///
    /// A send that wakes its reader on another core, or finds it at the same socket, costs its sender much more: how
    /// much depends on how fast the reader is, and says nothing of a server whose readers are on other machines.
    var pollInterval: UInt64 = 0
    /// How long it has waited for that, or polled in vain, in nanoseconds.
    private(set) var spun: UInt64 = 0
    /// Called at the end of each turn.
    var turnEnded: () -> Void = {}
    /// Sockets whose handshake is done.
    var openCount = 0 {
        didSet { openCountMax = max(openCountMax, openCount) }
    }
    private(set) var openCountMax = 0
    /// Where bytes are received.
    let area = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 19, alignment: 64)
    /// Where a write is put together.
    var output: [UInt8] = []

    static let messageBytesMax = 64 << 20
    private static let eventsPerTurn = 1024
    private static let handshakesAtOnce = 128
    private let epoll: Int32
    private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: eventsPerTurn)
    private var clients: [Client?] = []
    private var freeSlots: [Int] = []
    private var timers = TimerHeap()
    private var failure: Failure?
    private var polledAt: UInt64 = 0
    private var randomState = Clock.now()

    init() throws(Failure) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw Failure("epoll_create1: \(String(cString: strerror(errno)))") }
        signal(SIGPIPE, SIG_IGN)
        Interruption.catchSignals()
        _ = hb_set_timer_slack(1000)
    }

    deinit {
        close(epoll)
        events.deallocate()
        area.deallocate()
    }

    // MARK: - Running

    /// Turns the loop until the condition holds, which is asked once per turn.
    ///
    /// - Parameter what: says in a failure what did not happen, such as `all watchers to join`.
    func run(_ what: String, within seconds: Double = 20, until isDone: () -> Bool) throws(Failure) {
        let deadline = Clock.now() + UInt64(seconds: seconds)
        while failure == nil, !isDone() {
            guard now < deadline else {
                throw Failure("waited in vain for \(what), \(fixed(seconds, seconds < 10 ? 1 : 0)) s")
            }
            turn(until: deadline)
        }
        if let failure { throw failure }
    }

    /// Turns the loop for so long.
    func run(seconds: Double) throws(Failure) {
        let end = Clock.now() + UInt64(seconds: seconds)
        while failure == nil, now < end { turn(until: end) }
        if let failure { throw failure }
    }

    /// Connects clients, a limited number of handshakes at a time, and waits until all have been opened. Others may
    /// come and go meanwhile.
    ///
    /// - Parameter start: begins to connect one, by its number.
    func connect(_ clients: [Client], _ start: (Int) -> Void) throws(Failure) {
        let count = clients.count
        try Descriptors.expect(sockets: openCount + count)
        var next = 0
        var opening: [Client] = []
        try run("\(count) sockets to connect", within: 20 + Double(count) / 200) {
            opening.removeAll { $0.isOpen }
            while next < count, opening.count < Self.handshakesAtOnce {
                start(next)
                opening.append(clients[next])
                next += 1
            }
            return next == count && opening.isEmpty
        }
    }

    /// Which source address has ports left.
    var source: Int { openCount / ServerAddress.socketsPerSource }

    /// Ends the present `run` with a failure; the first one counts.
    func fail(_ reason: String) {
        if failure == nil { failure = Failure(reason) }
    }

    /// Closes what is open. Clients and what they call hold each other, so this ends a run.
    func closeAll() {
        for client in clients { client?.close() }
        clients = []
        timers = TimerHeap()
        turnEnded = {}
    }

    /// Calls the closure once, at this time of `now` or soon after.
    func schedule(at time: UInt64, _ action: @escaping () -> Void) { timers.add(at: time, action) }

    /// Numbers that need not be secret, such as mask keys and pauses.
    func random() -> UInt64 {
        // Xorshift (Marsaglia, 2003).
        randomState ^= randomState << 13
        randomState ^= randomState >> 7
        randomState ^= randomState << 17
        return randomState
    }

    private func turn(until end: UInt64) {
        let clock = Clock.now()
        let wake = min(end, timers.nextTime ?? .max)
        let wait = wake > clock && pollInterval == 0 ? Int64(clamping: wake - clock) : 0
        if pollInterval > 0 { spin(from: clock) }
        let count = hb_epoll_wait(epoll, events, Int32(Self.eventsPerTurn), wait)
        now = Clock.now()
        if Interruption.isWanted { fail("interrupted") }
        for index in 0..<max(0, Int(count)) {
            let event = events[index]
            guard let client = clients[Int(event.data.u64 & 0xFFFF_FFFF)],
                client.generation == UInt32(event.data.u64 >> 32)
            else { continue }
            client.ready(event.events)
        }
        var isVain = count <= 0
        while let action = timers.popDue(now) {
            isVain = false
            action()
        }
        turnEnded()
        if pollInterval > 0, isVain { spun += Clock.now() - polledAt }
    }

    private func spin(from clock: UInt64) {
        var time = clock
        while time < polledAt + pollInterval { time = Clock.now() }
        spun += time - clock
        polledAt = time
    }

    // MARK: - For clients

    /// Gives the client a slot and watches its descriptor.
    func add(_ client: Client, _ descriptor: Int32) -> Int {
        let slot = freeSlots.popLast() ?? clients.count
        if slot == clients.count { clients.append(nil) }
        clients[slot] = client
        let interest = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        let key = UInt64(client.generation) << 32 | UInt64(slot)
        var event = epoll_event(events: interest, data: epoll_data(u64: key))
        if epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0 {
            fail("epoll_ctl: \(String(cString: strerror(errno)))")
        }
        return slot
    }

    func remove(slot: Int) {
        clients[slot] = nil
        freeSlots.append(slot)
    }
}
