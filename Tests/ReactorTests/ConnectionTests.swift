import CLinux
import Glibc
import Testing

@testable import Reactor

@Suite struct ConnectionTests {
    @Test func echoesWhatArrives() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.recorder.onReceived = { id, bytes in
            #expect(hand.loop.write(id, Array(bytes)[...]) == .wrote(bytes.count))
        }
        for text in ["hello", "again"] {
            try client.send(text)
            hand.loop.turn()
            #expect(try client.receiveText(5) == text)
        }
        #expect(hand.recorder.text(id) == "helloagain")
        #expect(hand.loop.connectionCount == 1)
    }

    @Test func gathersPiecesIntoOneWrite() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        var (first, second): ([UInt8], [UInt8]) = (Array("one ".utf8), Array("two".utf8))
        first.withUnsafeMutableBytes { first in
            second.withUnsafeMutableBytes { second in
                let pieces = [
                    iovec(iov_base: first.baseAddress, iov_len: 4), iovec(iov_base: second.baseAddress, iov_len: 3),
                ]
                #expect(pieces.withUnsafeBufferPointer { hand.loop.write(id, $0) } == .wrote(7))
            }
        }
        #expect(try client.receiveText(7) == "one two")
    }

    @Test func acceptedSocketsSendAtOnceAndHoldLittleUnsent() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        defer { withExtendedLifetime(client) {} }
        for (option, expected) in [(TCP_NODELAY, 1), (TCP_NOTSENT_LOWAT, 16 * 1024)] as [(Int32, Int32)] {
            var value: Int32 = 0
            var length = socklen_t(4)
            getsockopt(id.descriptor, Int32(IPPROTO_TCP), option, &value, &length)
            #expect(value == expected)
        }
    }

    @Test func aShortWriteIsFollowedByWritable() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        let bytes = (0..<8 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        var rest = bytes[...]
        var shortWrites = 0
        func writeOn() {
            switch hand.loop.write(id, rest) {
            case .wrote(let count):
                if count < rest.count { shortWrites += 1 }
                rest = rest.dropFirst(count)
            case .wouldBlock: shortWrites += 1
            case .failed(let code): Issue.record("errno \(code)")
            }
        }
        hand.recorder.onWritable = { _ in writeOn() }
        writeOn()
        #expect(shortWrites == 1 && !rest.isEmpty)
        let whole = Lock<[UInt8]>([])
        let reader = try onThread {
            let received = try client.receive(8 << 20)
            whole.withLock { $0 = received }
        }
        try hand.turn { rest.isEmpty }
        reader.join()
        #expect(whole.withLock { $0 } == bytes)
        #expect(hand.recorder.writable.count >= shortWrites)
    }

    @Test func writableComesOnlyWhenItIsOwed() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.write(id, "a")
        try client.send("b")
        try hand.turn { hand.recorder.received[id] != nil }
        hand.turnOnce()
        #expect(hand.recorder.writable.isEmpty)
    }

    @Test func pausingLosesNoReadiness() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.loop.pauseReading(id)
        try client.send("before")
        hand.turnOnce()
        hand.turnOnce()
        #expect(hand.recorder.received[id] == nil)
        hand.loop.resumeReading(id)
        hand.loop.turn()
        #expect(hand.recorder.text(id) == "before")
        hand.loop.pauseReading(id)
        hand.loop.resumeReading(id)
        try client.send("after")
        hand.loop.turn()
        #expect(hand.recorder.text(id) == "beforeafter")
    }

    @Test func pausingAtEveryReadDeliversEverything() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.recorder.onReceived = { id, _ in
            hand.loop.pauseReading(id)
            hand.loop.schedule(at: hand.loop.now) { hand.loop.resumeReading(id) }
        }
        let bytes = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
        let writer = try onThread {
            try client.send(bytes)
            client.shutdownWrites()
        }
        try hand.turn { !hand.recorder.disconnects.isEmpty }
        writer.join()
        #expect(hand.recorder.received[id] == bytes)
        #expect(hand.recorder.disconnects == [.init(id: id, cause: .endOfStream)])
    }

    @Test func aStaleIDIsRefusedThoughItsDescriptorIsInUseAgain() throws {
        let hand = try HandTurnedLoop()
        var (client, old) = try hand.connect()
        var reused: ConnectionID?
        // The next connection waits in the backlog and takes the number that is free, unless another test is faster.
        for _ in 0..<200 where reused == nil {
            let next = try Client(port: hand.port)
            hand.loop.close(old)
            let count = hand.recorder.accepted.count
            try hand.turn { hand.recorder.accepted.count > count }
            let id = hand.recorder.accepted[count]
            if id.descriptor == old.descriptor { reused = id } else { old = id }
            client = next
        }
        let new = try #require(reused)
        #expect(new.generation != old.generation)
        #expect(!hand.loop.isOpen(old) && hand.loop.isOpen(new))
        #expect(hand.write(old, "x") == .failed(errno: EBADF))
        hand.loop.close(old)
        hand.loop.reset(old)
        hand.loop.pauseReading(old)
        hand.loop.shutdownWrites(old)
        try client.send("still here")
        try hand.turn { hand.recorder.received[new] != nil }
        #expect(hand.recorder.text(new) == "still here")
        #expect(hand.recorder.disconnects.isEmpty)
    }

    @Test func anEventOfAConnectionClosedEarlierInTheTurnIsDropped() throws {
        let hand = try HandTurnedLoop()
        let (first, one) = try hand.connect()
        let (second, two) = try hand.connect()
        hand.recorder.onReceived = { id, _ in hand.loop.close(id == one ? two : one) }
        try first.send("1")
        try second.send("2")
        hand.turnOnce()
        hand.turnOnce()
        #expect(hand.recorder.received.count == 1)
        #expect(hand.loop.connectionCount == 1)
    }

    @Test func aFloodDoesNotStarveTheOthers() throws {
        let hand = try HandTurnedLoop()
        let (flooder, flood) = try hand.connect()
        let (quiet, id) = try hand.connect()
        let isOver = Lock(false)
        let writer = try onThread {
            let block = [UInt8](repeating: 1, count: 1 << 20)
            while !isOver.withLock({ $0 }) { try flooder.send(block) }
            flooder.shutdownWrites()
        }
        try hand.turn { (hand.recorder.received[flood]?.count ?? 0) > 1 << 20 }
        for round in 1...50 {
            hand.recorder.received[flood] = []
            try quiet.send("q")
            var turns = 0
            while hand.recorder.received[id]?.count != round, turns < 20 {
                hand.recorder.received[flood] = []
                hand.turnOnce()
                #expect(hand.recorder.received[flood]!.count <= receiveBytesPerTurn)
                turns += 1
            }
            #expect(turns <= 3)
        }
        isOver.withLock { $0 = true }
        try hand.turn { !hand.recorder.disconnects.isEmpty }
        writer.join()
    }
}
