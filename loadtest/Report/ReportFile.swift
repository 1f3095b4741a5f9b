import Wire

/// A report of any kind, as it is written and read.
enum ReportFile {
    case run(RunReport)
    case comparison(ComparisonReport)

    /// - Throws: with the file and the place in it, when it is no report.
    init(parsing bytes: [UInt8], path: String) throws(Failure) {
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch {
            throw Failure("\(path) is not JSON: \(error.kind) at byte \(error.offset)")
        }
        let fields = try Fields(value, path)
        switch try fields.string("report") {
        case RunReport.kind: self = .run(try RunReport(json: fields))
        case ComparisonReport.kind: self = .comparison(try ComparisonReport(json: fields))
        case let kind: throw Failure("\(path): there is no kind of report named '\(kind)'")
        }
    }

    var json: JSONValue {
        switch self {
        case .run(let report): report.json
        case .comparison(let report): report.json
        }
    }

    private var text: String {
        switch self {
        case .run(let report): report.text
        case .comparison(let report): report.text
        }
    }

    private var page: Page {
        switch self {
        case .run(let report): report.page
        case .comparison(let report): report.page
        }
    }

    /// Prints it, and writes the files that were asked for.
    func publish(json jsonPath: String?, html htmlPath: String?) throws(Failure) {
        print(text, terminator: "")
        if let jsonPath { try writeFile(json.compact + [UInt8(ascii: "\n")], to: jsonPath) }
        if let htmlPath { try writeFile(Array(page.html.utf8), to: htmlPath) }
    }
}
