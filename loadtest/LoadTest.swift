import Glibc

/// The load test: measures what a running hub costs, and checks that all of it arrived.
@main
struct LoadTest {
    private static let usage: Int32 = 2

    static func main() {
        do throws(Failure) {
            let arguments = Array(CommandLine.arguments.dropFirst())
            let word = arguments.first ?? "help"
            if word == "help" || word == "--help" || word == "-h" {
                return print(try Help.text(arguments.dropFirst().first), terminator: "")
            }
            if word == "compare" {
                let options = try CompareOptions(Array(arguments.dropFirst()))
                return attempt { () throws(Failure) in try compare(options) }
            }
            guard let scenario = Scenario.all.first(where: { $0.name == word }) else {
                throw Failure("there is no scenario '\(word)'; 'loadtest help' lists them")
            }
            let options = try Options(scenario, Array(arguments.dropFirst()))
            attempt { () throws(Failure) in
                if !(try play(options)) { exit(EXIT_FAILURE) }
            }
        } catch {
            complain(error.reason)
            exit(usage)
        }
    }

    private static func attempt(_ work: () throws(Failure) -> Void) {
        do throws(Failure) {
            try work()
        } catch {
            complain("failed: \(error.reason)")
            exit(EXIT_FAILURE)
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
