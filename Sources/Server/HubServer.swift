import Agents
import CLinux
import Chat
import ChatProtocol
import Glibc
import Reactor
import Storage
import Telemetry
import Wire

/// The whole server: store, agents, loops; from start to graceful stop.
public enum HubServer {
    /// Runs the hub until SIGTERM or SIGINT, or until its terminal is gone. Blocks the calling thread.
    ///
    /// - Returns: the process's exit code: 0 after a graceful stop, 1 when it could not start.
    public static func run(_ configuration: Configuration) -> Int32 {
        Log.level = configuration.logLevel
        SignalWatcher.block()
        // A file that reaches its limit (`ulimit -f`) is a disk that is full, not the end.
        signal(SIGXFSZ, SIG_IGN)
        hb_return_freed_memory()
        do {
            let server = try RunningServer(configuration, descriptorsMax: raiseDescriptorLimit())
            for warning in configuration.warnings { write(STDERR_FILENO, "hubbub: \(warning)\n") }
            write(STDOUT_FILENO, "listening on \(server.url)\n")
            server.serveUntilSignal()
            return 0
        } catch {
            write(STDERR_FILENO, "hubbub: \(error)\n")
            return 1
        }
    }

    /// Every connection takes a descriptor: as many as the system allows without asking for more.
    ///
    /// - Returns: how many that are.
    private static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return Int(Int32.max) }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        let isRaised = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        return Int(clamping: min(isRaised ? limit.rlim_max : before, rlim_t(Int32.max)))
    }

    private static func write(_ descriptor: Int32, _ line: String) {
        let bytes = Array(line.utf8)
        _ = Glibc.write(descriptor, bytes, bytes.count)
    }
}

/// Why the server could not start, as a sentence that says what to do next.
struct StartError: Error, CustomStringConvertible {
    let description: String
}

/// The started server. Used by the main thread only.
struct RunningServer {
    let context: ServerContext
    let threads: [EventLoopThread]
    let host: String
    let port: UInt16
    private let signals: SignalWatcher
    private let hadTerminal = isatty(STDOUT_FILENO) == 1

    /// An IPv6 address stands in brackets (RFC 3986 section 3.2.2).
    var url: String { "http://" + (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    /// - Parameter descriptorsMax: as many as the process may have.
    init(_ configuration: Configuration, descriptorsMax: Int) throws {
        let started = Timestamp(milliseconds: WallClock.milliseconds())
        let patience = Int64(configuration.limits.restartInterruptedSeconds) * 1000
        let store = try MessageStore(
            directory: configuration.dataDirectory, now: started,
            interruptedSince: patience == 0 ? nil : Timestamp(milliseconds: started.milliseconds - patience),
            report: Self.log)
        if store.settledAtStart > 0 {
            Log.info("settled unfinished streams", ["count": String(store.settledAtStart)])
        }
        let library = try GuideLibrary(agents: configuration.agents, builtIn: GuideDocument.builtIn)
        for warning in library.warnings { Log.warning(warning) }
        let mailboxes = try (0..<configuration.loops).map { _ in try Mailbox<HubLoop>() }
        context = ServerContext(
            configuration: configuration,
            hub: HubConfiguration(
                loops: configuration.loops, limits: configuration.limits,
                agentTypes: configuration.agents.map(\.agentType), defaultAgent: configuration.defaultAgent,
                router: AgentRouter(configuration.routes), offersSynthetic: configuration.offersSynthetic),
            gauges: NodeGauges(), store: store, library: library,
            router: Router(
                assets: Assets.page, origins: configuration.origins,
                offersDiagnostics: configuration.offersDiagnostics, limits: configuration.limits),
            memory: ConnectionMemory(bytesMax: configuration.limits.connectionBytesMax), mailboxes: mailboxes,
            acceptedDescriptorsMax: descriptorsMax - configuration.limits.reservedDescriptors(of: descriptorsMax))
        signals = try SignalWatcher()
        host = configuration.host
        (threads, port) = try Self.startLoops(context)
        StartReport.write(configuration, url: url, descriptorsMax: descriptorsMax)
        restartInterrupted()
    }

    /// Before a client can say that it is ready: one loop asks, so that the order stays that of the messages.
    private func restartInterrupted() {
        let answers = context.store.interruptedAnswers
        guard !answers.isEmpty else { return }
        Log.info("asking again for interrupted answers", ["count": String(answers.count)])
        context.mailboxes[0].post(.restart(answers))
    }

    private static func log(_ news: StorageNews) {
        switch news {
        case .failed(let reason): Log.error("storage fails", ["reason": reason])
        case .requestFailed(let reason): Log.error("a request to the store failed", ["reason": reason])
        case .recovered(let seconds): Log.warning("storage works again", ["after_seconds": String(seconds)])
        case .slowCommit(let milliseconds, let writes):
            Log.warning("slow commit", ["milliseconds": String(milliseconds), "writes": String(writes)])
        }
    }

    // MARK: - Starting

    private static func startLoops(_ context: ServerContext) throws -> ([EventLoopThread], UInt16) {
        let configuration = context.configuration
        let bound = Lock<UInt16>(configuration.port)
        let badAgents = Lock<String?>(nil)
        var threads: [EventLoopThread] = []
        for index in 0..<configuration.loops {
            do {
                threads.append(
                    try EventLoopThread.start(index: index, mailbox: context.mailboxes[index]) {
                        loop throws(SystemError) in
                        let port = try listen(loop, configuration.host, bound.withLock { $0 })
                        bound.withLock { $0 = port }
                        do throws(AgentConfigurationError) {
                            return try HubLoop(loop: loop, context: context)
                        } catch {
                            badAgents.withLock { $0 = "the agents cannot be started: \(error)" }
                            throw SystemError("start", errno: EINVAL)
                        }
                    })
            } catch {
                stop(threads, context)
                if let reason = badAgents.withLock({ $0 }) { throw StartError(description: reason) }
                throw StartError(
                    description: "cannot listen on \(configuration.host) port \(configuration.port): "
                        + "\(error). Choose another with --port, or --port 0 for any free one.")
            }
        }
        return (threads, bound.withLock { $0 })
    }

    /// Every loop listens on the same port. The first takes it alone for a moment: another program that shares ports
    /// would otherwise get a part of the connections without anybody noticing.
    private static func listen(
        _ loop: EventLoop<HubLoop>, _ host: String, _ port: UInt16
    ) throws(SystemError) -> UInt16 {
        guard loop.index == 0 else { return try loop.listen(host: host, port: port, reusePort: true) }
        let free = try loop.listen(host: host, port: port, reusePort: false)
        loop.stopListening()
        return try loop.listen(host: host, port: free, reusePort: true)
    }

    // MARK: - Stopping

    /// Waits for a signal that stops the hub, then stops accepting, lets streams finish for a while, settles the rest
    /// and ends. A second signal ends the wait, and leaves those that are settled then a second to reach the disk.
    func serveUntilSignal() {
        while !waitForSignal(milliseconds: -1) {}
        let began = WallClock.microseconds()
        Log.info(
            "draining",
            ["streams": String(context.gauges.streamCount), "seconds_max": String(context.limits.drainSeconds)])
        context.gauges.drain()
        tellLoops(.drain)
        let isPatient = waitForStreams(seconds: context.limits.drainSeconds)
        let interrupted = context.gauges.streamCount
        if interrupted > 0 { Log.warning("interrupting streams", ["count": String(interrupted)]) }
        tellLoops(.interruptStreams)
        waitForStreams(seconds: isPatient ? Self.settleSeconds : 1)
        letEndsSpread()
        Self.stop(threads, context)
        context.library.shutdown()
        context.store.close()
        Log.info("stopped", ["after_milliseconds": String((WallClock.microseconds() - began) / 1000)])
    }

    /// Longer than the hub tries to store an outcome, and than a connector may take to close.
    private static let settleSeconds = 15

    /// A stream counts as ended before its last entry has left its home. Once each loop has begun another turn, the
    /// entries of all are in the mailboxes, before the `stop` that is to come.
    private func letEndsSpread() {
        let turns = Lock(0)
        for mailbox in context.mailboxes { mailbox.submit { _ in turns.withLock { $0 += 1 } } }
        for _ in 0..<200 where turns.withLock({ $0 }) < context.mailboxes.count { waitForSignal(milliseconds: 5) }
    }

    private func tellLoops(_ message: LoopMessage) {
        for mailbox in context.mailboxes { mailbox.post(message) }
    }

    /// Returns false if a signal ended the wait.
    @discardableResult
    private func waitForStreams(seconds: Int) -> Bool {
        for _ in 0..<seconds * 20 where context.gauges.streamCount > 0 {
            if waitForSignal(milliseconds: 50) { return false }
        }
        return true
    }

    /// Returns true if a signal came that stops the hub.
    @discardableResult
    private func waitForSignal(milliseconds: Int32) -> Bool {
        var watched = pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&watched, 1, milliseconds) < 0, errno == EINTR {}
        guard watched.revents != 0, let signal = signals.next() else { return false }
        let isStop = StopSignals(hadTerminal: hadTerminal, isDraining: context.gauges.isDraining).stops(signal)
        if !isStop { Log.warning("SIGHUP is ignored; restart the hub to have it read its configuration anew") }
        return isStop
    }

    private static func stop(_ threads: [EventLoopThread], _ context: ServerContext) {
        for index in threads.indices { context.mailboxes[index].post(.stop) }
        for thread in threads { thread.join() }
    }
}
