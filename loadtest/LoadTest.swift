import Glibc

/// The load test: measures what a running hub costs, and checks that all of it arrived.
@main
struct LoadTest {
    private static let usage: Int32 = 2

    static func main() {
        do throws(Failure) {
            let arguments = Array(CommandLine.arguments.dropFirst())
            guard arguments.first == "compare" else { throw Failure(CompareOptions.help) }
            let options = try CompareOptions(Array(arguments.dropFirst()))
            do throws(Failure) {
                try compare(options)
            } catch {
                complain("failed: \(error.reason)")
                exit(EXIT_FAILURE)
            }
        } catch {
            complain(error.reason)
            exit(usage)
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
