/// Immutable bytes at an address that stays: one encoding, shared by all its receivers, and given to gathered writes.
///
/// Unchecked because a raw pointer is not `Sendable`; the memory is written once, before `init` returns, and freed when
/// the last reference has gone, so no thread ever sees it change.
public final class SharedBytes: @unchecked Sendable {
    /// The first byte; valid as long as this object lives.
    public let base: UnsafeRawPointer
    /// How many bytes there are.
    public let count: Int

    /// A copy of the bytes.
    public init(_ bytes: UnsafeRawBufferPointer) {
        base = Self.copy(bytes)
        count = bytes.count
    }

    /// A copy of the bytes.
    public init(_ bytes: [UInt8]) {
        base = bytes.withUnsafeBytes(Self.copy)
        count = bytes.count
    }

    deinit {
        base.deallocate()
    }

    /// Lends all the bytes, and keeps them until the body returns.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(UnsafeRawBufferPointer(start: base, count: count)) }
    }

    private static func copy(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 8)
        copy.copyMemory(from: bytes)
        return UnsafeRawPointer(copy.baseAddress!)
    }
}
