import CLinux
import Glibc

/// Holds a data directory for one process. The kernel lets go of it when the process ends, however it ends.
struct DirectoryLock: Sendable {
    private let descriptor: Int32

    /// Makes the directory if it is missing, readable by its owner only, and takes its lock.
    init(directory: String) throws(StoreError) {
        try Self.makeDirectories(directory)
        let path = directory + "/hubbub.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotOpen(path: path, reason: String(cString: strerror(errno))) }
        var result: Int32
        repeat { result = flock(descriptor, LOCK_EX | LOCK_NB) } while result != 0 && errno == EINTR
        guard result == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw code == EWOULDBLOCK
                ? .directoryInUse(path: directory) : .cannotOpen(path: path, reason: String(cString: strerror(code)))
        }
    }

    /// Whether a process holds the directory at this moment; makes nothing.
    static func isHeld(_ directory: String) -> Bool {
        let descriptor = open(directory + "/hubbub.lock", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    func release() { Glibc.close(descriptor) }

    private static func makeDirectories(_ path: String) throws(StoreError) {
        guard mkdir(path, 0o700) != 0 else { return }
        switch errno {
        case EEXIST: return
        case ENOENT:
            guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { break }
            try makeDirectories(String(path[..<slash]))
            if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        default: break
        }
        throw .cannotOpen(path: path, reason: String(cString: strerror(errno)))
    }
}
