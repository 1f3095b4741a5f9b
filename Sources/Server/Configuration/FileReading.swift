import Glibc

/// Why a file cannot be read.
public enum FileFault: Error, Equatable {
    /// The system's error number.
    case system(Int32)
    case tooLarge(bytesMax: Int)

    var sentence: String {
        switch self {
        case .system(let code): String(cString: strerror(code))
        case .tooLarge(let bytesMax): "larger than \(bytesMax) bytes"
        }
    }
}

extension ConfigurationSources {
    /// A configuration is small; more than this is the wrong file, or a device that never ends.
    static let fileBytesMax = 1 << 20

    /// Reads a whole file from disk; blocks, so only before the loops run.
    public static func readFile(_ path: String) -> Result<[UInt8], FileFault> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(.system(errno)) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return .failure(.system(errno)) }
            guard count > 0 else { return .success(bytes) }
            guard bytes.count + count <= fileBytesMax else { return .failure(.tooLarge(bytesMax: fileBytesMax)) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }
}
