import Chat
import ChatProtocol
import Testing

@testable import Agents

struct AgentHostTests {
    private static func model(_ agentType: String, url: String = "https://h/v1", key: String? = nil)
        -> AgentConfiguration
    {
        AgentConfiguration(
            agentType: agentType, connector: .openAI(ModelSettings(baseURL: url, model: "m", apiKey: key)))
    }

    private static func program(_ agentType: String, _ command: String...) -> AgentConfiguration {
        AgentConfiguration(agentType: agentType, connector: .command(CommandSettings(command: command)))
    }

    /// Services that nothing uses before the first turn.
    private static var unused: LoopServices {
        LoopServices(
            clock: { 0 }, watch: { _, _, _ in false }, unwatch: { _ in }, schedule: { _, _ in fatalError("unused") },
            cancel: { _ in }, submit: { _ in })
    }

    @Test(arguments: [
        ([model("a"), model("a")], AgentConfigurationError.duplicateAgent("a")),
        ([model("b")], .unknownDefault("a")),
        ([], .unknownDefault("a")),
        ([model("a", url: "ftp://h")], .invalidBaseURL(agentType: "a")),
        ([model("a", url: "https://h/ v1")], .invalidBaseURL(agentType: "a")),
        ([model("a", key: "k\r\nX: y")], .invalidKey(agentType: "a")),
        ([program("a")], .invalidCommand(agentType: "a")), ([program("a", "")], .invalidCommand(agentType: "a")),
        ([program("a", "sh", "\0")], .invalidCommand(agentType: "a")),
        (
            [model("a"), AgentConfiguration(agentType: "g", connector: .guide(docsDirectory: nil))],
            .missingLibrary(agentType: "g")
        ),
    ])
    func refusesAConfiguration(_ agents: [AgentConfiguration], _ error: AgentConfigurationError) {
        #expect(throws: error) {
            try AgentHost(agents: agents, defaultAgent: "a", services: Self.unused, library: nil)
        }
    }

    @Test func namesTheDefaultFirst() throws {
        let host = try AgentHost(
            agents: [Self.model("a"), Self.model("b")], defaultAgent: "b", services: Self.unused, library: nil)
        #expect(host.agentTypes == ["b", "a"])
    }

    @Test func failsATurnForAnUnknownAgent() throws {
        let bench = try AgentBench([Self.model("a")])
        bench.start(.asking(agentType: "z"))
        #expect(bench.wait(for: "stream_1").ends == [.failed(.agentFailed, "there is no agent \"z\"")])
        bench.cancel("stream_1")
        bench.stop()
        #expect(bench.transcript("stream_1").ends.count == 1)
    }
}
