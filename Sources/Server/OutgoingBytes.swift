/// Bytes on their way to a socket's kernel, in order. Confined to its loop.
///
/// What was taken is passed over and not moved out of the way: a slow reader of a long answer takes it in thousands of
/// steps. The memory goes when the last byte has gone.
struct OutgoingBytes {
    private var bytes: [UInt8] = []
    private var taken = 0

    /// How many are still to be sent.
    var count: Int { bytes.count - taken }
    var isEmpty: Bool { taken == bytes.count }
    /// What it takes of memory.
    var heldBytes: Int { bytes.count }

    mutating func append(_ more: [UInt8]) {
        if bytes.isEmpty { bytes = more } else { bytes += more }
    }

    /// The kernel took so many.
    mutating func take(_ count: Int) {
        precondition(count <= self.count)
        taken += count
        if isEmpty { self = OutgoingBytes() }
    }

    /// Lends what is still to be sent.
    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[taken...])) }
    }
}
