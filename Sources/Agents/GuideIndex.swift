import CSQLite

/// Sections of Markdown in a full-text table in memory.
final class GuideIndex: Sendable {
    /// A longer section is cut at a line, in bytes: at a word every 20 ms nobody reads on for longer.
    static let bodyBytesMax = 6 * 1024
    private static let topicsMax = 12
    /// The answer, and two to see also.
    private static let hitsMax = 3
    /// Sections that are looked at for one whose heading is the very question.
    private static let candidatesMax = 50

    // Sound without isolation: `init` fills it, then only the library's one thread searches it.
    nonisolated(unsafe) private let database: OpaquePointer
    /// What the documents are about, for who asks about something else.
    private let topics: [String]

    init(_ documents: [GuideDocument]) throws(GuideError) {
        var database: OpaquePointer?
        let code = sqlite3_open(":memory:", &database)
        guard code == SQLITE_OK, let database else {
            sqlite3_close(database)
            throw .unavailable("SQLite cannot open a database in memory (\(code))")
        }
        self.database = database
        var topics: [String] = []
        var sections: [MarkdownSection] = []
        for document in documents {
            let parts = MarkdownSections.split(
                String(decoding: document.bytes, as: UTF8.self), documentName: document.name)
            if let first = parts.first { topics.append(first.title) }
            sections += parts
        }
        self.topics = Array(topics.prefix(Self.topicsMax))
        try fill(with: sections)
    }

    deinit { sqlite3_close(database) }

    /// The best section for a question; for one about nothing we know, what there is.
    func answer(_ question: String, after earlier: String?) -> GuideAnswer {
        guard var hits = search(for: question) else { return .unavailable }
        if hits.isEmpty, let earlier {
            guard let more = search(for: earlier + " " + question) else { return .unavailable }
            hits = more
        }
        guard let best = hits.first else { return .text(apology) }
        var text = "**\(best.title)**\n\n\(Self.bounded(best.body))"
        let others = hits.dropFirst().map(\.title)
        if !others.isEmpty { text += "\n\nSee also: \(others.joined(separator: "; "))" }
        return .text(text)
    }

    private var apology: String {
        if topics.isEmpty { return "I answer from a folder of documents, and it is empty so far." }
        return "I answer from the documentation, and found nothing in it for this. You can ask me about:\n\n"
            + topics.map { "- \($0)" }.joined(separator: "\n")
    }

    private static func bounded(_ body: String) -> String {
        guard body.utf8.count > bodyBytesMax else { return body }
        // Repairs a character cut in half; the last line goes with it.
        let start = String(decoding: body.utf8.prefix(bodyBytesMax), as: UTF8.self)
        let end = start.lastIndex(of: "\n") ?? start.index(before: start.endIndex)
        return start[..<end] + "\n…"
    }
}

// MARK: - SQLite

extension GuideIndex {
    private func fill(with sections: [MarkdownSection]) throws(GuideError) {
        try execute(
            "CREATE VIRTUAL TABLE section USING fts5(title, body, tokenize = 'porter unicode61 remove_diacritics 2')")
        try execute("BEGIN")
        let insert = try prepare("INSERT INTO section (title, body) VALUES (?, ?)")
        defer { sqlite3_finalize(insert) }
        for section in sections {
            Self.bind(section.title, 1, insert)
            Self.bind(section.body, 2, insert)
            guard sqlite3_step(insert) == SQLITE_DONE, sqlite3_reset(insert) == SQLITE_OK else { throw failure }
        }
        try execute("COMMIT")
    }

    /// The best sections, best first; `nil` when SQLite fails.
    ///
    /// A section whose heading asks the same comes first, however common the question's words are.
    private func search(for question: String) -> [MarkdownSection]? {
        guard var hits = candidates(for: question) else { return nil }
        let asked = GuideQuery.words(of: question)
        if let same = hits.firstIndex(where: { GuideQuery.words(of: $0.heading) == asked }) {
            hits.insert(hits.remove(at: same), at: 0)
        }
        return Array(hits.prefix(Self.hitsMax))
    }

    private func candidates(for question: String) -> [MarkdownSection]? {
        guard let match = GuideQuery.match(for: question) else { return [] }
        // A word in a title says more about a section than one in its text.
        guard
            let select = try? prepare(
                "SELECT title, body FROM section WHERE section MATCH ? ORDER BY bm25(section, 6.0, 1.0) LIMIT ?")
        else { return nil }
        defer { sqlite3_finalize(select) }
        Self.bind(match, 1, select)
        sqlite3_bind_int(select, 2, Int32(Self.candidatesMax))
        var hits: [MarkdownSection] = []
        while true {
            switch sqlite3_step(select) {
            case SQLITE_ROW: hits.append(MarkdownSection(title: Self.text(select, 0), body: Self.text(select, 1)))
            case SQLITE_DONE: return hits
            default: return nil
            }
        }
    }

    private var failure: GuideError { .unavailable(String(cString: sqlite3_errmsg(database))) }

    private func execute(_ sql: String) throws(GuideError) {
        guard sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else { throw failure }
    }

    private func prepare(_ sql: String) throws(GuideError) -> OpaquePointer {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK, let statement else { throw failure }
        return statement
    }

    private static func bind(_ text: String, _ index: Int32, _ statement: OpaquePointer) {
        var text = text
        text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                _ = hb_bind_text(statement, index, $0.baseAddress, Int32($0.count))
            }
        }
    }

    private static func text(_ statement: OpaquePointer, _ column: Int32) -> String {
        guard let start = sqlite3_column_text(statement, column) else { return "" }
        let count = Int(sqlite3_column_bytes(statement, column))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }
}
