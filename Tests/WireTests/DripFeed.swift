import Testing

/// The ways in which the bytes of one example can arrive.
enum Feed: CaseIterable {
    case whole, byteByByte, inThrees, inSevens

    func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
        let size =
            switch self {
            case .whole: max(bytes.count, 1)
            case .byteByByte: 1
            case .inThrees: 3
            case .inSevens: 7
            }
        return stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
    }
}

/// Expects the same reading, however the bytes arrive.
func expect<Reading: Equatable>(
    _ bytes: [UInt8], reads expected: Reading, sourceLocation: SourceLocation = #_sourceLocation,
    by read: ([[UInt8]]) -> Reading
) {
    for feed in Feed.allCases {
        #expect(read(feed.pieces(bytes)) == expected, "fed \(feed)", sourceLocation: sourceLocation)
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
