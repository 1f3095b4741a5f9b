/// Text that equals only text of the same bytes.
///
/// Swift's strings are equal when they are canonically equivalent: "é" is "e" with an accent behind it. For keys,
/// identifiers and words that is the wrong answer, and to find it costs the square of the length of a run of accents,
/// which whoever sent the text can make long.
public struct ExactText: Hashable, Sendable {
    /// The text.
    public let text: String

    /// Wraps a text.
    public init(_ text: String) { self.text = text }

    /// Whether both have the same bytes.
    public static func == (left: ExactText, right: ExactText) -> Bool { left.text.hasSameBytes(as: right.text) }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }
}

extension ExactText: ExpressibleByStringLiteral {
    /// The text of a literal, for a `switch` over what came from outside.
    public init(stringLiteral text: String) { self.init(text) }
}

extension String {
    /// The text, to be compared by its bytes.
    public var exact: ExactText { ExactText(self) }

    /// Whether both have the same bytes.
    public func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }

    /// Hashes the bytes, as it fits to `hasSameBytes`.
    public func hashBytes(into hasher: inout Hasher) {
        var text = self
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        // Two texts in a row must not hash as the same bytes cut elsewhere; this byte occurs in no UTF-8.
        hasher.combine(0xFF as UInt8)
    }
}

extension RawRepresentable<String> {
    /// The case of that name, which is compared by its bytes; `init(rawValue:)` compares as strings do.
    ///
    /// A name of ours has at most 64 bytes: in so few no run of accents costs anything.
    @inlinable
    public init?(named name: String) {
        guard name.utf8.count <= 64, let named = Self(rawValue: name), named.rawValue.hasSameBytes(as: name) else {
            return nil
        }
        self = named
    }
}
