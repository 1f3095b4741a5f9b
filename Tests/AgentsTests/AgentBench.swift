import Chat
import ChatProtocol
import Dispatch
import Reactor
import Testing
import Wire

@testable import Agents

/// What a run said, taken together.
struct Transcript: Equatable {
    var text = ""
    var reasoning = ""
    var pieces: [String] = []
    var toolCalls: [JSONObject] = []
    var usage: Usage?
    var ends: [AgentEnd] = []

    init(_ events: [AgentEvent]) {
        for event in events {
            switch event {
            case .text(let bytes):
                // Repairs would show: each piece has to be whole by itself.
                pieces.append(String(decoding: bytes, as: UTF8.self))
                text += pieces.last!
            case .reasoning(let bytes): reasoning += String(decoding: bytes, as: UTF8.self)
            case .event(_, let object): toolCalls.append(object)
            case .usage(let usage): self.usage = usage
            case .ended(let end): ends.append(end)
            }
        }
    }
}

/// The handler of the test's loop: hosts the agents and nothing else.
private final class BenchHandler: LoopHandler {
    enum Message: Sendable {
        case start([AgentTurn])
        case cancel([StreamID])
        case release(Int, StreamID)
        case stop
    }

    let loop: EventLoop<BenchHandler>
    let record: @Sendable (StreamID, AgentEvent) -> Void
    var host: AgentHost!

    init(_ loop: EventLoop<BenchHandler>, record: @escaping @Sendable (StreamID, AgentEvent) -> Void) {
        self.loop = loop
        self.record = record
    }

    func handle(_ message: Message) {
        switch message {
        case .start(let turns):
            for turn in turns {
                var isStarting = true
                host.start(turn) { [record] id, event in
                    precondition(!isStarting, "nothing is emitted from within start")
                    record(id, event)
                }
                isStarting = false
            }
        case .cancel(let ids): for id in ids { host.cancel(id) }
        case .release(let count, let id): host.release(count, of: id)
        case .stop:
            host.shutdown()
            loop.stop()
        }
    }

    func accepted(_ id: ConnectionID, peer: PeerAddress) {}
    func received(_ id: ConnectionID, _ bytes: UnsafeMutableRawBufferPointer) {}
    func writable(_ id: ConnectionID) {}
    func disconnected(_ id: ConnectionID, _ cause: DisconnectCause) {}
    func turnEnded() {}
    var hasWork: Bool { false }
}

/// An agent host on a real loop with its own thread, driven from the test's.
final class AgentBench {
    private let mailbox: Mailbox<BenchHandler>
    private let thread: EventLoopThread
    private let events = Lock<[StreamID: [AgentEvent]]>([:])
    private let news = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - adjust: changes the loop's services, to look at what is scheduled.
    ///   - heard: is called on the loop with what is said.
    init(
        _ agents: [AgentConfiguration], library: GuideLibrary? = nil,
        adjust: @escaping @Sendable (inout LoopServices) -> Void = { _ in },
        heard: @escaping @Sendable (AgentEvent) -> Void = { _ in }
    ) throws {
        let mailbox = try Mailbox<BenchHandler>()
        let record: @Sendable (StreamID, AgentEvent) -> Void = { [events, news] id, event in
            events.withLock { $0[id, default: []].append(event) }
            heard(event)
            news.signal()
        }
        thread = try EventLoopThread.start(index: 0, mailbox: mailbox) { loop in
            let handler = BenchHandler(loop, record: record)
            var services = LoopServices(loop) { $0.host }
            adjust(&services)
            handler.host = try! AgentHost(
                agents: agents, defaultAgent: agents[0].agentType, services: services, library: library)
            return handler
        }
        self.mailbox = mailbox
    }

    convenience init(
        _ server: ScriptedServer, configure: (inout ModelSettings) -> Void = { _ in },
        connector: (ModelSettings) -> AgentConfiguration.Connector = { .openAI($0) },
        adjust: @escaping @Sendable (inout LoopServices) -> Void = { _ in },
        heard: @escaping @Sendable (AgentEvent) -> Void = { _ in }
    ) throws {
        var settings = ModelSettings(baseURL: server.baseURL, model: "some-model")
        settings.retryDelaySeconds = 0
        configure(&settings)
        try self.init(
            [AgentConfiguration(agentType: "model", connector: connector(settings))], adjust: adjust, heard: heard)
    }

    func start(_ turns: AgentTurn...) { mailbox.post(.start(turns)) }
    func start(_ turns: [AgentTurn]) { mailbox.post(.start(turns)) }
    func cancel(_ streams: String...) { mailbox.post(.cancel(streams.map { StreamID($0) })) }

    func release(_ count: Int, _ stream: String) { mailbox.post(.release(count, StreamID(stream))) }

    /// What a run has said by now, for good once the loop was stopped.
    func transcript(_ stream: String) -> Transcript {
        Transcript(events.withLock { $0[StreamID(stream)] ?? [] })
    }

    /// Waits until a run has said enough.
    func wait(for stream: String, until isEnough: (Transcript) -> Bool = { !$0.ends.isEmpty }) -> Transcript {
        while true {
            let transcript = transcript(stream)
            if isEnough(transcript) { return transcript }
            guard news.wait(timeout: .now() + .seconds(60)) == .success else {
                Issue.record("nothing came for too long")
                return transcript
            }
        }
    }

    /// Shuts the host down and ends the loop.
    func stop() {
        mailbox.post(.stop)
        thread.join()
    }
}

extension AgentTurn {
    static func asking(
        _ input: String = "Hello?", stream: String = "stream_1", agentType: String = "model",
        context: [ContextMessage] = [], roomMetadata: JSONObject = [:], messageMetadata: JSONObject = [:]
    ) -> AgentTurn {
        AgentTurn(
            streamID: StreamID(stream), roomID: RoomID("room_1"), sessionID: SessionID("session_1"),
            userID: UserID("ann"), agentType: agentType, input: input, context: context, roomName: "Kitchen",
            roomMetadata: roomMetadata, messageMetadata: messageMetadata,
            startedAt: Timestamp(milliseconds: 1_769_853_600_000))
    }
}
