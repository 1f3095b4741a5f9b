import Server
import Testing

@testable import hubbub

@Suite struct CommandTests {
    static let commands: [([String], Command)] = [
        ([], .help(.overview)),
        (["help"], .help(.overview)),
        (["--help"], .help(.overview)),
        (["-h"], .help(.overview)),
        (["help", "serve"], .help(.serve)),
        (["help", "help"], .help(.overview)),
        (["serve", "--help"], .help(.serve)),
        (["serve", "--port", "80", "-h"], .help(.serve)),
        (["migrate", "--help"], .help(.migrate)),
        (["version", "--help"], .help(.version)),
        (["version"], .version),
        (["--version"], .version),
        (["serve"], .serve([])),
        (["serve", "--port", "80"], .serve(["--port", "80"])),
        (["migrate"], .migrate(.up, dataDirectory: nil)),
        (["migrate", "up", "--data", "d"], .migrate(.up, dataDirectory: "d")),
        (["migrate", "--data=d", "down", "3"], .migrate(.down(to: 3), dataDirectory: "d")),
        (["migrate", "status"], .migrate(.status, dataDirectory: nil)),
        (["backup", "copy.db"], .backup(to: "copy.db", dataDirectory: nil)),
        (["backup", "--data", "d", "copy.db"], .backup(to: "copy.db", dataDirectory: "d")),
        (["backup", "--help"], .help(.backup)),
        (["check"], .check(file: nil, dataDirectory: nil)),
        (["check", "copy.db"], .check(file: "copy.db", dataDirectory: nil)),
        (["check", "--data=d"], .check(file: nil, dataDirectory: "d")),
        (["check", "-h"], .help(.check)),
    ]

    @Test(arguments: commands) func readsTheCommandLine(arguments: [String], command: Command) throws {
        #expect(try Command.parse(arguments) == command)
    }

    static let faults: [([String], String)] = [
        (["sevre"], "sevre: unknown; did you mean serve?"),
        (["--port", "80"], "--port: unknown"),
        (["help", "sreve"], "sreve: unknown; did you mean serve?"),
        (["version", "now"], "now: unexpected argument"),
        (["migrate", "sideways"], #"migrate: "sideways" is not one of up, down, status"#),
        (["migrate", "down"], "migrate down: needs a value"),
        (["migrate", "down", "x"], #"migrate down: "x" is not a number from 0 to 2147483647"#),
        (["migrate", "down", "1", "2"], "2: unexpected argument"),
        (["migrate", "up", "2"], "2: unexpected argument"),
        (["migrate", "--dta", "d"], "--dta: unknown; did you mean --data?"),
        (["migrate", "--data"], "--data: needs a value"),
        (["backup"], "backup: needs a value"),
        (["backup", "a", "b"], "b: unexpected argument"),
        (["backup", "a", "--dat", "d"], "--dat: unknown; did you mean --data?"),
        (["check", "a", "b"], "b: unexpected argument"),
        (["check", "a", "--data", "d"], "a: unexpected argument"),
    ]

    @Test(arguments: faults) func saysWhatItCannotRead(arguments: [String], sentence: String) {
        let error = #expect(throws: ConfigurationError.self) { try Command.parse(arguments) }
        #expect(error?.description == sentence)
        #expect(error?.isUsage == true)
    }

    @Test func sizesAreReadAtAGlance() {
        #expect(ProgressLine.size(9_999) == "9999 bytes")
        #expect(ProgressLine.size(10_240) == "10 KiB")
        #expect(ProgressLine.size(300 << 20) == "300 MiB")
        #expect(ProgressLine.size(5 << 40) == "5120 GiB")
    }

    @Test(arguments: HelpTopic.allCases) func helpFitsATerminalAndEndsItsLine(_ topic: HelpTopic) {
        #expect(topic.text.hasSuffix("\n"))
        for line in topic.text.split(separator: "\n") { #expect(line.count <= 110, "\(line)") }
    }

    @Test func helpNamesEveryCommandAndEverySetting() {
        for name in Command.names { #expect(HelpTopic.overview.text.contains("  \(name) ")) }
        for setting in Setting.allCases { #expect(HelpTopic.serve.text.contains("  \(setting.flag)")) }
    }
}
