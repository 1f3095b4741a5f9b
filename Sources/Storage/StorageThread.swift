import CLinux
import Glibc

/// A thread of the store, which runs one function to its end.
struct StorageThread: Sendable {
    private let id: pthread_t

    /// - Parameter name: at most 15 bytes, for `top -H` and debuggers.
    init(name: StaticString, body: sending @escaping () -> Void) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var id = pthread_t()
        let result = pthread_create(&id, nil, runStorageThread, start.toOpaque())
        precondition(result == 0, "The system has no thread left for storage.")
        self.id = id
    }

    func join() { pthread_join(id, nil) }
}

private final class Start {
    let name: StaticString
    let body: () -> Void

    init(name: StaticString, body: @escaping () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runStorageThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
    start.name.withUTF8Buffer { name in
        name.withMemoryRebound(to: CChar.self) { hb_name_thread($0.baseAddress!) }
    }
    start.body()
    return nil
}
