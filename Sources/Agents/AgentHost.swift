import Chat
import ChatProtocol

/// Runs the agents of one loop. Confined to its loop.
///
/// No event is emitted from within `start` or `cancel`, so a caller may call them in the middle of its own work. An
/// event's receiver in turn may call both.
///
/// Invariant: a run emits until its `.ended`, exactly one, before which its connection to the model was closed.
public final class AgentHost {
    private enum Run {
        case guide(GuideRun)
        case model(ModelRun)
        case command(CommandRun)
        case synthetic(SyntheticRun)
        /// Closed; its `.ended` is scheduled.
        case ending

        func close() {
            switch self {
            case .guide(let run): run.close()
            case .model(let run): run.close()
            case .command(let run): run.close()
            case .synthetic(let run): run.close()
            case .ending: break
            }
        }
    }

    private struct Entry {
        var run: Run
        let emit: (StreamID, AgentEvent) -> Void
    }

    /// The agents' names, the default's first.
    public let agentTypes: [String]
    private let agents: [String: AgentConfiguration]
    private let services: LoopServices
    private let library: GuideLibrary?
    private let client: HTTPClient?
    private var entries: [StreamID: Entry] = [:]

    /// Hosts agents on a loop.
    ///
    /// - Parameter library: shared by all loops; needed when an agent is a guide.
    public init(
        agents: [AgentConfiguration], defaultAgent: String, services: LoopServices, library: GuideLibrary?
    ) throws(AgentConfigurationError) {
        var byType: [String: AgentConfiguration] = [:]
        var needsClient = false
        for agent in agents {
            guard byType.updateValue(agent, forKey: agent.agentType) == nil else {
                throw .duplicateAgent(agent.agentType)
            }
            try agent.validate(library: library)
            switch agent.connector {
            case .openAI, .anthropic: needsClient = true
            case .guide, .command, .synthetic: break
            }
        }
        guard byType[defaultAgent] != nil else { throw .unknownDefault(defaultAgent) }
        self.agents = byType
        self.services = services
        self.library = library
        agentTypes = [defaultAgent] + agents.map(\.agentType).filter { $0 != defaultAgent }
        client = needsClient ? try HTTPClient(services: services) : nil
    }

    /// Starts a run for a turn; what it says is emitted on this loop.
    public func start(_ turn: AgentTurn, emit: @escaping (StreamID, AgentEvent) -> Void) {
        let id = turn.streamID
        precondition(entries[id] == nil, "a stream runs once")
        entries[id] = Entry(run: .ending, emit: emit)
        let deliver: (AgentEvent) -> Void = { [unowned self] in self.deliver($0, of: id) }
        switch agents[turn.agentType]?.connector {
        case .guide(let directory):
            let run = GuideRun(services: services, deliver: deliver)
            entries[id]?.run = .guide(run)
            ask(library!, in: directory, turn)
        case .openAI(let settings):
            start(id, ChatCompletionRequest.request(turn, settings), settings, deliver) { ChatCompletionReader() }
        case .anthropic(let settings):
            start(id, MessagesRequest.request(turn, settings), settings, deliver) { MessagesReader() }
        case .command(let settings): start(turn, settings, deliver)
        case .synthetic: startSynthetic(turn, emit, deliver)
        case nil:
            end(id, .failed(.agentFailed, "there is no agent \"\(turn.agentType)\""))
        }
    }

    private func start(
        _ stream: StreamID, _ request: HTTPRequest, _ settings: ModelSettings,
        _ deliver: @escaping (AgentEvent) -> Void,
        makeReader: @escaping () -> any ModelReader
    ) {
        let run = ModelRun(
            request, settings, client: client!, services: services, makeReader: makeReader, deliver: deliver)
        entries[stream]?.run = .model(run)
        run.start()
    }

    private func start(_ turn: AgentTurn, _ settings: CommandSettings, _ deliver: @escaping (AgentEvent) -> Void) {
        do throws(SpawnError) {
            let run = try CommandRun(turn, settings, services: services, deliver: deliver)
            entries[turn.streamID]?.run = .command(run)
            run.start()
        } catch {
            end(turn.streamID, .failed(.agentFailed, "the agent's command cannot be started: \(error.sentence)"))
        }
    }

    /// Its tokens go straight to their receiver: it is to measure the hub, not the way there.
    private func startSynthetic(
        _ turn: AgentTurn, _ emit: @escaping (StreamID, AgentEvent) -> Void, _ deliver: @escaping (AgentEvent) -> Void
    ) {
        let submit = services.submit
        let stream = turn.streamID
        do throws(SyntheticScriptError) {
            let run = SyntheticRun(
                try SyntheticScript(parsing: turn.input), services: services,
                stepSoon: { submit { $0.step(stream) } }, say: { emit(stream, .text($0)) },
                end: { deliver(.ended($0)) })
            entries[stream]?.run = .synthetic(run)
            run.begin()
        } catch {
            end(stream, .failed(.agentFailed, error.reason))
        }
    }

    private func step(_ stream: StreamID) {
        guard case .synthetic(let run) = entries[stream]?.run else { return }
        run.step()
    }

    /// Closes a run's connection to its model, or asks its program to end, and has it end as cancelled; a run that is
    /// over is left alone.
    public func cancel(_ stream: StreamID) {
        guard let entry = entries[stream] else { return }
        switch entry.run {
        case .ending: break
        case .command(let run): run.cancel()
        case .guide, .model, .synthetic:
            entry.run.close()
            end(stream, .cancelled)
        }
    }

    /// Lets a run of the synthetic agent say so many tokens more, which it may do from within; no other run needs it.
    public func release(_ count: Int, of stream: StreamID) {
        guard case .synthetic(let run) = entries[stream]?.run else { return }
        run.release(count)
    }

    /// Closes every run and every connection and ends every program; nothing is emitted any more. Before the loop ends.
    public func shutdown() {
        for entry in entries.values { entry.run.close() }
        // All are killed before the first is waited for.
        for case .command(let run) in entries.values.map(\.run) { run.finishClosing() }
        entries = [:]
        client?.shutdown()
    }

    /// Ends a closed run in a later step of the loop.
    private func end(_ stream: StreamID, _ end: AgentEnd) {
        entries[stream]?.run = .ending
        _ = services.schedule(services.clock()) { [weak self] in self?.deliver(.ended(end), of: stream) }
    }

    private func deliver(_ event: AgentEvent, of stream: StreamID) {
        guard let entry = entries[stream] else { return }
        if case .ended = event {
            entry.run.close()
            entries[stream] = nil
        }
        entry.emit(stream, event)
    }

    /// Looks the answer up on the library's thread and comes back with it.
    private func ask(_ library: GuideLibrary, in directory: String?, _ turn: AgentTurn) {
        let submit = services.submit
        let stream = turn.streamID
        let lastQuestion = turn.context.last { $0.role == .user }?.text
        library.answer(turn.input, after: lastQuestion, in: directory) { answer in
            submit { $0.speak(answer, to: stream) }
        }
    }

    private func speak(_ answer: GuideAnswer, to stream: StreamID) {
        guard case .guide(let run) = entries[stream]?.run else { return }
        run.speak(answer)
    }
}
