import Glibc

/// A directory that lives as long as this object, on a disk rather than in memory: what is durable should cost.
final class ScratchDirectory {
    let path: String

    init() throws(Failure) {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
        var template = Array("\(base)/hubbub-loadtest-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("cannot make a directory in \(base)") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit { Self.remove(path) }

    func write(_ bytes: [UInt8], to name: String) throws(Failure) {
        try writeFile(bytes, to: "\(path)/\(name)")
    }

    private static func remove(_ path: String) {
        guard let directory = opendir(path) else {
            unlink(path)
            return
        }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { remove("\(path)/\(name)") }
        }
        closedir(directory)
        rmdir(path)
    }
}
