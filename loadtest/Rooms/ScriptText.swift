import ChatProtocol
import Glibc

/// The text of one stream, as far as any watcher has it: each byte was checked against the script when it first came.
///
/// Stamps are the one thing that the script does not tell. What the first watcher got counts for all others and for
/// what is stored, so a stamp that changes on its way shows.
final class ScriptText {
    let script: SyntheticScript
    /// The bytes so far.
    private(set) var count = 0
    /// When each token left the agent, of those whose stamp is complete.
    private(set) var stamps: [UInt64] = []

    private let source: SyntheticText
    private var bytes: [UInt8] = []
    private var token: [UInt8]
    /// What is kept of a text that nobody needs in pieces any more.
    private var digest: Int?
    private static let digits = Set("0123456789abcdef".utf8)

    init(_ script: SyntheticScript) {
        self.script = script
        source = SyntheticText(seed: script.seed)
        token = [UInt8](repeating: 0, count: script.tokenBytes)
    }

    /// When a token should have been said, if the script has a rate.
    func due(_ number: Int) -> UInt64? {
        guard script.rate > 0, let start = stamps.first else { return nil }
        let before = number - number % script.burst
        let pause = script.pauseAfter.map { $0 <= number ? script.pauseMilliseconds * 1_000_000 : 0 } ?? 0
        return start + UInt64(Double(before) / script.rate * 1e9) + UInt64(pause)
    }

    /// The first offset at which a piece differs from the script, or from what others got; `nil` when it is right.
    func mismatch(_ piece: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        guard digest == nil, offset <= count else { return offset }
        guard !piece.isEmpty else { return nil }
        let known = min(count - offset, piece.count)
        let differs = bytes.withUnsafeBytes { memcmp($0.baseAddress! + offset, piece.baseAddress!, known) != 0 }
        if known > 0, differs {
            return offset + (0..<known).first { bytes[offset + $0] != piece[$0] }!
        }
        return extend(UnsafeRawBufferPointer(rebasing: piece[known...]))
    }

    /// Whether this is the whole text so far.
    func isWhole(_ other: UnsafeRawBufferPointer) -> Bool {
        guard other.count == count else { return false }
        return digest.map { $0 == Self.digest(other) } ?? (mismatch(other, at: 0) == nil)
    }

    /// Frees the text; only the whole of it can be compared from now on.
    func forgetPieces() {
        guard digest == nil else { return }
        digest = bytes.withUnsafeBytes(Self.digest)
        (bytes, stamps, token) = ([], [], [])
    }

    private func extend(_ piece: UnsafeRawBufferPointer) -> Int? {
        let size = script.tokenBytes
        var taken = 0
        while taken < piece.count {
            let number = count / size
            let start = count - number * size
            guard number < script.tokens else { return count }
            let length = min(size - start, piece.count - taken)
            if start == 0 || taken == 0 { token.withUnsafeMutableBytes { source.write(number, stamp: nil, into: $0) } }
            for index in 0..<length where !isRight(piece[taken + index], at: start + index) { return count + index }
            bytes.append(contentsOf: piece[taken..<taken + length])
            count += length
            taken += length
            readStamp(of: number)
        }
        return nil
    }

    private func isRight(_ byte: UInt8, at index: Int) -> Bool {
        script.stamps && index < SyntheticScript.stampBytes ? Self.digits.contains(byte) : byte == token[index]
    }

    private func readStamp(of number: Int) {
        let start = number * script.tokenBytes
        guard script.stamps, stamps.count == number, count >= start + SyntheticScript.stampBytes else { return }
        let stamp = bytes[start..<count].withUnsafeBytes(SyntheticText.stamp)
        stamps.append(stamp ?? 0)
    }

    private static func digest(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        return hasher.finalize()
    }
}
