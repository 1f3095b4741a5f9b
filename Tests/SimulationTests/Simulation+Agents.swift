import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

/// One run of an agent.
final class Agent {
    let turn: AgentTurn
    let loop: Int
    /// It was told to stop.
    var isTold = false
    var hasEnded = false

    init(turn: AgentTurn, loop: Int) {
        self.turn = turn
        self.loop = loop
    }

    var stream: String { turn.streamID.text }
    var owesEnd: Bool { isTold && !hasEnded }
}

// The agents: they start, speak, stall and end.
extension Simulation {
    func startAgent(_ turn: AgentTurn, on loop: Int) {
        note("an agent starts for \(turn.streamID)")
        let stream = turn.streamID.text
        check(!agents.contains { $0.stream == stream }, "\(stream) has two agents")
        check(!oracle.stopped.contains(stream), "\(stream) was cancelled and gets an agent")
        let row = disk.store.exchange(of: stream)
        let input = row?.messages.map(\.text).joined(separator: "\n")
        check(input == turn.input, "the agent of \(stream) is given '\(turn.input)', stored is '\(input ?? "nothing")'")
        let busy = disk.store.exchanges.first { other in
            other.sessionID == turn.sessionID && other.streamID != turn.streamID && other.status == .streaming
        }
        check(busy == nil || failedToStore(busy), "\(stream) starts beside \(busy?.streamID.text ?? "")")
        checkContext(turn)
        agents.append(Agent(turn: turn, loop: loop))
    }

    /// An agent is told what its session said to it before, as it is on disk; where nothing was forgotten meanwhile.
    /// A turn that came later and was cancelled while it waited may be told too.
    private func checkContext(_ turn: AgentTurn) {
        guard !forgotten.contains(turn.roomID.text), disk.failures == 0 else { return }
        let rows = disk.store.exchanges.filter { $0.sessionID == turn.sessionID && $0.agentType == turn.agentType }
        guard rows.allSatisfy({ $0.regenerateOf == nil }) else { return }
        let earlier = rows.prefix { $0.streamID != turn.streamID }
        let words = earlier.flatMap { $0.messages.map(\.text) + ($0.text.isEmpty ? [] : [$0.text]) }
        let told = turn.context.map(\.text)
        check(
            told.count >= Limits.contextMessagesMax || Set(words).isSubset(of: told),
            "the agent of \(turn.streamID) is told \(told), said was \(words)")
    }

    /// The hub gave up storing its end; that it runs on disk is settled at the next start.
    private func failedToStore(_ row: ExchangeRecord?) -> Bool { disk.failures > 0 }

    func cancelAgent(_ stream: String) {
        note("the agent of \(stream) is told to stop")
        guard let agent = agents.last(where: { $0.stream == stream }) else { return }
        check(!agent.isTold, "the agent of \(stream) is told twice")
        agent.isTold = true
    }

    func confirm(_ agent: Agent) { emit(.ended(.cancelled), agent) }

    func performAgent(_ step: Step) {
        if step.kind == .noise { return noise() }
        guard let agent = dice.pick(agents.filter { !$0.hasEnded }) else { return }
        switch step.kind {
        case .speak: speak(agent, step.number)
        case .burst: burst(agent, step.number)
        case .event: tellEvent(agent)
        default: finish(agent)
        }
    }

    private func token(_ number: Int, _ index: Int) -> [UInt8] { Array("w\(number).\(index)é ".utf8) }

    private func speak(_ agent: Agent, _ number: Int) {
        let bytes = token(number, 0)
        emit(dice.chance(1, in: 6) ? .reasoning(bytes) : .text(bytes), agent)
    }

    /// Many tokens in one turn of the loop, or one large one.
    private func burst(_ agent: Agent, _ number: Int) {
        if dice.chance(1, in: 10) {
            let large = (0..<(200 + dice.below(2_000))).flatMap { token(number, $0) }
            return emit(.text(large), agent)
        }
        for index in 0..<(5 + dice.below(40)) where !agent.hasEnded {
            agentSays(dice.chance(1, in: 12) ? .reasoning(token(number, index)) : .text(token(number, index)), agent)
            if dice.chance(1, in: 4) { endTurn(agent.loop) }
        }
        endTurn(agent.loop)
    }

    private func tellEvent(_ agent: Agent) {
        switch dice.below(5) {
        case 0: emit(.usage(Usage(promptTokens: 3, completionTokens: 5)), agent)
        case 1: emit(.event(.toolCall, ["name": "look"]), agent)
        case 2: emit(.event(.toolResult, ["name": "look", "result": "nothing"]), agent)
        case 3: emit(.event(.action, ["seq": 1, "name": "open"]), agent)
        default:
            let isLarge = dice.chance(1, in: 8)
            let size = isLarge ? Limits.toolPayloadBytesMax : 400
            emit(.event(.action, ["page": .string(String(repeating: "x", count: size))]), agent)
        }
    }

    private func finish(_ agent: Agent) {
        if agent.isTold { return confirm(agent) }
        let end: AgentEnd =
            dice.chance(3, in: 4) ? .finished(reason: "stop") : .failed(.agentFailed, "the agent is unwell")
        emit(.ended(end), agent)
    }

    /// Words of an agent that has no say: one that has ended, or that was told to stop.
    private func noise() {
        guard let agent = dice.pick(agents.filter { $0.hasEnded || $0.isTold }) else { return }
        onLoop(agent.loop) { $0.agent(agent.turn.streamID, .text(Array("noise".utf8)), now: now) }
    }

    func emit(_ event: AgentEvent, _ agent: Agent) {
        onLoop(agent.loop) { _ in agentSays(event, agent) }
    }

    private func agentSays(_ event: AgentEvent, _ agent: Agent) {
        guard !agent.hasEnded else { return }
        note("the agent of \(agent.stream) says \("\(event)".prefix(60))")
        switch event {
        case .text(let bytes) where !agent.isTold: oracle.said[agent.stream, default: []] += bytes
        case .reasoning(let bytes) where !agent.isTold: oracle.reasoned[agent.stream, default: []] += bytes
        case .ended: agent.hasEnded = true
        case .text, .reasoning, .event, .usage: break
        }
        hubs[agent.loop].agent(agent.turn.streamID, event, now: now)
    }
}
