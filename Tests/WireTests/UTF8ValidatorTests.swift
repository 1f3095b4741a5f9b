import Testing
import Wire

struct UTF8ValidatorTests {
    /// How many bytes are taken before the one that proves the text invalid; `nil` if none does.
    private func firstInvalid(_ pieces: [[UInt8]]) -> Int? {
        var validator = UTF8Validator()
        var count = 0
        for piece in pieces {
            guard piece.withUnsafeBytes({ validator.consume($0) }) else { return count }
            count += piece.count
        }
        return nil
    }

    @Test(
        arguments: [
            ([0x80], 0), ([0xC0], 0), ([0xC1], 0), ([0xF5], 0), ([0xFF], 0), ([0x41, 0xBF], 1),
            ([0xC3, 0x41], 1), ([0xE0, 0x9F], 1), ([0xED, 0xA0], 1), ([0xF0, 0x8F], 1), ([0xF4, 0x90], 1),
            ([0xE2, 0x82, 0xC3], 2), ([0xF0, 0x9F, 0x98, 0x20], 3), ([0xC3, 0xA9, 0xA9], 2),
        ] as [([UInt8], Int)]) func refusesAtTheByteThatProvesIt(_ example: [UInt8], _ offset: Int)
    {
        #expect(firstInvalid(example.map { [$0] }) == offset)
        #expect(firstInvalid([example]) == 0)
        #expect(firstInvalid([bytes("sixteen letters!") + example + bytes("and some after it")]) == 0)
    }

    @Test func acceptsTheBordersOfEverySequenceLength() {
        let scalars = "\0\u{7F}\u{80}\u{7FF}\u{800}\u{FFF}\u{1000}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{3FFFF}\u{10FFFF}"
        expect(bytes(scalars + "some plain letters" + scalars), reads: nil, by: firstInvalid)
    }

    @Test func knowsWhetherItIsBetweenScalars() {
        var validator = UTF8Validator()
        let states = bytes("é€😀").map { byte in
            let isValid = [byte].withUnsafeBytes { validator.consume($0) }
            return isValid && validator.isAtScalarBoundary
        }
        #expect(states == [false, true, false, false, true, false, false, false, true])
    }
}
