/// Identifies a connection: descriptor and generation, so that a stale event or a late answer is refused.
public struct ConnectionID: Hashable, Sendable {
    /// The socket; the kernel gives the same number again soon after a close.
    public let descriptor: Int32
    /// Counts the uses of this descriptor within its loop.
    public let generation: UInt32

    /// Names a connection again that was handed out before.
    public init(descriptor: Int32, generation: UInt32) {
        self.descriptor = descriptor
        self.generation = generation
    }
}

extension ConnectionID {
    /// The 64 bits that epoll carries for us.
    var key: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor)) }

    init(key: UInt64) {
        descriptor = Int32(truncatingIfNeeded: key)
        generation = UInt32(truncatingIfNeeded: key >> 32)
    }
}
