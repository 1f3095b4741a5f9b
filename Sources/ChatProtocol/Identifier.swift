import Wire

/// A typed identifier: text that cannot be mixed up with another kind's, and is compared by its bytes.
public struct Identifier<Kind>: Hashable, Sendable, CustomStringConvertible {
    /// The identifier as it stands in frames, paths and rows.
    public let text: String

    /// Wraps text that was validated, or made by the hub.
    public init(_ text: String) { self.text = text }

    /// Whether both have the same bytes.
    public static func == (left: Identifier, right: Identifier) -> Bool { left.text.hasSameBytes(as: right.text) }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }

    /// The identifier's text.
    public var description: String { text }

    /// Whether text is a well-formed stored identifier: `[A-Za-z0-9_-]{1,64}`.
    public static func isWellFormed(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// Marks the identifiers of rooms.
public enum RoomKind {}
/// Marks the identifiers of users.
public enum UserKind {}
/// Marks the identifiers of sessions.
public enum SessionKind {}
/// Marks the identifiers of streams.
public enum StreamKind {}
/// Marks the identifiers of exchanges.
public enum ExchangeKind {}

/// Names a room.
public typealias RoomID = Identifier<RoomKind>
/// Names a user.
public typealias UserID = Identifier<UserKind>
/// Names a session.
public typealias SessionID = Identifier<SessionKind>
/// Names a stream.
public typealias StreamID = Identifier<StreamKind>
/// Names an exchange.
public typealias ExchangeID = Identifier<ExchangeKind>

/// A stable 16-bit hash of a room's or user's identifier; decides its home.
///
/// Identifiers that the hub makes for things inside a room carry the room's slot in hex behind their prefix
/// (`stream_1a2b…`), so each of them routes without a look-up.
public struct Slot: Hashable, Sendable {
    /// 0 to 65,535.
    public let value: UInt16

    /// A slot by number.
    public init(_ value: UInt16) { self.value = value }

    /// FNV-1a of the UTF-8 text, folded to 16 bits. It must never change: stored identifiers carry it.
    public init(of text: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        value = UInt16(truncatingIfNeeded: hash ^ (hash >> 16) ^ (hash >> 32) ^ (hash >> 48))
    }

    /// The slot inside a hub-made identifier such as `stream_1a2b…`, or `nil` where there is none.
    public init?(in identifier: String, prefix: String) {
        let text = identifier.utf8
        guard text.starts(with: prefix.utf8), text.count >= prefix.utf8.count + 4 else { return nil }
        let digits = text.dropFirst(prefix.utf8.count).prefix(4)
        guard let value = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { return nil }
        self.value = value
    }

    /// Four hexadecimal digits.
    public var hex: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 4 - digits.utf8.count) + digits
    }
}
