import Chat
import ChatProtocol
import Glibc
import Reactor

/// One turn with a program: the turn on its standard input, its events on its standard output. Confined to its loop.
///
/// How it works: three things are watched. The input, until the turn is written or nobody reads it; then it is closed.
/// The output, of which each turn of the loop takes so many bytes and no more: what is not read fills the pipe, and a
/// program that writes too fast waits. And the process itself.
///
/// The first cause decides the verdict: the agent's own `finished`, a fault in its output, silence, a cancel, the
/// process's end. From then on the run says nothing; it ends the process, by SIGTERM and after a grace by SIGKILL (one
/// that has said `finished` or closed its output may first end by itself), reaps it, and only then says `.ended`.
///
/// A process that has ended may leave others that hold its output open. Those of its group are killed; for the rest,
/// only what stands in the pipe already is read.
///
/// Invariant: `.ended` is said when the process was reaped.
final class CommandRun {
    /// What one turn of the loop reads.
    private static let readBytesMax = 16 * 1024

    private let settings: CommandSettings
    private let process: Subprocess
    private let services: LoopServices
    private let deliver: (AgentEvent) -> Void
    private let deadline: Deadline

    private var unwritten: ArraySlice<UInt8>
    private var reader = CommandOutputReader()
    private var verdict: AgentEnd?
    private var end: Subprocess.End?
    private var timer: TimerID?

    /// Starts the program; what it says is delivered in later steps of the loop.
    init(
        _ turn: AgentTurn, _ settings: CommandSettings, services: LoopServices, deliver: @escaping (AgentEvent) -> Void
    ) throws(SpawnError) {
        self.settings = settings
        self.services = services
        self.deliver = deliver
        process = try Subprocess(settings.command, environment: settings.environment)
        unwritten = CommandTurn.line(turn)[...]
        deadline = Deadline(services)
    }

    func start() {
        let areWatched =
            services.watch(process.endDescriptor, .read) { [weak self] _ in self?.processEnded() }
            && services.watch(process.output!, .read) { [weak self] _ in self?.read() }
            && services.watch(process.input!, .write) { [weak self] _ in self?.write() }
        deadline.set(afterSeconds: settings.silentTimeoutSeconds) { [weak self] in self?.wasSilent() }
        if !areWatched { abandon() }
    }

    /// Ends the process; `.ended(.cancelled)` follows.
    func cancel() {
        decide(.cancelled)
    }

    /// Kills the process without a word; `finishClosing` reaps it.
    func close() {
        verdict = verdict ?? .cancelled
        stopWatching()
        guard end == nil else { return }
        services.unwatch(process.endDescriptor)
        process.signal(SIGKILL)
    }

    /// Reaps a process that `close` has killed.
    func finishClosing() {
        guard end == nil else { return }
        process.waitForEnd()
        if process.hasEnded { end = process.reap() }
    }

    /// The kernel has no watch left: without one the run would never hear of its process.
    private func abandon() {
        close()
        timer = services.schedule(services.clock()) { [weak self] in
            guard let self else { return }
            finishClosing()
            deliver(.ended(.failed(.agentFailed, "the agent's command cannot be watched")))
        }
    }
}

// MARK: - Input and output

extension CommandRun {
    private func write() {
        guard let count = process.write(unwritten) else { return closeInput() }
        unwritten = unwritten.dropFirst(count)
        if unwritten.isEmpty { closeInput() }
    }

    private func closeInput() {
        process.input.map(services.unwatch)
        process.closeInput()
        unwritten = []
    }

    private func closeOutput() {
        process.output.map(services.unwatch)
        process.closeOutput()
    }

    private func read() {
        switch process.read(atMost: Self.readBytesMax) {
        case .bytes(let bytes): take(bytes)
        case .endOfStream: outputEnded()
        case .wouldBlock: if end != nil { outputEnded() }
        }
    }

    private func take(_ bytes: [UInt8]) {
        deadline.extend(afterSeconds: settings.silentTimeoutSeconds)
        say { (reader, said) throws(CommandError) in try reader.read(bytes, into: &said) }
        if verdict == nil, end != nil { readOn() }
    }

    private func outputEnded() {
        say { (reader, said) throws(CommandError) in try reader.end(into: &said) }
        guard verdict == nil else { return }
        closeOutput()
        if let end { return finish(Self.failure(end)) }
        // The exit status says more, if it comes.
        deadline.cancel()
        afterGrace { run in
            run.decide(.failed(.agentFailed, "the agent closed its output before it had finished"))
        }
    }

    /// Delivers what the reader makes of bytes, then decides if that was the answer's end or no answer.
    private func say(_ read: (inout CommandOutputReader, inout [AgentEvent]) throws(CommandError) -> Void) {
        var said: [AgentEvent] = []
        var fault: CommandError?
        do throws(CommandError) {
            try read(&reader, &said)
        } catch {
            fault = error
        }
        for event in said {
            deliver(event)
            // The event's receiver may have cancelled the run.
            guard verdict == nil else { return }
        }
        if let fault {
            decide(.failed(.agentFailed, fault.sentence))
        } else if let reason = reader.finishReason {
            finished(reason)
        }
    }
}

// MARK: - Ending

extension CommandRun {
    /// The answer is complete, and the process has its grace to end by itself.
    private func finished(_ reason: String) {
        verdict = .finished(reason: reason)
        stopWatching()
        if end != nil { return finish(.finished(reason: reason)) }
        afterGrace { $0.terminate() }
    }

    private func wasSilent() {
        let limit = Deadline.text(ofSeconds: settings.silentTimeoutSeconds)
        decide(.failed(.agentTimeout, "the agent said nothing for \(limit)"))
    }

    /// Sets the verdict, unless there is one, and ends the process.
    private func decide(_ verdict: AgentEnd) {
        guard self.verdict == nil else { return }
        self.verdict = verdict
        stopWatching()
        if end == nil {
            terminate()
        } else {
            // A cancel in the middle of someone's work must not hear of its end from within.
            timer = services.schedule(services.clock()) { [weak self] in self?.finish(verdict) }
        }
    }

    private func terminate() {
        process.signal(SIGTERM)
        afterGrace { $0.process.signal(SIGKILL) }
    }

    /// Input, output and silence are of no interest any more; the process's end still is.
    private func stopWatching() {
        timer.map(services.cancel)
        timer = nil
        deadline.cancel()
        closeInput()
        closeOutput()
    }

    private func processEnded() {
        guard process.hasEnded else { return }
        services.unwatch(process.endDescriptor)
        let end = process.reap()
        self.end = end
        timer.map(services.cancel)
        timer = nil
        closeInput()
        if let verdict { return finish(verdict) }
        guard let output = process.output else { return finish(Self.failure(end)) }
        services.unwatch(output)
        readOn()
    }

    private static func failure(_ end: Subprocess.End) -> AgentEnd {
        switch end {
        case .exited(let status):
            .failed(.agentFailed, "the agent's command ended with exit status \(status) before it had finished")
        case .killed(let signal):
            .failed(.agentFailed, "the agent's command was killed by signal \(signal) before it had finished")
        }
    }

    /// Reads what an ended process left in its output, in later steps of the loop.
    private func readOn() {
        timer = services.schedule(services.clock()) { [weak self] in self?.read() }
    }

    private func finish(_ verdict: AgentEnd) {
        self.verdict = verdict
        stopWatching()
        deliver(.ended(verdict))
    }

    private func afterGrace(_ action: @escaping (CommandRun) -> Void) {
        timer.map(services.cancel)
        timer = services.schedule(afterSeconds: settings.terminationGraceSeconds) { [weak self] in
            guard let self else { return }
            timer = nil
            action(self)
        }
    }
}
