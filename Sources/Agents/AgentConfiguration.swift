import Wire

/// One agent: a name that messages ask for, and what answers there.
public struct AgentConfiguration: Sendable {
    /// What connects an agent to the hub.
    public enum Connector: Sendable {
        /// The built-in guide: answers from a folder of Markdown, or from the hub's own documentation if there is none.
        case guide(docsDirectory: String?)
        /// A server that speaks OpenAI's chat completions.
        case openAI(ModelSettings)
        /// A server that speaks Anthropic's messages. `max_tokens` is one of its parameters.
        case anthropic(ModelSettings)
        /// A program, started once for each turn.
        case command(CommandSettings)
        /// Says what the message's script asks for; for load tests.
        case synthetic
    }

    /// The agent's name, as messages and rooms give it.
    public var agentType: String
    /// What answers.
    public var connector: Connector

    /// An agent.
    public init(agentType: String, connector: Connector) {
        self.agentType = agentType
        self.connector = connector
    }
}

/// How to reach a model behind HTTP, whichever API it speaks.
public struct ModelSettings: Sendable {
    /// `http` or `https`, up to and without `/chat/completions` or `/messages`; so usually up to `/v1`.
    public var baseURL: String
    /// The model's name, as the server knows it.
    public var model: String
    /// The key's value, already taken from the environment. It appears in no event, error or log.
    public var apiKey: String?
    /// What the model is told before the conversation. Names in double braces, such as `{{user_id}}`, stand for facts.
    public var systemPrompt: String?
    /// Members of the request's body, such as `temperature`. `model`, `messages` and `stream` are the hub's;
    /// for OpenAI's, `stream_options` set to `null` leaves that member out, for servers that refuse it.
    public var parameters: JSONObject
    /// How long DNS, TCP and TLS may take together.
    public var connectTimeoutSeconds: Double = 5
    /// How long the model may be silent before its first token, retries included.
    public var firstTokenTimeoutSeconds: Double = 60
    /// How long the model may be silent between tokens.
    public var stallTimeoutSeconds: Double = 60
    /// How often a request is made again that failed before its first token for a reason that may pass.
    public var retries = 2
    /// The wait before the first retry; it doubles each time.
    public var retryDelaySeconds = 0.5

    /// The longest wait before a retry. A server that asks for more (`Retry-After`) is not asked again.
    static let retryDelaySecondsMax = 10.0

    /// A model at a server, with the default time limits.
    public init(
        baseURL: String, model: String, apiKey: String? = nil, systemPrompt: String? = nil,
        parameters: JSONObject = JSONObject()
    ) {
        self.baseURL = baseURL
        self.model = model
        self.apiKey = apiKey
        self.systemPrompt = systemPrompt
        self.parameters = parameters
    }
}

extension ModelSettings: CustomStringConvertible, CustomDebugStringConvertible {
    /// The model and where it is; never the key, whoever prints a configuration.
    public var description: String { "\(model) at \(baseURL)" }
    /// The same as `description`.
    public var debugDescription: String { description }
}
