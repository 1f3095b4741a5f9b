import Wire

/// What the `synthetic` agent says in one turn: the last line of the message, a JSON object.
///
/// The text follows from the script alone, so a load test knows every byte without trusting the hub. Token `n` takes
/// the bytes from `n * tokenBytes`; with `stamps`, its first 16 bytes are the instant it left the agent, hexadecimal
/// nanoseconds of `CLOCK_MONOTONIC`, and are part of the text like any other.
public struct SyntheticScript: Sendable, Equatable {
    /// What the text is made from; at most 2^63 - 1, the largest whole number of JSON here.
    public var seed: UInt64 = 1
    /// How many tokens are said.
    public var tokens = 100
    /// Bytes of each.
    public var tokenBytes = 120
    /// Tokens a second; 0 says them as fast as the window allows.
    ///
    /// Token `n` is due `n / rate` seconds after the start, rounded down to a whole `burst`. Who is late catches up.
    public var rate = 0.0
    /// Tokens said at once; the rate stays what it is.
    public var burst = 1
    /// Each token begins with its emission stamp.
    public var stamps = true
    /// Tokens that may be said before the first `release`, each of which allows more; `nil` for all.
    public var window: Int?
    /// After so many tokens it pauses once; what follows is due by so much later.
    public var pauseAfter: Int?
    /// The pause's length. At one token the order is pause, failure, stall, end.
    public var pauseMilliseconds = 0
    /// After so many tokens it falls silent and leaves its end to the hub's watchdog.
    public var stallAfter: Int?
    /// After so many tokens it fails, with `AGENT_FAILED`.
    public var failAfter: Int?

    /// The largest number of tokens.
    public static let tokensMax = 1_000_000
    /// A token's bytes: a stamp and at least one character; at most a chunk.
    public static let tokenBytesRange = 20...Limits.chunkBytesMax
    /// Bytes of a stamp.
    public static let stampBytes = 16

    /// The defaults.
    public init() {}
}

/// Bytes of a script's text, in any order. Words of letters, with a two-byte character at each token's end, so that a
/// cut in the wrong place shows.
public struct SyntheticText: Sendable {
    private let seed: UInt64
    private static let letters = Array("etaoinshrdlu cmfwypvbgkjqxz ETAOINSHRDLU CMFWYPVBGKJQXZ 01234567".utf8)

    /// The text of a seed.
    public init(seed: UInt64) { self.seed = seed }

    /// Writes token `number` into a buffer of the token's size, with its stamp if it has one.
    public func write(_ number: Int, stamp: UInt64?, into token: UnsafeMutableRawBufferPointer) {
        // Not by the generator's own step, or each token would begin with its predecessor's second word.
        var state = seed &+ UInt64(truncatingIfNeeded: number) &* 0xD1B5_4A32_D192_ED03
        let letters = Self.letters
        var index = 0
        while index < token.count - 2 {
            var bits = Self.mixed(&state)
            // Ten letters of six bits each.
            for _ in 0..<min(10, token.count - 2 - index) {
                token[index] = letters[Int(bits & 63)]
                bits >>= 6
                index += 1
            }
        }
        token[index] = 0xC3
        token[index + 1] = 0xA9
        if let stamp { Self.write(stamp, into: token) }
    }

    /// The stamp of a token's text, or `nil` if these bytes are not one.
    public static func stamp(of token: UnsafeRawBufferPointer) -> UInt64? {
        guard token.count >= SyntheticScript.stampBytes else { return nil }
        var value: UInt64 = 0
        for byte in token.prefix(SyntheticScript.stampBytes) {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x57)
            default: return nil
            }
        }
        return value
    }

    private static func write(_ stamp: UInt64, into token: UnsafeMutableRawBufferPointer) {
        for index in 0..<SyntheticScript.stampBytes {
            let digit = UInt8(truncatingIfNeeded: stamp >> UInt64(60 - 4 * index)) & 15
            token[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
        }
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    private static func mixed(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Why a text is not a script.
public struct SyntheticScriptError: Error, Sendable, Equatable {
    /// What is wrong, with the field's name.
    public let reason: String
}

extension SyntheticScript {
    /// The script on the last line of a turn's input; messages that were sent together are lines of one input.
    ///
    /// A field that is missing or `null` has its default.
    ///
    /// - Throws: if that line is not a JSON object, or a field is unknown or out of its range.
    public init(parsing input: String) throws(SyntheticScriptError) {
        let lineFeed = UInt8(ascii: "\n")
        let text = Array(input.utf8)
        let end = (text.lastIndex { $0 != lineFeed } ?? -1) + 1
        let start = (text[..<end].lastIndex(of: lineFeed) ?? -1) + 1
        let line = Array(text[start..<end])
        guard let fields = try? JSONValue(parsing: line).object else {
            throw SyntheticScriptError(
                reason: "the message's last line must be a JSON object, such as {\"tokens\":100}")
        }
        self.init()
        for (name, value) in fields.members where !value.isNull { try set(name, value) }
    }

    private mutating func set(_ name: String, _ value: JSONValue) throws(SyntheticScriptError) {
        func whole(_ range: ClosedRange<Int>) throws(SyntheticScriptError) -> Int {
            guard let number = value.int.flatMap({ Int(exactly: $0) }), range.contains(number) else {
                let ends = "\(range.lowerBound) to \(range.upperBound)"
                throw SyntheticScriptError(reason: "\(name) must be a whole number from \(ends)")
            }
            return number
        }
        switch name.exact {
        case "seed": seed = UInt64(try whole(0...Int.max))
        case "tokens": tokens = try whole(0...Self.tokensMax)
        case "token_bytes": tokenBytes = try whole(Self.tokenBytesRange)
        case "rate":
            guard let number = value.double, number == 0 || Self.rateRange.contains(number) else {
                throw SyntheticScriptError(reason: "rate must be 0 or a number from 0.001 to 1000000")
            }
            rate = number
        case "burst": burst = try whole(1...Self.tokensMax)
        case "stamps":
            guard let flag = value.bool else { throw SyntheticScriptError(reason: "stamps must be true or false") }
            stamps = flag
        case "window": window = try whole(0...Self.tokensMax)
        case "pause_after": pauseAfter = try whole(0...Self.tokensMax)
        case "pause_ms": pauseMilliseconds = try whole(0...Self.pauseMillisecondsMax)
        case "stall_after": stallAfter = try whole(0...Self.tokensMax)
        case "fail_after": failAfter = try whole(0...Self.tokensMax)
        default: throw SyntheticScriptError(reason: "there is no field \(name)")
        }
    }

    /// Slower, and the last token's time would not fit into 64 bits of nanoseconds.
    private static let rateRange = 0.001...1e6
    private static let pauseMillisecondsMax = 3_600_000

    /// The script as a message's text.
    public var json: String {
        var fields: JSONObject = [
            "seed": .int(Int64(seed)), "tokens": .int(Int64(tokens)),
            "token_bytes": .int(Int64(tokenBytes)), "rate": .double(rate), "burst": .int(Int64(burst)),
            "stamps": .bool(stamps),
        ]
        fields["window"] = window.map { .int(Int64($0)) }
        fields["pause_after"] = pauseAfter.map { .int(Int64($0)) }
        fields["pause_ms"] = pauseMilliseconds == 0 ? nil : .int(Int64(pauseMilliseconds))
        fields["stall_after"] = stallAfter.map { .int(Int64($0)) }
        fields["fail_after"] = failAfter.map { .int(Int64($0)) }
        return String(decoding: JSONValue.object(fields).compact, as: UTF8.self)
    }
}
