import CLinux
import Glibc

/// A Markdown document.
public struct GuideDocument: Sendable {
    /// The file's name without its ending; the title of what has no heading.
    public let name: String
    /// Markdown in UTF-8.
    public let bytes: [UInt8]

    /// A document.
    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// Reads the Markdown files of a folder and all folders in it, in the order of their names.
///
/// Symbolic links are followed; a folder that was visited before, by whatever path, is not visited again.
struct DocumentFolder {
    static let filesMax = 10_000
    static let fileBytesMax = 1024 * 1024
    static let totalBytesMax = 64 * 1024 * 1024

    private struct FileIdentity: Hashable {
        let device: dev_t
        let number: ino_t
    }

    private(set) var documents: [GuideDocument] = []
    /// What was left out and why, one sentence each.
    private(set) var warnings: [String] = []
    private var visited: Set<FileIdentity> = []
    private var totalBytes = 0
    private var isFull = false

    /// Reads what can be read.
    ///
    /// - Throws: if the folder itself cannot.
    init(_ path: String) throws(GuideError) {
        guard let root = opendir(path) else { throw .unreadableFolder(path, reason: Self.reason) }
        closedir(root)
        // Folders still to visit, the next one last: no recursion, however deep they go.
        var folders = [path]
        while let folder = folders.popLast(), !isFull {
            folders += visit(folder).reversed()
        }
    }

    /// Reads a folder's files; returns the folders in it.
    private mutating func visit(_ path: String) -> [String] {
        guard let folder = opendir(path) else {
            warnings.append("\(path): \(Self.reason)")
            return []
        }
        defer { closedir(folder) }
        var status = stat()
        guard fstat(dirfd(folder), &status) == 0,
            visited.insert(FileIdentity(device: status.st_dev, number: status.st_ino)).inserted
        else { return [] }
        var folders: [String] = []
        for name in Self.names(in: folder) where !isFull {
            let entry = "\(path)/\(name)"
            guard stat(entry, &status) == 0 else {
                warnings.append("\(entry): \(Self.reason)")
                continue
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                folders.append(entry)
            } else if let stem = Self.stem(ofMarkdown: name) {
                read(entry, named: stem)
            }
        }
        return folders
    }

    private mutating func read(_ path: String, named name: String) {
        // A pipe in place of a file must not hold us up.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return warnings.append("\(path): \(Self.reason)") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return warnings.append("\(path): not a regular file")
        }
        guard let bytes = Self.contents(descriptor) else { return warnings.append("\(path): \(Self.reason)") }
        guard bytes.count <= Self.fileBytesMax else {
            return warnings.append("\(path): larger than \(Self.fileBytesMax) bytes")
        }
        guard documents.count < Self.filesMax, totalBytes + bytes.count <= Self.totalBytesMax else {
            isFull = true
            return warnings.append(
                "\(path) and what follows: more than \(Self.filesMax) files or \(Self.totalBytesMax) bytes")
        }
        totalBytes += bytes.count
        documents.append(GuideDocument(name: name, bytes: bytes))
    }

    /// A file's bytes, at most one more than may be.
    private static func contents(_ descriptor: Int32) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count <= fileBytesMax {
            var piece = [UInt8](repeating: 0, count: min(64 * 1024, fileBytesMax + 1 - bytes.count))
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            bytes += piece.prefix(count)
        }
        return bytes
    }

    /// Names without hidden files, in order.
    private static func names(in folder: OpaquePointer) -> [String] {
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    private static func stem(ofMarkdown name: String) -> String? {
        for ending in [".md", ".markdown"] where name.lowercased().hasSuffix(ending) {
            return String(name.dropLast(ending.count))
        }
        return nil
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
