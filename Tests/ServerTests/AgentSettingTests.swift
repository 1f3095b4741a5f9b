import Agents
import ChatProtocol
import Glibc
import Testing

@testable import Server

@Suite struct AgentSettingTests {
    private func agent(_ connector: String, _ more: String) -> String {
        #"{"agents":[{"agent_type":"a","connector":"\#(connector)",\#(more)}]}"#
    }

    private func environment(of more: String, hub: [String: String]) throws -> [String: String] {
        let file = agent("command", #""command":["sh"]"# + more)
        let agents = try load(fromFile, environment: hub, file: file).agents
        guard case .command(let settings)? = agents.last?.connector else { return [:] }
        return settings.environment
    }

    @Test func aProgramGetsWhatProgramsNeedAndNoKeys() throws {
        let usual = [
            "PATH": "/bin", "HOME": "/h", "USER": "ada", "LOGNAME": "ada", "SHELL": "/bin/sh", "LANG": "C",
            "LANGUAGE": "en", "LC_ALL": "C", "LC_TIME": "de_DE", "TZ": "UTC", "TMPDIR": "/tmp",
        ]
        let others = [
            "MODEL_API_KEY": "secret", "HUBBUB_PORT": "80", "LD_PRELOAD": "x.so", "PYTHONPATH": "/x", "LCX": "no",
            "http_proxy": "http://user:password@proxy",
        ]
        #expect(try environment(of: "", hub: usual.merging(others) { $1 }) == usual)
    }

    @Test func itGetsMoreByNameOrValue() throws {
        let more = #","pass_env":["TOOL_KEY","HOME"],"env":{"MODE":"fast","LANG":"C","_x1":""}"#
        let hub = ["PATH": "/bin", "HOME": "/h", "TOOL_KEY": "secret", "OTHER_KEY": "no", "LANG": "de"]
        #expect(
            try environment(of: more, hub: hub) == [
                "PATH": "/bin", "HOME": "/h", "TOOL_KEY": "secret", "MODE": "fast", "LANG": "C", "_x1": "",
            ])
    }

    static let faults: [(connector: String, more: String, sentence: String)] = [
        ("command", #""command":["sh"],"env":["A"]"#, #"env: must be an object such as {"NAME": "value"}"#),
        ("command", #""command":["sh"],"env":{"A":1}"#, "env.A: must be a string"),
        ("command", #""command":["sh"],"env":{"A":"\u0000"}"#, "env.A: must be a string"),
        (
            "command", #""command":["sh"],"env":{"A=B":""}"#,
            "env.A=B: must be a name of letters, digits and underscores"
        ),
        ("command", #""command":["sh"],"env":{"1A":""}"#, "env.1A: must be a name of letters, digits and underscores"),
        ("command", #""command":["sh"],"pass_env":"A""#, "pass_env: must be a list of names of environment variables"),
        ("command", #""command":["sh"],"pass_env":[1]"#, "pass_env: must be a list of names of environment variables"),
        ("command", #""command":["sh"],"pass_env":["NONE"]"#, "pass_env: the environment variable NONE is not set"),
        (
            "command", #""command":["sh"],"args":[]"#,
            #"args: unknown; the program and its arguments are one list: "command": ["python3", "agent.py"]"#
        ),
        ("command", #""command":["sh"],"cwd":"/""#, "cwd: unknown; a program runs in the hub's directory"),
        (
            "openai", #""base_url":"http://x","model":"m","api_key":"k""#,
            "api_key: unknown; put the key into an environment variable, and name that: "
                + #""api_key_env": "MODEL_API_KEY""#
        ),
        (
            "openai", #""base_url":"http://x","model":"m","temperature":1"#,
            #"temperature: unknown; what the model's server is to get belongs into "parameters": {"temperature": …}"#
        ),
        (
            "anthropic", #""base_url":"http://x","model":"m","top_p":1"#,
            #"top_p: unknown; what the model's server is to get belongs into "parameters": {"top_p": …}"#
        ),
        ("openai", #""url":"http://x","model":"m""#, "url: unknown; the server's address is base_url"),
    ]

    @Test(arguments: faults) func saysWhereAKeyBelongs(connector: String, more: String, sentence: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try load(fromFile, environment: ["PATH": "/bin"], file: agent(connector, more))
        }
        #expect(error?.description == "hubbub.json: agents[0].\(sentence)")
    }

    @Test func variablesThatLookLikeOursAreNamed() {
        let environment = [
            "HUBBUB_PROT": "80", "HUBBUB_BINARY": "x", "HUBBUB_PORT": "80", "HUBBUB_LOGLEVEL": "debug", "HOME": "/h",
            "HUBBUB_": "",
        ]
        #expect(
            Configuration.unknownVariables(in: environment) == [
                "HUBBUB_: no such setting, so it is ignored",
                "HUBBUB_BINARY: no such setting, so it is ignored",
                "HUBBUB_LOGLEVEL: no such setting, so it is ignored; did you mean HUBBUB_LOG_LEVEL?",
                "HUBBUB_PROT: no such setting, so it is ignored; did you mean HUBBUB_PORT?",
            ])
        for setting in Setting.allCases {
            #expect(Configuration.unknownVariables(in: [setting.variable: "1"]) == [])
        }
    }

    @Test func theStartSaysWhatIsNotAsUsual() throws {
        let file = """
            {"agents":[{"agent_type":"paper","connector":"openai","base_url":"http://key@h/v1","model":"m"},
             {"agent_type":"tool","connector":"command","command":["no-such-program"]},
             {"agent_type":"path","connector":"command","command":["/dev/null"]},
             {"agent_type":"good","connector":"command","command":["sh"]}],
             "limits":{"drain_seconds":3,"rooms_per_user":50}}
            """
        let configuration = try load(fromFile, file: file)
        #expect(StartReport.changedLimits(configuration.limits) == "drain_seconds=3")
        #expect(StartReport.changedLimits(Limits()) == "")
        #expect(
            StartReport.agents(configuration)
                == "guide (guide), paper (openai m), tool (command), path (command), good (command)")
        let missing = StartReport.missingPrograms(configuration, path: "/usr/bin:/bin")
        #expect(missing.map(\.agentType) == ["tool", "path"])
        #expect(
            missing.map(\.reason)
                == ["no folder of PATH has a program no-such-program", "there is no program /dev/null"])
        #expect(StartReport.missingPrograms(configuration, path: "/nowhere").count == 3)
        #expect(StartReport.missingPrograms(configuration, path: nil).count == 2)
    }

    @Test func aHangUpStopsAHubWhoseTerminalIsGone() {
        let cases: [(signal: Int32, hadTerminal: Bool, isDraining: Bool, stops: Bool)] = [
            (SIGTERM, false, false, true), (SIGTERM, true, true, true), (SIGINT, false, true, true),
            (SIGHUP, false, false, false), (SIGHUP, true, false, true), (SIGHUP, true, true, false),
        ]
        for (signal, hadTerminal, isDraining, stops) in cases {
            #expect(StopSignals(hadTerminal: hadTerminal, isDraining: isDraining).stops(signal) == stops)
        }
    }

    @Test func theReserveOfDescriptorsFollowsTheStreams() {
        var limits = Limits()
        #expect(limits.reservedDescriptors(of: 1_048_576) == 32 + 500 * 3)
        #expect(limits.reservedDescriptors(of: 1_024) == 512, "at most half")
        limits.streamsPerNode = 10
        #expect(limits.reservedDescriptors(of: 1_024) == 62)
        #expect(limits.reservedDescriptors(of: 0) == 0)
    }
}
