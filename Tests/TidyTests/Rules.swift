import Foundation

// How it works: each rule is a function from one file to its findings, without knowing which files exist, so that
// RuleTests can show on a snippet that it finds what it is for. They read text, not syntax: swift-format (which the
// lint enforces) puts one declaration on a line and a body's closing brace at the indentation of its first line.

/// A place that breaks a rule.
struct Finding: CustomStringConvertible {
    let path: String
    let line: Int
    let what: String

    var description: String { "\(path):\(line): \(what)" }
}

enum Limits {
    static let functionLinesMax = 70
    static let fileLinesMax = 500
    static let lineColumnsMax = 120
    static let uncheckedSendableMax = 5
}

enum Rules {
    static func fileSize(_ file: SourceFile) -> [Finding] {
        let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
        guard count > Limits.fileLinesMax else { return [] }
        return [Finding(path: file.path, line: count, what: "\(count) lines, at most \(Limits.fileLinesMax)")]
    }

    static func lineWidth(_ file: SourceFile) -> [Finding] {
        findings(in: file) { line in
            guard line.utf8.count > Limits.lineColumnsMax else { return nil }
            return line.count > Limits.lineColumnsMax ? "\(line.count) columns, at most \(Limits.lineColumnsMax)" : nil
        }
    }

    static func functionSize(_ file: SourceFile) -> [Finding] {
        file.lines.indices.compactMap { start in
            guard let end = bodyEnd(file.lines, of: start) else { return nil }
            let count = end - start + 1
            guard count > Limits.functionLinesMax else { return nil }
            return Finding(
                path: file.path, line: start + 1, what: "a body of \(count) lines, at most \(Limits.functionLinesMax)")
        }
    }

    static func imports(_ file: SourceFile, allowed: [String: Set<String>]) -> [Finding] {
        findings(in: file) { line in
            guard let module = importedModule(line) else { return nil }
            guard let names = allowed[file.target] else { return "the target \(file.target) is not in the table" }
            return names.contains(module) ? nil : "\(file.target) may not import \(module)"
        }
    }

    static func publicDocs(_ file: SourceFile) -> [Finding] {
        file.lines.indices.compactMap { index in
            guard mentions(file.lines[index], "public", "open") else { return nil }
            let isPublic = file.lines[index].contains(
                /^\s*(@\S+\s+)*((static|final|override|indirect|nonisolated)\s+)*(public\s|open\s+(class|func|var)\b)/)
            guard isPublic, importedModule(file.lines[index]) == nil else { return nil }
            var above = index - 1
            while above >= 0, trimmed(file.lines[above]).hasPrefix("@") { above -= 1 }
            guard above < 0 || !trimmed(file.lines[above]).hasPrefix("///") else { return nil }
            return Finding(path: file.path, line: index + 1, what: "public, without a /// summary")
        }
    }

    /// Every use, and among them those that no comment stands beside, above or on the line.
    static func uncheckedSendable(_ file: SourceFile) -> (uses: [Finding], unproven: [Finding]) {
        let words = "@unchecked Sendable"
        let uses = file.lines.indices.filter { index in
            mentions(file.lines[index], words) && code(file.lines[index]).contains(words)
        }
        let unproven = uses.filter { index in
            let isBeside = code(file.lines[index]) != file.lines[index]
            let isAbove = index > 0 && trimmed(file.lines[index - 1]).hasPrefix("//")
            return !isBeside && !isAbove
        }
        func finding(_ index: Int) -> Finding { Finding(path: file.path, line: index + 1, what: "@unchecked Sendable") }
        return (uses.map(finding), unproven.map(finding))
    }

    static func forcedTry(_ file: SourceFile) -> [Finding] {
        findings(in: file) { mentions($0, "try!") && code($0).contains(/\btry!/) ? "a forced try" : nil }
    }

    static func unfinished(_ file: SourceFile) -> [Finding] {
        let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
        return findings(in: file) { line in
            words.first { word in mentions(line, word) && line.split { !$0.isLetter }.contains { $0 == word } }
                .map { "says \($0)" }
        }
    }

    static func machinePaths(_ file: SourceFile) -> [Finding] {
        findings(in: file) { line in
            guard mentions(line, "/home/", "/root/", "/Users/", "/work/") else { return nil }
            return line.contains(/(^|[\s"'`(=:])\/(home|root|Users|work)\/\w/) ? "a path of one machine" : nil
        }
    }

    // MARK: - Reading lines

    private static func findings(in file: SourceFile, _ what: (String) -> String?) -> [Finding] {
        file.lines.enumerated().compactMap { index, line in
            what(line).map { Finding(path: file.path, line: index + 1, what: $0) }
        }
    }

    /// Whether a word is there that every match of a pattern has: the patterns cost a hundred times as much.
    private static func mentions(_ line: String, _ words: String...) -> Bool {
        words.contains { strstr(line, $0) != nil }
    }

    private static func trimmed(_ line: String) -> String { line.trimmingCharacters(in: .whitespaces) }

    /// The line without its comment; the `//` of an address is none.
    private static func code(_ line: String) -> String {
        guard let comment = line.firstMatch(of: /(^|[^:])\/\//) else { return line }
        return String(line[..<comment.range.lowerBound])
    }

    private static func importedModule(_ line: String) -> String? {
        guard mentions(line, "import") else { return nil }
        let pattern =
            /^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:\w+\s+)?import\s+(?:(?:struct|class|enum|protocol|func|let|var)\s+)?(\w+)/
        return line.firstMatch(of: pattern).map { String($0.1) }
    }

    /// Where the body ends that the declaration on line `start` opens; nil when there is none or it is one line.
    private static func bodyEnd(_ lines: [String], of start: Int) -> Int? {
        let declares =
            /^\s*(?:@\S+\s+)*(?:[a-z]+(?:\([a-z]+\))?\s+)*(?:func\s|init[?!(<]|deinit\s|subscript[(<]|var\s.*\{$)/
        guard mentions(lines[start], "func", "init", "subscript", "var") else { return nil }
        guard lines[start].contains(declares) else { return nil }
        let indentation = lines[start].prefix { $0 == " " }
        var index = start
        while !lines[index].hasSuffix("{") {
            if lines[index].hasSuffix("}") { return nil }
            index += 1
            guard index < lines.count, lines[index].hasPrefix(indentation) else { return nil }
            let rest = lines[index].dropFirst(indentation.count)
            guard let first = rest.first, " ){w".contains(first) else { return nil }
        }
        return lines[(index + 1)...].firstIndex { $0.hasPrefix(indentation + "}") }
    }
}
