import Server

/// A page of help.
enum HelpTopic: String, CaseIterable {
    case overview = "help"
    case serve, migrate, backup, check, version

    /// The page, ready to print.
    var text: String {
        switch self {
        case .overview: Self.overviewText
        case .serve: Self.serveText
        case .migrate: Self.migrateText
        case .backup: Self.backupText
        case .check: Self.checkText
        case .version: "Usage: hubbub version\n\nPrints which Hubbub this is.\n"
        }
    }

    private static let overviewText = """
        Hubbub \(Version.current): a self-hosted hub for conversations between people and AI agents.

        Usage: hubbub COMMAND [OPTIONS]

        Commands:
          serve      run the hub; open http://127.0.0.1:8080 and write
          migrate    bring the database's schema up, back down, or show where it is
          backup     copy the database into a file while the hub runs
          check      look whether the database is sound
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

    private static let backupText = """
        Usage: hubbub backup FILE [--data DIR]

        Copies the database of the data directory into a new FILE, while the hub runs or not. The copy is one state of
        the database. It grows as FILE.partial and gets its name when it is complete and on disk; a file that is there
        is never overwritten.
        To restore, stop the hub and put the file into a data directory as hubbub.db, without hubbub.db-wal beside it.

        Options:
          \(line(.data))

        Exit codes: 0 the copy is complete, 1 it could not be made, 2 the command line is wrong, 130 broken off.

        Examples:
          hubbub backup hubbub-monday.db
          hubbub backup /mnt/backup/hubbub.db --data /var/lib/hubbub && hubbub check /mnt/backup/hubbub.db

        """

    private static let checkText = """
        Usage: hubbub check [FILE | --data DIR]

        Looks whether a database is sound: the data directory's, while the hub runs or not, or FILE, such as a backup.
        It reads everything and changes nothing: SQLite's integrity check, the references between rows, and what the
        hub promises of them.

        Options:
          \(line(.data))

        Exit codes: 0 it is sound, 1 it could not be checked, 2 the command line is wrong, 3 faults were found.

        """

    private static let options = Setting.allCases.map { "  " + line($0) }.joined(separator: "\n")

    private static func line(_ setting: Setting) -> String {
        let usage = setting.flag + (setting.placeholder.map { " " + $0 } ?? "")
        return usage + String(repeating: " ", count: max(1, 24 - usage.count)) + setting.help
    }
}
