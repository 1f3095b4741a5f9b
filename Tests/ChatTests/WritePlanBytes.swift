@testable import Chat

extension WritePlan {
    /// The first bytes of a planned write, as a socket takes them.
    func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for span in spans where bytes.count < count {
            bytes += UnsafeRawBufferPointer(start: span.base, count: min(count - bytes.count, span.count))
        }
        return bytes
    }
}
