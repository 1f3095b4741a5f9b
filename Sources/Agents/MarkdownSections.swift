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
///
/// What Markdown marks by is ASCII and is looked for in the bytes: characters compare in more than linear time.
struct MarkdownSections {
    private var sections: [MarkdownSection] = []
    private var path: [(level: Int, title: String)] = []
    private var lines: [Substring] = []
    private let documentName: String

    static func split(_ text: String, documentName: String) -> [MarkdownSection] {
        var splitter = MarkdownSections(documentName: documentName)
        // The fence that opened a code block, whose lines are no headings.
        var fence: Fence?
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            if let open = fence {
                if open.isClosed(by: line) { fence = nil }
                splitter.lines.append(line)
            } else if let (level, title) = heading(line) {
                splitter.endSection()
                splitter.path.removeAll { $0.level >= level }
                splitter.path.append((level, title))
            } else {
                fence = Fence(opening: line)
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
        let isMark = { (byte: UInt8) in byte == UInt8(ascii: "#") }
        let level = line.utf8.prefix(while: isMark).count
        let rest = line.utf8.dropFirst(level)
        guard (1...6).contains(level), rest.first.map(isSpace) ?? true else { return nil }
        var title = trimmed(rest)
        // A closing run of number signs is decoration, if a space precedes it.
        var closed = title
        while closed.last.map(isMark) ?? false { closed.removeLast() }
        if closed.last.map(isSpace) ?? true { title = trimmed(closed) }
        return (level, String(Substring(title)))
    }

    private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        var text = text.drop(while: isSpace)
        while text.last.map(isSpace) ?? false { text.removeLast() }
        return text
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}

/// What opens a code block and closes it again: three or more backticks or tildes (CommonMark section 4.5).
private struct Fence {
    let mark: UInt8
    let count: Int

    init?(opening line: Substring) {
        guard let mark = Self.unindented(line).first, mark == UInt8(ascii: "`") || mark == UInt8(ascii: "~") else {
            return nil
        }
        self.mark = mark
        count = Self.unindented(line).prefix { $0 == mark }.count
        if count < 3 { return nil }
    }

    func isClosed(by line: Substring) -> Bool {
        Self.unindented(line).prefix { $0 == mark }.count >= count
    }

    private static func unindented(_ line: Substring) -> Substring.UTF8View { line.utf8.drop { $0 == 0x20 } }
}
