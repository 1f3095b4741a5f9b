/// What the load test says about itself.
enum Help {
    private static let everyScenario = """
        The server, one of:
          --url URL              a running hub, such as ws://127.0.0.1:8080, that was started with --synthetic and, for
                                 echo, --diagnostics
          --hub PATH             the binary of a hub to start on a core of its own
          --floor PATH           the binary of the C floor, for fanout and stream

        Further options:
          --server-pid PID       the running hub's process on this machine, for its CPU and memory
          --token JWT            who the users are, where the hub asks; repeated, they are these users in turn
          --loops N              of the hub that is started (1)
          --limit NAME=NUMBER    another limit of the hub that is started
          --floor-options "…"    of the floor that is started
          --processes N          play it with N processes, each its share of it, where it has several rooms
          --count-calls S        then count the server's system calls for S seconds, with strace, which slows it
          --json FILE            write the report as JSON
          --html FILE            write the report as a page with plots
          --quick                a second, to see that it works; the figures mean little

        """

    /// - Parameter name: of a scenario; without it, about all.
    static func text(_ name: String?) throws(Failure) -> String {
        guard let name else {
            let list = Scenario.all.map { "  \(padded($0.name, 10))\($0.summary)\n" }.joined()
            return """
                usage: loadtest SCENARIO [OPTION...]
                       loadtest compare --hub PATH --floor PATH [OPTION...]
                       loadtest structures [OPTION...]
                       loadtest report A.json [B.json] [--html FILE]
                       loadtest help [SCENARIO|compare|structures|report]

                Scenarios:
                \(list)
                \(everyScenario)
                """
        }
        if name == "compare" { return CompareOptions.help }
        if name == "structures" { return Structures.help }
        if name == "report" { return ReportOptions.help + "\n" }
        let scenario = try Scenario.named(name)
        let knobs = scenario.knobs.map { knob, value in
            "  --\(padded("\(knob.name) N", 21))\(knob.about) (\(brief(value)))\n"
        }
        return """
            \(scenario.name): \(scenario.summary)

            \(wrapped(scenario.about))

            Its options, with what they are without:
            \(knobs.joined())
            \(everyScenario)
            """
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    /// Broken into lines of at most 80 columns.
    private static func wrapped(_ text: String) -> String {
        var lines = [""]
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].count + word.count + 1 > 80 { lines.append("") }
            lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
        }
        return lines.joined(separator: "\n")
    }
}
