/// Checks UTF-8 that arrives in pieces, and refuses at the first byte that no valid text could have there.
///
/// Overlong forms, surrogates and scalars over U+10FFFF show in the second byte of a sequence at the latest, so it is
/// enough to narrow the range of that byte by the first one.
/// - Source: RFC 3629 section 4.
public struct UTF8Validator: Sendable {
    private var remainingCount: UInt8 = 0
    private var nextMin: UInt8 = 0x80
    private var nextMax: UInt8 = 0xBF

    /// A validator at the start of a text.
    public init() {}

    /// Whether the bytes so far end between two scalars.
    public var isAtScalarBoundary: Bool { remainingCount == 0 }

    /// Checks the next bytes; after `false` the text is lost and the validator has no further use.  // HOT
    public mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index < bytes.count {
            if remainingCount == 0 {
                index = Self.firstNonASCII(in: bytes, from: index)
                guard index < bytes.count else { return true }
                guard begin(bytes[index]) else { return false }
            } else {
                guard bytes[index] >= nextMin, bytes[index] <= nextMax else { return false }
                (nextMin, nextMax) = (0x80, 0xBF)
                remainingCount -= 1
            }
            index += 1
        }
        return true
    }

    private mutating func begin(_ lead: UInt8) -> Bool {
        switch lead {
        case 0xC2...0xDF: remainingCount = 1
        case 0xE0...0xEF: remainingCount = 2
        case 0xF0...0xF4: remainingCount = 3
        default: return false
        }
        switch lead {
        case 0xE0: nextMin = 0xA0
        case 0xED: nextMax = 0x9F
        case 0xF0: nextMin = 0x90
        case 0xF4: nextMax = 0x8F
        default: break
        }
        return true
    }

    private static func firstNonASCII(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let marks = word & 0x8080_8080_8080_8080
            if marks != 0 { return index + marks.trailingZeroBitCount >> 3 }
            index += 8
        }
        while index < bytes.count, bytes[index] < 0x80 { index += 1 }
        return index
    }
}
