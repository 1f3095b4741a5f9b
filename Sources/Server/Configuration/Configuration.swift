import Agents
import Chat
import ChatProtocol
import Telemetry

/// Everything the hub is told at its start.
///
/// `Configuration.load` makes one from flags, environment, file and defaults, in this order of precedence.
public struct Configuration: Sendable {
    /// The name of the agent that is always there.
    static let guideType = "guide"
    /// The name of the load test's agent, where it is offered.
    static let syntheticType = "synthetic"

    /// The address to listen on.
    public var host = "127.0.0.1"
    /// The port to listen on; 0 takes a free one.
    public var port: UInt16 = 8080
    /// Where `hubbub.db` lives.
    public var dataDirectory: String
    /// Event loops, one thread each.
    public var loops: Int
    /// The JSON file that was read, if there was one.
    public var configFile: String?
    /// A folder of Markdown for the guide; without it the guide answers from its own pages.
    public var docsDirectory: String?
    /// Whether `/ws/echo` exists.
    public var offersDiagnostics = false
    /// Whether there is an agent for load tests, and the frame `release`.
    public var offersSynthetic = false
    /// Less important lines are not written.
    public var logLevel = Log.Level.info
    /// Whether the hub may listen beyond loopback although it knows no keys.
    public var allowsOpen = false
    /// Whether what many watchers get is sent with io_uring, where the kernel has it.
    public var usesRing = true
    /// Browser origins beside the hub's own, such as `https://example.org`; their hosts are names of the hub too.
    public var origins: [String] = []
    /// The agent of a send that names none, in a room that names none.
    public var defaultAgent = Configuration.guideType
    /// Every agent; the guide is always among them.
    public var agents: [AgentConfiguration] = []
    /// Which agent gets a message by its words, where neither it nor its room names one; the first that matches.
    public var routes: [AgentRouter.Rule] = []
    /// Every limit that may be changed.
    public var limits = Limits()

    /// The defaults, for a data directory and a number of loops.
    public init(dataDirectory: String, loops: Int) {
        self.dataDirectory = dataDirectory
        self.loops = loops
    }

    /// Whether `host` can be reached from this machine only.
    public var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// What the operator should read before anything else at the start.
    public var warnings: [String] {
        if isLoopback { return ["open mode: no authentication; only this machine can connect"] }
        return [
            "OPEN TO THE NETWORK: no authentication, and --allow-open was given. "
                + "Whoever reaches \(host) port \(port) can read, change and delete as any user."
        ]
    }
}
