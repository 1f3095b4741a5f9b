import Glibc
import Wire

/// What `loadtest report` is asked for.
struct ReportOptions {
    static let help = """
        usage: loadtest report A.json [B.json] [--html FILE]
          prints a report that a run or a comparison wrote with --json; two runs side by side
          --html FILE     write it as a page with plots, too
        """

    var paths: [String] = []
    var html: String?

    init(_ arguments: [String]) throws(Failure) {
        var rest = arguments[...]
        while let word = rest.popFirst() {
            if word == "--html" {
                guard let path = rest.popFirst(), !path.isEmpty else { throw Failure("--html needs a file") }
                html = path
            } else if word.hasPrefix("-") {
                throw Failure("unknown option \(word)\n\(Self.help)")
            } else {
                paths.append(word)
            }
        }
        guard (1...2).contains(paths.count) else { throw Failure("one or two files are needed\n\(Self.help)") }
    }
}

/// Prints stored reports.
func showReports(_ options: ReportOptions) throws(Failure) {
    var reports: [ReportFile] = []
    for path in options.paths { reports.append(try ReportFile(parsing: try readFile(path), path: path)) }
    guard reports.count == 2 else { return try reports[0].publish(json: nil, html: options.html) }
    guard case (.run(let first), .run(let second)) = (reports[0], reports[1]) else {
        throw Failure("only two runs can stand side by side; a comparison has both its contenders in one file")
    }
    let names = shortNames(options.paths[0], options.paths[1])
    let pair = RunPair(first: first, second: second, firstName: names.0, secondName: names.1)
    print(pair.text, terminator: "")
    if let html = options.html { try writeFile(Array(pair.page.html.utf8), to: html) }
}

/// The files' names without directory and extension, unless that makes them equal.
func shortNames(_ first: String, _ second: String) -> (String, String) {
    func short(_ path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return name.hasSuffix(".json") ? String(name.dropLast(5)) : name
    }
    return short(first) == short(second) ? (first, second) : (short(first), short(second))
}

func readFile(_ path: String) throws(Failure) -> [UInt8] {
    guard let file = fopen(path, "r") else { throw Failure("cannot read \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        guard count > 0 else { break }
        bytes += chunk[..<count]
    }
    guard ferror(file) == 0 else { throw Failure("cannot read \(path)") }
    return bytes
}
