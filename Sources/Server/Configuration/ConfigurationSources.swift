import Agents

/// Where a configuration comes from: flags win over the environment, the environment over the file, the file over
/// the defaults.
public struct ConfigurationSources {
    /// What stands behind the command's name.
    public var arguments: [String]
    /// The process's environment.
    public var environment: [String: String]
    /// Processor cores: the default number of loops.
    public var cores: Int
    /// Reads a whole file; the sentence says why it cannot.
    public var readFile: (String) -> Result<[UInt8], FileFault>

    /// Sources as values, so that tests need no process and no disk.
    public init(
        arguments: [String], environment: [String: String], cores: Int,
        readFile: @escaping (String) -> Result<[UInt8], FileFault> = ConfigurationSources.readFile
    ) {
        self.arguments = arguments
        self.environment = environment
        self.cores = cores
        self.readFile = readFile
    }
}

extension Configuration {
    /// Puts a configuration together and checks what only the whole can tell.
    public static func load(_ sources: ConfigurationSources) throws(ConfigurationError) -> Configuration {
        let flags = try FlagParser.parse(sources.arguments)
        var configuration = Configuration(dataDirectory: "", loops: max(1, sources.cores))
        let variables = Setting.allCases.compactMap { setting -> FlagParser.Flag? in
            guard let text = sources.environment[setting.variable], !text.isEmpty else { return nil }
            return FlagParser.Flag(setting: setting, text: text, place: .variable(setting.variable))
        }
        let said = variables + flags
        if let config = said.last(where: { $0.setting == .config }) {
            try configuration.applyFile(config, sources)
        }
        for flag in said {
            do throws(ConfigurationError.Fault) {
                try flag.setting.apply(flag.text, to: &configuration)
            } catch {
                throw ConfigurationError(flag.place, error)
            }
        }
        let configFile = configuration.configFile
        let place = { (setting: Setting) -> ConfigurationError.Place in
            said.last { $0.setting == setting }?.place
                ?? configFile.map { .file($0, key: setting.rawValue) } ?? .commandLine(setting.flag)
        }
        try configuration.complete(environment: sources.environment, place: place)
        return configuration
    }

    /// What to say of variables that look as if they were for the hub and are not: a sentence each, in the order of
    /// their names. No error, because others may have variables with that beginning: a test's, a container's.
    public static func unknownVariables(in environment: [String: String]) -> [String] {
        let known = Setting.allCases.map(\.variable)
        let unknown = environment.keys.filter { $0.hasPrefix(Setting.variablePrefix) && !known.contains($0) }
        return unknown.sorted().map { name in
            // The common beginning would make every name seem near.
            let word = String(name.dropFirst(Setting.variablePrefix.count))
            let words = known.map { String($0.dropFirst(Setting.variablePrefix.count)) }
            guard let nearest = Suggestion.nearest(to: word, among: words) else {
                return "\(name): no such setting, so it is ignored"
            }
            return "\(name): no such setting, so it is ignored; did you mean \(Setting.variablePrefix)\(nearest)?"
        }
    }

    /// The data directory alone, for commands that need no more.
    public static func dataDirectory(
        _ given: String?, environment: [String: String]
    ) throws(ConfigurationError) -> String {
        if let given = given ?? environment[Setting.data.variable], !given.isEmpty { return given }
        // The XDG specification wants relative paths ignored.
        if let home = environment["XDG_DATA_HOME"], home.hasPrefix("/") { return home + "/hubbub" }
        if let home = environment["HOME"], !home.isEmpty { return home + "/.local/share/hubbub" }
        throw ConfigurationError(.commandLine(Setting.data.flag), .noDataDirectory)
    }

    private mutating func applyFile(
        _ flag: FlagParser.Flag, _ sources: ConfigurationSources
    ) throws(ConfigurationError) {
        switch sources.readFile(flag.text) {
        case .success(let bytes):
            let file = try ConfigurationFile(path: flag.text, bytes: bytes, environment: sources.environment)
            try file.apply(to: &self)
        case .failure(let fault):
            throw ConfigurationError(.file(flag.text, key: nil), .unreadable(fault.sentence))
        }
    }

    private mutating func complete(
        environment: [String: String], place: (Setting) -> ConfigurationError.Place
    ) throws(ConfigurationError) {
        if dataDirectory.isEmpty {
            dataDirectory = try Configuration.dataDirectory(nil, environment: environment)
        }
        if !agents.contains(where: { $0.agentType == Self.guideType }) {
            let guide = AgentConfiguration.Connector.guide(docsDirectory: docsDirectory)
            agents.insert(AgentConfiguration(agentType: Self.guideType, connector: guide), at: 0)
        }
        try completeSynthetic()
        agents = agents.map { $0.silent(atMost: limits.agentSilentSeconds) }
        guard agents.contains(where: { $0.agentType == defaultAgent }) else {
            throw ConfigurationError(
                place(.defaultAgent), .noSuchAgent(defaultAgent, known: agents.map(\.agentType)))
        }
        let types = agents.map(\.agentType)
        for (index, route) in routes.enumerated() where !types.contains(route.agentType) {
            throw ConfigurationError(
                .file(configFile ?? "", key: "routes[\(index)].agent_type"),
                .noSuchAgent(route.agentType, known: types))
        }
        guard isLoopback || allowsOpen else {
            throw ConfigurationError(place(.host), .openBeyondLoopback(host: host))
        }
    }

    /// Adds the load test's agent if it was asked for; else nobody else may use its connector.
    private mutating func completeSynthetic() throws(ConfigurationError) {
        guard offersSynthetic else {
            for case (let name, .synthetic) in agents.map({ ($0.agentType, $0.connector) }) {
                throw ConfigurationError(.file(configFile ?? "", key: "agents"), .needsSynthetic(agentType: name))
            }
            return
        }
        guard !agents.contains(where: { $0.agentType == Self.syntheticType }) else { return }
        agents.append(AgentConfiguration(agentType: Self.syntheticType, connector: .synthetic))
    }
}

extension AgentConfiguration {
    /// The agent with the hub's limit of silence, before its first token and between tokens.
    fileprivate func silent(atMost seconds: Int) -> AgentConfiguration {
        var agent = self
        switch connector {
        case .guide, .synthetic: break
        case .openAI(let settings): agent.connector = .openAI(settings.silent(atMost: Double(seconds)))
        case .command(var settings):
            settings.silentTimeoutSeconds = Double(seconds)
            agent.connector = .command(settings)
        case .anthropic(let settings): agent.connector = .anthropic(settings.silent(atMost: Double(seconds)))
        }
        return agent
    }
}

extension ModelSettings {
    fileprivate func silent(atMost seconds: Double) -> ModelSettings {
        var settings = self
        settings.firstTokenTimeoutSeconds = seconds
        settings.stallTimeoutSeconds = seconds
        return settings
    }
}
