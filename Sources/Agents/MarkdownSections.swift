/// What stands under one heading of a Markdown document, without its subsections.
struct MarkdownSection: Equatable {
    /// The headings down to this one, `Guide > Rooms > Deleting`.
    let title: String
    let body: String

    /// The innermost heading.
    var heading: String { title.split(separator: " > ").last.map(String.init) ?? title }
}

/// Cuts Markdown at its headings (`#` to `######`, CommonMark section 4.2). Text before the first heading stands under
/// the document's name; a heading with nothing but subsections under it gives no section.
struct MarkdownSections {
    private var sections: [MarkdownSection] = []
    private var path: [(level: Int, title: String)] = []
    private var lines: [Substring] = []
    private let documentName: String

    static func split(_ text: String, documentName: String) -> [MarkdownSection] {
        var splitter = MarkdownSections(documentName: documentName)
        // The fence that opened a code block, whose lines are no headings.
        var fence: Substring?
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            if let open = fence {
                if line.drop(while: { $0 == " " }).hasPrefix(open) { fence = nil }
                splitter.lines.append(line)
            } else if let (level, title) = heading(line) {
                splitter.endSection()
                splitter.path.removeAll { $0.level >= level }
                splitter.path.append((level, title))
            } else {
                fence = opening(line)
                splitter.lines.append(line)
            }
        }
        splitter.endSection()
        return splitter.sections
    }

    private init(documentName: String) { self.documentName = documentName }

    private mutating func endSection() {
        defer { lines = [] }
        let isBlank: (Substring) -> Bool = { $0.allSatisfy(\.isWhitespace) }
        guard let first = lines.firstIndex(where: { !isBlank($0) }), let last = lines.lastIndex(where: { !isBlank($0) })
        else { return }
        let title = path.isEmpty ? documentName : path.map(\.title).joined(separator: " > ")
        sections.append(MarkdownSection(title: title, body: lines[first...last].joined(separator: "\n")))
    }

    private static func heading(_ line: Substring) -> (level: Int, title: String)? {
        let level = line.prefix { $0 == "#" }.count
        let rest = line.dropFirst(level)
        guard (1...6).contains(level), rest.isEmpty || rest.first!.isWhitespace else { return nil }
        var title = trimmed(rest)
        // A closing run of number signs is decoration, if a space precedes it.
        let closed = title.reversed().drop { $0 == "#" }
        if closed.first?.isWhitespace ?? true { title = trimmed(Substring(String(closed.reversed()))) }
        return (level, String(title))
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace ?? false { text.removeLast() }
        return text
    }

    private static func opening(_ line: Substring) -> Substring? {
        let line = line.drop { $0 == " " }
        for mark: Character in ["`", "~"] {
            let run = line.prefix { $0 == mark }
            if run.count >= 3 { return run }
        }
        return nil
    }
}
