import ChatProtocol
import Testing

@Suite struct SyntheticScriptTests {
    private static func script(_ change: (inout SyntheticScript) -> Void) -> SyntheticScript {
        var script = SyntheticScript()
        change(&script)
        return script
    }

    @Test(arguments: [
        ("{}", script { _ in }),
        (#"{"seed":0}"#, script { $0.seed = 0 }),
        (#"{"seed":9223372036854775807}"#, script { $0.seed = .max >> 1 }),
        (#"{"tokens":0}"#, script { $0.tokens = 0 }), (#"{"tokens":1000000}"#, script { $0.tokens = 1_000_000 }),
        (#"{"token_bytes":20}"#, script { $0.tokenBytes = 20 }),
        (#"{"token_bytes":16384}"#, script { $0.tokenBytes = 16_384 }),
        (#"{"rate":0}"#, script { _ in }), (#"{"rate":0.001}"#, script { $0.rate = 0.001 }),
        (#"{"rate":12.5}"#, script { $0.rate = 12.5 }), (#"{"rate":1000000}"#, script { $0.rate = 1e6 }),
        (#"{"burst":1}"#, script { _ in }), (#"{"burst":1000000}"#, script { $0.burst = 1_000_000 }),
        (#"{"stamps":false}"#, script { $0.stamps = false }),
        (#"{"window":0}"#, script { $0.window = 0 }), (#"{"window":1000000}"#, script { $0.window = 1_000_000 }),
        (
            #"{"pause_after":0,"pause_ms":3600000}"#,
            script {
                $0.pauseAfter = 0
                $0.pauseMilliseconds = 3_600_000
            }
        ),
        (#"{"stall_after":1000000}"#, script { $0.stallAfter = 1_000_000 }),
        (#"{"fail_after":0}"#, script { $0.failAfter = 0 }),
        (#"{"window":null,"seed":null,"rate":null}"#, script { _ in }),
        ("Hello\n{\"tokens\":1}\n{\"tokens\":2}", script { $0.tokens = 2 }),
        ("{\"tokens\":2}\r\n", script { $0.tokens = 2 }), (" { } \n\n", script { _ in }),
    ])
    func takesEachFieldUpToItsLimits(_ input: String, _ expected: SyntheticScript) throws {
        #expect(try SyntheticScript(parsing: input) == expected)
    }

    private static let noScript = #"the message's last line must be a JSON object, such as {"tokens":100}"#

    @Test(arguments: [
        ("", noScript), ("\n", noScript), ("Hello", noScript), ("7", noScript), ("[]", noScript), ("{}\nx", noScript),
        ("{\n\"tokens\":1\n}", noScript),
        (#"{"seed":-1}"#, "seed must be a whole number from 0 to 9223372036854775807"),
        (#"{"seed":9223372036854775808}"#, "seed must be a whole number from 0 to 9223372036854775807"),
        (#"{"tokens":-1}"#, "tokens must be a whole number from 0 to 1000000"),
        (#"{"tokens":1000001}"#, "tokens must be a whole number from 0 to 1000000"),
        (#"{"tokens":1.5}"#, "tokens must be a whole number from 0 to 1000000"),
        (#"{"tokens":"1"}"#, "tokens must be a whole number from 0 to 1000000"),
        (#"{"token_bytes":19}"#, "token_bytes must be a whole number from 20 to 16384"),
        (#"{"token_bytes":16385}"#, "token_bytes must be a whole number from 20 to 16384"),
        (#"{"rate":-1}"#, "rate must be 0 or a number from 0.001 to 1000000"),
        (#"{"rate":1e-300}"#, "rate must be 0 or a number from 0.001 to 1000000"),
        (#"{"rate":1000000.1}"#, "rate must be 0 or a number from 0.001 to 1000000"),
        (#"{"rate":"1"}"#, "rate must be 0 or a number from 0.001 to 1000000"),
        (#"{"burst":0}"#, "burst must be a whole number from 1 to 1000000"),
        (#"{"burst":1000001}"#, "burst must be a whole number from 1 to 1000000"),
        (#"{"stamps":1}"#, "stamps must be true or false"),
        (#"{"window":-1}"#, "window must be a whole number from 0 to 1000000"),
        (#"{"window":1000001}"#, "window must be a whole number from 0 to 1000000"),
        (#"{"pause_after":-1}"#, "pause_after must be a whole number from 0 to 1000000"),
        (#"{"pause_ms":3600001}"#, "pause_ms must be a whole number from 0 to 3600000"),
        (#"{"stall_after":1000001}"#, "stall_after must be a whole number from 0 to 1000000"),
        (#"{"fail_after":true}"#, "fail_after must be a whole number from 0 to 1000000"),
        (#"{"speed":1}"#, "there is no field speed"),
    ])
    func saysWhatIsWrong(_ input: String, _ reason: String) throws {
        let error = try #require(throws: SyntheticScriptError.self) { try SyntheticScript(parsing: input) }
        #expect(error.reason == reason)
    }

    @Test(arguments: [
        script { _ in },
        script {
            $0.seed = .max >> 1
            $0.tokens = 7
            $0.tokenBytes = 33
            $0.rate = 0.125
            $0.burst = 3
            $0.stamps = false
            $0.window = 0
            $0.pauseAfter = 2
            $0.pauseMilliseconds = 9
            $0.stallAfter = 4
            $0.failAfter = 5
        },
        script { $0.rate = 1e6 / 3 },
    ])
    func isTheSameAgainFromItsOwnText(_ script: SyntheticScript) throws {
        #expect(try SyntheticScript(parsing: script.json) == script)
        #expect(!script.json.contains("\n"))
    }
}

@Suite struct SyntheticTextTests {
    private func token(_ number: Int, seed: UInt64 = 1, bytes: Int = 120, stamp: UInt64? = nil) -> [UInt8] {
        var token = [UInt8](repeating: 0, count: bytes)
        token.withUnsafeMutableBytes { SyntheticText(seed: seed).write(number, stamp: stamp, into: $0) }
        return token
    }

    /// Worked out by another program from the description in the protocol.
    @Test(arguments: [
        (1, 0, "tJDedKAuliUGPHDnzHé"), (1, 1, "V s6fIGV0tMWgr jUkOionih I1Q é"), (0, 0, "VZEh3DoMIrQjkPNMLUé"),
        (UInt64.max >> 1, 999_999, "CM  zGOAVAz3kDJnE3B1iBé"),
    ])
    func isAsDescribed(_ seed: UInt64, _ number: Int, _ text: String) {
        #expect(String(decoding: token(number, seed: seed, bytes: text.utf8.count), as: UTF8.self) == text)
    }

    @Test(arguments: [20, 21, 22, 28, 29, 30, 31, 32, 33, 120, 4_096, 16_384])
    func isWholeCharactersInEverySize(_ bytes: Int) {
        for number in [0, 1, 999_999] {
            let text = token(number, bytes: bytes)
            #expect(String(validating: text, as: UTF8.self)?.hasSuffix("é") == true)
            #expect(text.dropLast(2).allSatisfy { (0x20..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x5C })
        }
    }

    @Test func tokensAndSeedsDiffer() {
        var seen: Set<[UInt8]> = []
        for seed in [0, 1, 2] as [UInt64] {
            for number in 0..<1_000 { seen.insert(token(number, seed: seed, bytes: 36)) }
        }
        #expect(seen.count == 3_000)
    }

    @Test(
        arguments: [
            (0, "0000000000000000"), (0x0123_4567_89AB_CDEF, "0123456789abcdef"), (.max, "ffffffffffffffff"),
        ] as [(UInt64, String)])
    func beginsWithItsStamp(_ stamp: UInt64, _ digits: String) {
        let stamped = token(3, stamp: stamp)
        #expect(stamped.prefix(16).elementsEqual(digits.utf8))
        #expect(stamped.dropFirst(16) == token(3).dropFirst(16))
        #expect(stamped.withUnsafeBytes { SyntheticText.stamp(of: $0) } == stamp)
    }

    @Test(arguments: [
        "", "123456789abcde", "0123456789ABCDEF", "0123456789abcde ", "0123456789abcdeg", "/123456789abcdef",
    ])
    func whatIsNoStampIsNone(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { SyntheticText.stamp(of: $0) } == nil)
    }
}
