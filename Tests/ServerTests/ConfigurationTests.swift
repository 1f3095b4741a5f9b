import Agents
import Chat
import ChatProtocol
import Glibc
import Testing
import Wire

@testable import Server

/// Loads a configuration from values; `hubbub.json` is the only file there is.
func load(
    _ arguments: [String] = [], environment: [String: String] = [:], file: String? = nil
) throws(ConfigurationError) -> Configuration {
    let sources = ConfigurationSources(
        arguments: arguments, environment: ["HOME": "/srv/ada"].merging(environment) { $1 }, cores: 4,
        readFile: { path in
            guard let file, path == "hubbub.json" else { return .failure(.system(ENOENT)) }
            return .success(Array(file.utf8))
        })
    return try Configuration.load(sources)
}

let fromFile = ["--config", "hubbub.json"]

@Suite struct ConfigurationTests {
    @Test func withoutAWordTheDefaultsHold() throws {
        let configuration = try load()
        #expect(configuration.host == "127.0.0.1")
        #expect(configuration.port == 8080)
        #expect(configuration.loops == 4)
        #expect(configuration.dataDirectory == "/srv/ada/.local/share/hubbub")
        #expect(configuration.defaultAgent == "guide")
        #expect(configuration.agents.map(\.agentType) == ["guide"])
        #expect(configuration.limits == Limits())
        #expect(!configuration.offersDiagnostics && !configuration.allowsOpen && configuration.origins.isEmpty)
        #expect(!configuration.offersSynthetic)
    }

    @Test(arguments: [
        (["--port", "1"], ["HUBBUB_PORT": "2"], #"{"port":3}"#, 1),
        (["--port=1"], ["HUBBUB_PORT": "2"], "{}", 1),
        (["--port", "9", "--port", "1"], [:], "{}", 1),
        ([], ["HUBBUB_PORT": "2"], #"{"port":3}"#, 2),
        ([], ["HUBBUB_PORT": ""], #"{"port":3}"#, 3),
        ([], [:], #"{"port":3}"#, 3),
        ([], [:], "{}", 8080),
        ([], ["HUBBUB_PORT": "0"], "{}", 0),
    ]) func flagsWinOverTheEnvironmentAndThatOverTheFile(
        flags: [String], environment: [String: String], file: String, port: UInt16
    ) throws {
        #expect(try load(flags + fromFile, environment: environment, file: file).port == port)
    }

    @Test func theFileMayBeNamedByTheEnvironment() throws {
        let configuration = try load(environment: ["HUBBUB_CONFIG": "hubbub.json"], file: #"{"loops":2}"#)
        #expect(configuration.loops == 2)
        #expect(configuration.configFile == "hubbub.json")
    }

    @Test func everySettingCanBeSaidInEachWay() throws {
        let file = """
            {"host":"::1","port":9000,"data":"/d","loops":2,"docs":"docs","diagnostics":true,"synthetic":true,
             "log_level":"debug","default_agent":"guide","origins":["https://a.example","http://b.example:81"],
             "allow_open":true,"no_io_uring":true}
            """
        let flags = [
            "--host", "::1", "--port", "9000", "--data", "/d", "--loops", "2", "--docs", "docs", "--diagnostics",
            "--synthetic", "--log-level", "debug", "--default-agent", "guide", "--origins",
            "https://A.example,http://b.example:81", "--allow-open", "--no-io-uring",
        ]
        let environment = [
            "HUBBUB_HOST": "::1", "HUBBUB_PORT": "9000", "HUBBUB_DATA": "/d", "HUBBUB_LOOPS": "2",
            "HUBBUB_DOCS": "docs", "HUBBUB_DIAGNOSTICS": "1", "HUBBUB_SYNTHETIC": "1",
            "HUBBUB_LOG_LEVEL": "debug", "HUBBUB_DEFAULT_AGENT": "guide",
            "HUBBUB_ORIGINS": "https://a.example,http://b.example:81",
            "HUBBUB_ALLOW_OPEN": "true", "HUBBUB_NO_IO_URING": "true",
        ]
        for configuration in [try load(fromFile, file: file), try load(flags), try load(environment: environment)] {
            #expect(configuration.host == "::1")
            #expect(configuration.port == 9000)
            #expect(configuration.dataDirectory == "/d")
            #expect(configuration.loops == 2)
            #expect(configuration.docsDirectory == "docs")
            #expect(configuration.offersDiagnostics && configuration.offersSynthetic)
            #expect(configuration.logLevel == .debug)
            #expect(configuration.origins == ["https://a.example", "http://b.example:81"])
            #expect(configuration.allowsOpen && !configuration.usesRing)
        }
        #expect(Setting.allCases.count == 13)
    }

    @Test func agentsComeFromTheFileAndTheGuideIsAlwaysThere() throws {
        let file = """
            {"default_agent":"paper","agents":[{"agent_type":"paper","connector":"openai",
             "base_url":"http://127.0.0.1:4000/v1/","model":"m","api_key_env":"KEY","system_prompt":"You answer.",
             "parameters":{"temperature":0.5}}],"limits":{"agent_silent_seconds":90}}
            """
        let configuration = try load(fromFile + ["--docs", "d"], environment: ["KEY": "secret"], file: file)
        #expect(configuration.agents.map(\.agentType) == ["guide", "paper"])
        guard case .guide("d") = configuration.agents[0].connector,
            case .openAI(let settings) = configuration.agents[1].connector
        else {
            Issue.record("other connectors")
            return
        }
        #expect(settings.baseURL == "http://127.0.0.1:4000/v1")
        #expect(settings.model == "m")
        #expect(settings.apiKey == "secret")
        #expect(settings.systemPrompt == "You answer.")
        #expect(settings.parameters == ["temperature": 0.5])
        #expect(settings.firstTokenTimeoutSeconds == 90)
        #expect(settings.stallTimeoutSeconds == 90)
    }

    @Test func anAnthropicAgentHasItsLimitOfTokens() throws {
        let file = """
            {"agents":[{"agent_type":"a","connector":"anthropic","base_url":"https://h/v1","model":"m",
             "max_tokens":100,"parameters":{"top_k":5}}],"limits":{"agent_silent_seconds":90}}
            """
        guard case .anthropic(let settings) = try load(fromFile, file: file).agents[1].connector else {
            Issue.record("another connector")
            return
        }
        #expect(settings.baseURL == "https://h/v1")
        #expect(settings.parameters == ["top_k": 5, "max_tokens": 100])
        #expect(settings.stallTimeoutSeconds == 90)
    }

    @Test func aCommandIsAListOfWords() throws {
        let file = """
            {"agents":[{"agent_type":"a","connector":"command","command":["python3","agent.py",""]}],
             "limits":{"agent_silent_seconds":90}}
            """
        guard case .command(let settings) = try load(fromFile, file: file).agents[1].connector else {
            Issue.record("another connector")
            return
        }
        #expect(settings.command == ["python3", "agent.py", ""])
        #expect(settings.silentTimeoutSeconds == 90)
        #expect(settings.terminationGraceSeconds == 2)
    }

    @Test func theSyntheticAgentIsThereOnRequest() throws {
        let file = #"{"agents":[{"agent_type":"load","connector":"synthetic"}]}"#
        #expect(try load(["--synthetic"]).agents.map(\.agentType) == ["guide", "synthetic"])
        let configuration = try load(fromFile + ["--synthetic"], file: file)
        #expect(configuration.agents.map(\.agentType) == ["guide", "load", "synthetic"])
        for agent in configuration.agents.dropFirst() {
            guard case .synthetic = agent.connector else {
                Issue.record("\(agent.agentType) has another connector")
                continue
            }
        }
        let own = #"{"synthetic":true,"agents":[{"agent_type":"synthetic","connector":"command","command":["a"]}]}"#
        #expect(try load(fromFile, file: own).agents.map(\.agentType) == ["guide", "synthetic"])
    }

    @Test(arguments: ["[]", #"[""]"#, #""sh""#, #"["sh",1]"#, #"["sh","\u0000"]"#, "null"])
    func aCommandIsNothingElse(_ command: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try load(
                fromFile, file: #"{"agents":[{"agent_type":"a","connector":"command","command":\#(command)}]}"#)
        }
        #expect(
            error?.description
                == "hubbub.json: agents[0].command: must be a list of strings: a program and its arguments")
    }

    @Test func routesComeFromTheFile() throws {
        let file = """
            {"routes":[{"agent_type":"b","keywords":["invoice","credit card"]},
             {"agent_type":"guide","keywords":["help"]}],"agents":[{"agent_type":"b","connector":"guide"}]}
            """
        #expect(
            try load(fromFile, file: file).routes == [
                AgentRouter.Rule(agentType: "b", keywords: ["invoice", "credit card"]),
                AgentRouter.Rule(agentType: "guide", keywords: ["help"]),
            ])
    }

    @Test func aGuideOfOnesOwnReplacesTheBuiltInOne() throws {
        let file = #"{"agents":[{"agent_type":"guide","connector":"guide","docs":"handbook"}]}"#
        let configuration = try load(fromFile, file: file)
        #expect(configuration.agents.count == 1)
        guard case .guide("handbook") = configuration.agents[0].connector else {
            Issue.record("another connector")
            return
        }
    }

    @Test func everyLimitThatMayChangeHasItsKey() throws {
        let names = Mirror(reflecting: Limits()).children.compactMap(\.label).map { name in
            name.reduce(into: "") { key, letter in
                key += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
            }
        }
        #expect(LimitSetting.all.map(\.key).sorted() == names.sorted())
        for limit in LimitSetting.all {
            #expect(limit.range.contains(Limits()[keyPath: limit.field]), "\(limit.key)")
            let file = #"{"limits":{"\#(limit.key)":\#(limit.range.upperBound)}}"#
            #expect(try load(fromFile, file: file).limits[keyPath: limit.field] == limit.range.upperBound)
        }
    }

    @Test(arguments: [
        (["XDG_DATA_HOME": "/x", "HOME": "/h"], "/x/hubbub"),
        (["XDG_DATA_HOME": "x", "HOME": "/h"], "/h/.local/share/hubbub"),
        (["HOME": "/h"], "/h/.local/share/hubbub"), (["HUBBUB_DATA": "d", "HOME": "/h"], "d"),
    ]) func dataGoesWhereTheDesktopKeepsIt(environment: [String: String], directory: String) throws {
        #expect(try Configuration.dataDirectory(nil, environment: environment) == directory)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.1.2.3", true), ("localhost", true), ("::1", true), ("0.0.0.0", false),
        ("::", false), ("192.168.1.1", false), ("128.0.0.1", false),
    ]) func onlyLoopbackIsOpenWithoutAWord(host: String, isLoopback: Bool) throws {
        let isAccepted = (try? load(["--host", host])) != nil
        #expect(isAccepted == isLoopback)
        let configuration = try load(["--host", host, "--allow-open"])
        #expect(configuration.isLoopback == isLoopback)
        let isWarned = configuration.warnings.contains { $0.hasPrefix("OPEN TO THE NETWORK") }
        #expect(isWarned == !isLoopback)
    }
}

struct FaultCase: CustomTestStringConvertible {
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var file: String?
    let sentence: String

    var testDescription: String { sentence }
}

@Suite struct ConfigurationErrorTests {
    static let flags: [FaultCase] = [
        FaultCase(arguments: ["--port", "80a"], sentence: #"--port: "80a" is not a number from 0 to 65535"#),
        FaultCase(arguments: ["--port", "65536"], sentence: #"--port: "65536" is not a number from 0 to 65535"#),
        FaultCase(arguments: ["--port"], sentence: "--port: needs a value"),
        FaultCase(arguments: ["--port="], sentence: "--port: needs a value"),
        FaultCase(arguments: ["--data", "--port", "1"], sentence: "--data: needs a value"),
        FaultCase(arguments: ["--prot", "80"], sentence: "--prot: unknown; did you mean --port?"),
        FaultCase(arguments: ["--log_level", "info"], sentence: "--log_level: unknown; did you mean --log-level?"),
        FaultCase(arguments: ["--frobnicate"], sentence: "--frobnicate: unknown"),
        FaultCase(arguments: ["8080"], sentence: "8080: unexpected argument"),
        FaultCase(arguments: ["--loops", "0"], sentence: #"--loops: "0" is not a number from 1 to 256"#),
        FaultCase(
            arguments: ["--diagnostics=maybe"], sentence: #"--diagnostics: "maybe" is not one of true, false"#),
        FaultCase(
            arguments: ["--log-level", "loud"],
            sentence: #"--log-level: "loud" is not one of debug, info, warning, error"#),
        FaultCase(
            arguments: ["--host", "example.org"],
            sentence: "--host: must be an IPv4 or IPv6 address, or localhost"),
        FaultCase(
            arguments: ["--origins", "https://a.example/page"],
            sentence: "--origins: must be origins such as https://example.org, without a path"),
        FaultCase(
            arguments: ["--default-agent", "poet"],
            sentence: #"--default-agent: no agent is called "poet"; there are: guide"#),
        FaultCase(
            arguments: ["--config", "none.json"],
            sentence: "none.json: cannot be read: No such file or directory"),
        FaultCase(
            arguments: ["--host", "0.0.0.0"],
            sentence: """
                --host: 0.0.0.0 can be reached from other machines, and there is no authentication yet; \
                use 127.0.0.1, or add --allow-open if everyone who can reach it may do everything
                """),
    ]

    static let variables: [FaultCase] = [
        FaultCase(
            environment: ["HUBBUB_PORT": "x"], sentence: #"HUBBUB_PORT: "x" is not a number from 0 to 65535"#),
        FaultCase(
            environment: ["HUBBUB_CONFIG": "none.json"],
            sentence: "none.json: cannot be read: No such file or directory"),
        FaultCase(
            environment: ["HUBBUB_ALLOW_OPEN": "yes"],
            sentence: #"HUBBUB_ALLOW_OPEN: "yes" is not one of true, false"#),
        FaultCase(
            environment: ["HOME": ""],
            sentence: "--data: must be given, because neither XDG_DATA_HOME nor HOME is set"),
    ]

    static let files: [FaultCase] = [
        FaultCase(file: "[]", sentence: "hubbub.json: must be a JSON object"),
        FaultCase(
            file: "{\n  \"port\": 80,\n}", sentence: "hubbub.json: line 3: not valid JSON (unexpected character)"),
        FaultCase(file: "{", sentence: "hubbub.json: line 1: not valid JSON (it ends too early)"),
        FaultCase(file: #"{"prot":80}"#, sentence: "hubbub.json: prot: unknown; did you mean port?"),
        FaultCase(file: #"{"config":"a"}"#, sentence: "hubbub.json: config: unknown"),
        FaultCase(file: #"{"port":"80"}"#, sentence: "hubbub.json: port: must be a number"),
        FaultCase(
            file: #"{"port":70000}"#, sentence: #"hubbub.json: port: "70000" is not a number from 0 to 65535"#),
        FaultCase(file: #"{"host":7}"#, sentence: "hubbub.json: host: must be a string"),
        FaultCase(file: #"{"host":""}"#, sentence: "hubbub.json: host: needs a value"),
        FaultCase(file: #"{"diagnostics":1}"#, sentence: "hubbub.json: diagnostics: must be true or false"),
        FaultCase(file: #"{"origins":[1]}"#, sentence: "hubbub.json: origins: must be a list of strings"),
        FaultCase(
            file: #"{"default_agent":"poet"}"#,
            sentence: #"hubbub.json: default_agent: no agent is called "poet"; there are: guide"#),
        FaultCase(file: #"{"limits":[]}"#, sentence: "hubbub.json: limits: must be an object"),
        FaultCase(
            file: #"{"limits":{"room_per_user":1}}"#,
            sentence: "hubbub.json: limits.room_per_user: unknown; did you mean rooms_per_user?"),
        FaultCase(
            file: #"{"limits":{"streams_per_user":0}}"#,
            sentence: "hubbub.json: limits.streams_per_user: must be a whole number from 1 to 1000000000"),
        FaultCase(
            file: #"{"limits":{"drain_seconds":1.5}}"#,
            sentence: "hubbub.json: limits.drain_seconds: must be a whole number from 0 to 86400"),
        FaultCase(file: #"{"routes":{}}"#, sentence: "hubbub.json: routes: must be a list of objects"),
        FaultCase(file: #"{"routes":[7]}"#, sentence: "hubbub.json: routes[0]: must be an object"),
        FaultCase(
            file: #"{"routes":[{"keywords":["a"]}]}"#, sentence: "hubbub.json: routes[0].agent_type: is missing"),
        FaultCase(
            file: #"{"routes":[{"agent_type":"guide"}]}"#, sentence: "hubbub.json: routes[0].keywords: is missing"),
        FaultCase(
            file: #"{"routes":[{"agent_type":"guide","keywords":["a","?!"]}]}"#,
            sentence: "hubbub.json: routes[0].keywords: must be a list of strings, each with a word in it"),
        FaultCase(
            file: #"{"routes":[{"agent_type":"guide","keyword":["a"]}]}"#,
            sentence: "hubbub.json: routes[0].keyword: unknown; did you mean keywords?"),
        FaultCase(
            file: #"{"routes":[{"agent_type":"poet","keywords":["rhyme"]}]}"#,
            sentence: #"hubbub.json: routes[0].agent_type: no agent is called "poet"; there are: guide"#),
        FaultCase(file: #"{"agents":{}}"#, sentence: "hubbub.json: agents: must be a list of objects"),
        FaultCase(file: #"{"agents":[7]}"#, sentence: "hubbub.json: agents[0]: must be an object"),
        FaultCase(
            file: #"{"agents":[{"connector":"guide"}]}"#, sentence: "hubbub.json: agents[0].agent_type: is missing"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a b","connector":"guide"}]}"#,
            sentence: "hubbub.json: agents[0].agent_type: must be 1 to 64 letters, digits, hyphens or underscores"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"smoke"}]}"#,
            sentence: #"hubbub.json: agents[0].connector: "smoke" is not one of guide, openai, anthropic, command, "#
                + "synthetic"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"synthetic"}]}"#,
            sentence: #"hubbub.json: agents: "a" has the connector "synthetic", which is for load tests; "#
                + "start with --synthetic to allow it"),
        FaultCase(
            arguments: ["--synthetic"], file: #"{"agents":[{"agent_type":"a","connector":"synthetic","rate":1}]}"#,
            sentence: "hubbub.json: agents[0].rate: unknown"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"guide"},{"agent_type":"a","connector":"guide"}]}"#,
            sentence: #"hubbub.json: agents[1].agent_type: "a" is there twice"#),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"openai","model":"m"}]}"#,
            sentence: "hubbub.json: agents[0].base_url: is missing"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"guide"},"#
                + #"{"agent_type":"b","connector":"openai","base_url":"ftp://x","model":"m"}]}"#,
            sentence: "hubbub.json: agents[1].base_url: must be an http or https URL"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"openai","base_url":"http://x","modle":"m"}]}"#,
            sentence: "hubbub.json: agents[0].modle: unknown; did you mean model?"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"openai","base_url":"http://x","max_tokens":1}]}"#,
            sentence: "hubbub.json: agents[0].max_tokens: unknown; what the model's server is to get belongs into "
                + #""parameters": {"max_tokens": …}"#),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"command"}]}"#,
            sentence: "hubbub.json: agents[0].command: is missing"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"command","command":["sh"],"model":"m"}]}"#,
            sentence: "hubbub.json: agents[0].model: unknown"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"anthropic","base_url":"http://x","model":"m","#
                + #""max_tokens":0}]}"#,
            sentence: "hubbub.json: agents[0].max_tokens: must be a whole number above 0"),
        FaultCase(
            file: #"{"agents":[{"agent_type":"a","connector":"openai","base_url":"http://x","model":"m","#
                + #""api_key_env":"MODEL_API_KEY"}]}"#,
            sentence: "hubbub.json: agents[0].api_key_env: the environment variable MODEL_API_KEY is not set"),
    ]

    @Test(arguments: flags + variables + files) func saysWhereAndWhat(_ example: FaultCase) {
        let error = #expect(throws: ConfigurationError.self) {
            try load(
                example.arguments + (example.file == nil ? [] : fromFile), environment: example.environment,
                file: example.file)
        }
        #expect(error?.description == example.sentence)
    }

    @Test func aRefusalStaysOnOneLine() {
        let error = #expect(throws: ConfigurationError.self) { try load(["=\r\n"]) }
        #expect(error?.description == #"=\u{d}\u{a}: unexpected argument"#)
    }

    @Test func onlyTheCommandLinesFaultsAreUsage() {
        #expect(ConfigurationError(.commandLine("--port"), .needsValue).isUsage)
        #expect(!ConfigurationError(.variable("HUBBUB_PORT"), .needsValue).isUsage)
        #expect(!ConfigurationError(.file("hubbub.json", key: nil), .needsValue).isUsage)
    }

    @Test func realFilesAreReadAndMissingOnesNamed() {
        #expect(ConfigurationSources.readFile("/dev/null") == .success([]))
        #expect(ConfigurationSources.readFile("/dev/null/none") == .failure(.system(ENOTDIR)))
        #expect(ConfigurationSources.readFile("/dev/zero") == .failure(.tooLarge(bytesMax: 1 << 20)))
    }
}
