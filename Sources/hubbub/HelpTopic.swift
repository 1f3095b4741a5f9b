import Server

/// A page of help.
enum HelpTopic: String, CaseIterable {
    case overview = "help"
    case serve, migrate, version

    /// The page, ready to print.
    var text: String {
        switch self {
        case .overview: Self.overviewText
        case .serve: Self.serveText
        case .migrate: Self.migrateText
        case .version: "Usage: hubbub version\n\nPrints which Hubbub this is.\n"
        }
    }

    private static let overviewText = """
        Hubbub \(Version.current): a self-hosted hub for conversations between people and AI agents.

        Usage: hubbub COMMAND [OPTIONS]

        Commands:
          serve      run the hub; open http://127.0.0.1:8080 and write
          migrate    bring the database's schema up, back down, or show where it is
          version    print the version
          help       explain a command: hubbub help serve

        Start with: hubbub serve

        """

    private static let serveText = """
        Usage: hubbub serve [OPTIONS]

        Runs the hub until it gets SIGTERM or SIGINT. Prints "listening on http://HOST:PORT" when it is ready.

        Options (default in parentheses):
        \(options)

        Each option has an environment variable, \(Setting.port.variable) for \(Setting.port.flag), and a key in the
        configuration file, "\(Setting.allowOpen.rawValue)" for \(Setting.allowOpen.flag).
        Options win over variables, variables over the file.
        There is no authentication yet: without --allow-open the hub listens on loopback only.

        A configuration file (limits and keys that are left out keep their defaults):
          {
            "port": 8080,
            "default_agent": "writer",
            "agents": [
              { "agent_type": "writer", "connector": "openai", "base_url": "http://127.0.0.1:4000/v1",
                "model": "some-model", "api_key_env": "MODEL_API_KEY", "system_prompt": "You write." },
              { "agent_type": "claude", "connector": "anthropic", "base_url": "https://api.anthropic.com/v1",
                "model": "some-model", "api_key_env": "ANTHROPIC_API_KEY", "max_tokens": 8192 },
              { "agent_type": "tool", "connector": "command", "command": ["python3", "agent.py"] },
              { "agent_type": "handbook", "connector": "guide", "docs": "handbook" }
            ],
            "routes": [{ "agent_type": "handbook", "keywords": ["holiday", "sick leave"] }],
            "limits": { "rooms_per_user": 50, "streams_per_user": 5 }
          }

        Examples:
          hubbub serve                                   a hub with its built-in guide
          hubbub serve --docs ./handbook                 the guide answers from your own Markdown
          hubbub serve --config hubbub.json              your own agents
          \(Setting.port.variable)=9000 hubbub serve --data /var/lib/hubbub

        """

    private static let migrateText = """
        Usage: hubbub migrate [up | down N | status] [--data DIR]

        Changes the schema of the database in the data directory; stop the hub first.
        "serve" does "up" by itself.

          up         to the newest version (the default)
          down N     back to version N; what only newer versions can hold is lost
          status     print the version it has and the newest one

        Options:
          \(line(.data))

        Examples:
          hubbub migrate status
          hubbub migrate down 1 --data /var/lib/hubbub

        """

    private static let options = Setting.allCases.map { "  " + line($0) }.joined(separator: "\n")

    private static func line(_ setting: Setting) -> String {
        let usage = setting.flag + (setting.placeholder.map { " " + $0 } ?? "")
        return usage + String(repeating: " ", count: max(1, 24 - usage.count)) + setting.help
    }
}
