import CLinux
import Glibc
import Testing

@testable import Reactor

/// Each test sends with io_uring, where the kernel has it, and without.
@Suite struct WriteBatchTests {
    /// Few enough to be sent one by one, enough for the ring, and more than it takes at once.
    static let crowds = [3, SendRing.sendsMin, 40, 1100]

    private func pieces<Result>(
        _ texts: [String], _ body: (UnsafeBufferPointer<iovec>) -> Result
    ) -> Result {
        let bytes = texts.map { Array($0.utf8) }
        var vectors: [iovec] = []
        for text in bytes {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
            copy.copyBytes(from: text)
            vectors.append(iovec(iov_base: copy.baseAddress, iov_len: text.count))
        }
        defer { for vector in vectors { vector.iov_base.deallocate() } }
        return vectors.withUnsafeBufferPointer(body)
    }

    @Test(arguments: crowds, [true, false])
    func everyoneGetsTheGroupsBytes(_ count: Int, _ usesRing: Bool) throws {
        let hand = try HandTurnedLoop()
        hand.loop.usesRing = usesRing
        let crowd = try (0..<count).map { _ in try hand.connect() }
        var batch = WriteBatch()
        for round in 0..<3 {
            // Half of them one piece, the other half two.
            pieces(["one \(round)"]) { one in
                pieces(["an", "other \(round)"]) { two in
                    batch.begin(one)
                    for (_, id) in crowd[..<(count / 2)] { batch.add(id) }
                    batch.begin(two)
                    for (_, id) in crowd[(count / 2)...] { batch.add(id) }
                    hand.loop.write(&batch)
                }
            }
            #expect(batch.short.isEmpty)
            batch.reset()
            for (number, (client, _)) in crowd.enumerated() {
                let expected = number < count / 2 ? "one \(round)" : "another \(round)"
                #expect(try client.receiveText(expected.utf8.count) == expected)
            }
        }
        if !usesRing { #expect(hand.loop.ring == nil) }
    }

    @Test(arguments: [true, false]) func saysWhoTookLess(_ usesRing: Bool) throws {
        let hand = try HandTurnedLoop()
        hand.loop.usesRing = usesRing
        let crowd = try (0..<20).map { _ in try hand.connect() }
        let (full, gone) = (crowd[7].1, crowd[19].1)
        let filler = String(repeating: "f", count: 1 << 20)
        while case .wrote = hand.write(full, filler) {}
        hand.loop.close(gone)
        var batch = WriteBatch()
        pieces(["for all"]) { text in
            batch.begin(text)
            for (_, id) in crowd[..<10] { batch.add(id) }
            batch.begin(text)
            for (_, id) in crowd[10...] { batch.add(id) }
            hand.loop.write(&batch)
        }
        #expect(batch.short.map(\.group) == [0, 1])
        #expect(batch.short.map(\.id) == [full, gone])
        #expect(batch.short.map(\.result) == [.wouldBlock, .failed(errno: EBADF)])
        for (client, id) in crowd where id != full && id != gone { #expect(try client.receiveText(7) == "for all") }
        // There is room again once it is read.
        let reader = try onThread { [client = crowd[7].0] in while try client.receive(1 << 20).count == 1 << 20 {} }
        try hand.turn { hand.recorder.writable == [full] }
        hand.loop.close(full)
        reader.join()
    }

    @Test(arguments: [true, false]) func aSendLargerThanTheRoomIsShort(_ usesRing: Bool) throws {
        let hand = try HandTurnedLoop()
        hand.loop.usesRing = usesRing
        let crowd = try (0..<SendRing.sendsMin).map { _ in try hand.connect() }
        var batch = WriteBatch()
        pieces([String(repeating: "x", count: 32 << 20)]) { text in
            batch.begin(text)
            for (_, id) in crowd { batch.add(id) }
            hand.loop.write(&batch)
        }
        #expect(batch.short.map(\.id) == crowd.map(\.1))
        for (short, (client, id)) in zip(batch.short, crowd) {
            guard case .wrote(let count) = short.result, count > 0, count < 32 << 20 else {
                Issue.record("took \(short.result)")
                continue
            }
            hand.loop.close(id)
            #expect(try client.receive(32 << 20).count == count)
        }
    }
}
