import Testing

/// A rule that finds nothing guards nothing: here each one meets a snippet at its limit and one beyond it.
struct RuleTests {
    @Test(arguments: [(70, 0), (71, 1)])
    func findsAFunctionOver70Lines(lines: Int, findings: Int) {
        let body = Array(repeating: "        work()", count: lines - 2).joined(separator: "\n")
        #expect(Rules.functionSize(snippet("struct A {\n    func run() {\n\(body)\n    }\n}\n")).count == findings)
        #expect(
            Rules.functionSize(snippet("struct A {\n    public init?(a: Int) {\n\(body)\n    }\n}\n")).count == findings
        )
        #expect(Rules.functionSize(snippet("struct A {\n    var size: Int {\n\(body)\n    }\n}\n")).count == findings)
    }

    @Test(arguments: [(66, 0), (67, 1)])
    func countsASignatureOfSeveralLines(bodyLines: Int, findings: Int) {
        let body = Array(repeating: "    work()", count: bodyLines).joined(separator: "\n")
        let text = "func run(\n    a: Int\n) throws {\n\(body)\n}\n"
        #expect(Rules.functionSize(snippet(text)).count == findings)
    }

    @Test func seesNoBodyWhereThereIsNone() {
        let filler = Array(repeating: "    let a = 1", count: 80).joined(separator: "\n")
        #expect(Rules.functionSize(snippet("protocol P {\n    func a()\n    func b()\n\(filler)\n}\n")).isEmpty)
        #expect(Rules.functionSize(snippet("func a() { b() }\nstruct C {\n\(filler)\n}\n")).isEmpty)
    }

    @Test(arguments: [(500, 0), (501, 1)])
    func findsAFileOver500Lines(lines: Int, findings: Int) {
        let text = String(repeating: "let a = 1\n", count: lines)
        #expect(Rules.fileSize(snippet(text)).count == findings)
    }

    @Test(arguments: [(120, 0), (121, 1)])
    func findsALineOver120Columns(columns: Int, findings: Int) {
        #expect(Rules.lineWidth(snippet(String(repeating: "ü", count: columns))).count == findings)
    }

    @Test(arguments: [
        ("import Wire", 0), ("import Glibc", 1), ("@testable import Glibc", 1), ("public import Glibc", 1),
        ("internal import struct Glibc.stat", 1), ("@_exported import Glibc", 1), ("// import Glibc", 0),
        ("let important = 1", 0),
    ])
    func findsAForbiddenImport(line: String, findings: Int) {
        let file = SourceFile(path: "Sources/Chat/Room.swift", text: line)
        #expect(Rules.imports(file, allowed: ["Chat": ["Wire"]]).count == findings)
    }

    @Test func findsATargetThatTheTableDoesNotKnow() {
        let file = SourceFile(path: "Sources/New/A.swift", text: "import Wire")
        #expect(Rules.imports(file, allowed: ["Chat": ["Wire"]]).count == 1)
    }

    @Test(arguments: [
        ("/// Says.\npublic func a()", 0), ("/// Says.\n@inlinable\n@discardableResult\npublic func a()", 0),
        ("public func a()", 1), ("// Says.\npublic let a = 1", 1), ("/// Says.\n\npublic let a = 1", 1),
        ("    static public let a = 1", 1), ("@inlinable public func a()", 1), ("public import Wire", 0),
        ("func publicly()", 0),
    ])
    func findsAPublicDeclarationWithoutSummary(text: String, findings: Int) {
        #expect(Rules.publicDocs(snippet(text)).count == findings)
    }

    @Test(arguments: [
        ("struct A: @unchecked Sendable {}", 1, 1), ("// Why.\nstruct A: @unchecked Sendable {}", 1, 0),
        ("struct A: @unchecked Sendable {} // Why.", 1, 0), ("// no @unchecked Sendable here", 0, 0),
    ])
    func findsUncheckedSendable(text: String, uses: Int, unproven: Int) {
        let found = Rules.uncheckedSendable(snippet(text))
        #expect(found.uses.count == uses)
        #expect(found.unproven.count == unproven)
    }

    @Test(arguments: [
        ("let a = try! b()", 1), ("let a = try b()", 0), ("// never try!", 0),
        ("let a = \"http://b\", c = try! d()", 1),
    ])
    func findsAForcedTry(line: String, findings: Int) {
        #expect(Rules.forcedTry(snippet(line)).count == findings)
    }

    @Test(arguments: [("// TO" + "DO: later", 1), ("// FIX" + "ME", 1), ("let methodOrder = 1", 0)])
    func findsUnfinishedWork(line: String, findings: Int) {
        #expect(Rules.unfinished(snippet(line)).count == findings)
    }

    @Test(arguments: [
        ("let a = \"/" + "home/me/hub\"", 1), ("cd /" + "root/hub", 1), ("GET /homework/1", 0), ("http://a/home/b", 0),
    ])
    func findsAPathOfOneMachine(line: String, findings: Int) {
        #expect(Rules.machinePaths(snippet(line)).count == findings)
    }

    private func snippet(_ text: String) -> SourceFile { SourceFile(path: "Sources/Wire/Snippet.swift", text: text) }
}
