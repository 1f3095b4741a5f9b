import Foundation

/// The repository as these tests see it: its root, found from this file's place, and its text files.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The files below `directories` whose names end in one of `extensions`, by path from the root, sorted.
    static func files(in directories: [String], extensions: Set<String>) throws -> [SourceFile] {
        try directories.flatMap { directory in
            let paths = FileManager.default.enumerator(atPath: root.appendingPathComponent(directory).path)
            return try (paths?.compactMap { $0 as? String } ?? [])
                .filter { extensions.contains(($0 as NSString).pathExtension) }
                .map { try SourceFile(path: "\(directory)/\($0)") }
        }.sorted { $0.path < $1.path }
    }

    /// What lies in the repository's root, hidden names left out.
    static func topLevel() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.path).filter { !$0.hasPrefix(".") }.sorted()
    }
}

/// One text file: its path from the root and its lines.
struct SourceFile {
    let path: String
    let lines: [String]

    init(path: String) throws {
        let text = try String(contentsOf: Repository.root.appendingPathComponent(path), encoding: .utf8)
        self.init(path: path, text: text)
    }

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// The target it belongs to: `Sources/Wire/JSON.swift` is of `Wire`, `loadtest/Main.swift` of `loadtest`.
    var target: String {
        let parts = path.split(separator: "/")
        return String(parts[0] == "Sources" && parts.count > 1 ? parts[1] : parts[0])
    }
}
