import Glibc

/// The load test: measures what a running hub costs, and checks that all of it arrived.
@main
struct LoadTest {
    private static let usage: Int32 = 2

    static func main() {
        do throws(Failure) {
            let work = try command(Array(CommandLine.arguments.dropFirst()))
            do throws(Failure) {
                guard try work() else { exit(EXIT_FAILURE) }
            } catch {
                complain("failed: \(error.reason)")
                exit(EXIT_FAILURE)
            }
        } catch {
            complain(error.reason)
            exit(usage)
        }
    }

    /// What the words ask for; it says whether everything was as it should be.
    private static func command(_ words: [String]) throws(Failure) -> () throws(Failure) -> Bool {
        let rest = Array(words.dropFirst())
        switch words.first ?? "help" {
        case "help", "--help", "-h":
            let text = try Help.text(rest.first)
            return {
                print(text, terminator: "")
                return true
            }
        case "compare":
            let options = try CompareOptions(rest)
            return { () throws(Failure) in
                try compare(options)
                return true
            }
        case "structures":
            let structures = try Structures(rest)
            return { () throws(Failure) in try structures.run() }
        case "report":
            let options = try ReportOptions(rest)
            return { () throws(Failure) in
                try showReports(options)
                return true
            }
        case let name:
            let options = try Options(try Scenario.named(name), rest)
            return { () throws(Failure) in try play(options) }
        }
    }

    static func complain(_ sentence: String) {
        let line = Array("loadtest: \(sentence)\n".utf8)
        write(STDERR_FILENO, line, line.count)
    }
}

/// Why a run is worth nothing, in words for whoever started it.
struct Failure: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}
