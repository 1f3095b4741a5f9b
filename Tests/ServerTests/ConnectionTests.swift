import Chat
import ChatProtocol
import Reactor
import Testing
import Wire

@testable import Server

/// What the shell's connections are made of, without a socket.
@Suite struct ConnectionTests {
    // MARK: - What is sent

    @Test func bytesLeaveInOrderHoweverManyAreTaken() {
        var outgoing = OutgoingBytes()
        var sent: [UInt8] = []
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0) }
        outgoing.append(Array(bytes[..<6_000]))
        var step = 1
        while !outgoing.isEmpty {
            let count = min(step, outgoing.count)
            sent += outgoing.withUnsafeBytes { Array($0[..<count]) }
            outgoing.take(count)
            if step == 4 { outgoing.append(Array(bytes[6_000...])) }
            step += 3
        }
        #expect(sent == bytes)
        #expect(outgoing.heldBytes == 0 && outgoing.count == 0)
    }

    @Test func whatWasTakenIsHeldUntilAllIsTaken() {
        var outgoing = OutgoingBytes()
        outgoing.append(Array(repeating: 7, count: 100))
        outgoing.take(99)
        #expect(outgoing.count == 1 && outgoing.heldBytes == 100, "nothing was moved")
        outgoing.take(1)
        #expect(outgoing.heldBytes == 0)
    }

    // MARK: - The total

    @Test func aConnectionMayHoldAQuarterOfWhatIsFree() {
        let memory = ConnectionMemory(bytesMax: 1_000)
        #expect(memory.change(from: 0, to: 250))
        #expect(!memory.change(from: 250, to: 251))
        #expect(memory.change(from: 251, to: 0))
        #expect(memory.change(from: 0, to: 200))
        // Beside 200 another may hold a quarter of 800.
        #expect(memory.change(from: 0, to: 200) && !memory.change(from: 200, to: 201))
        #expect(memory.heldBytes == 401)
        #expect(memory.change(from: 201, to: 100) && memory.heldBytes == 300)
    }

    @Test func howeverManyTryTheTotalStaysWithinItsLimitAndSmallOnesStillFit() {
        let memory = ConnectionMemory(bytesMax: 1 << 20)
        for size in [1 << 20, 1 << 16, 1 << 12, 1 << 8] {
            for _ in 0..<10_000 where !memory.change(from: 0, to: size) { _ = memory.change(from: size, to: 0) }
            #expect(memory.heldBytes <= 1 << 20)
            #expect(memory.change(from: 0, to: size / 16), "a smaller one fits")
            #expect(memory.change(from: size / 16, to: 0))
        }
        #expect(memory.change(from: 0, to: 0), "who holds nothing is not refused")
    }

    @Test func anAnswerThatTheKernelTakesAtOnceAlwaysFits() {
        let memory = ConnectionMemory(bytesMax: 100_000)
        _ = memory.change(from: 0, to: 60_000)
        #expect(memory.hasRoom(for: ConnectionMemory.sureBytes))
        #expect(!memory.hasRoom(for: ConnectionMemory.sureBytes + 1))
        _ = memory.change(from: 60_000, to: 0)
        #expect(memory.hasRoom(for: 25_000) && !memory.hasRoom(for: 25_001))
    }

    // MARK: - Pages of history

    @Test func aFewPagesAreReadAtATimeAndTheFirstToAskIsTheFirstToBeRead() {
        var reads = HistoryReads()
        let ids = (0..<100).map { ConnectionID(descriptor: $0, generation: 1) }
        let questions = ids.map { ConnectionRef(loop: 0, descriptor: $0.descriptor, generation: 1, question: 7) }
        for id in ids { reads.wait(id) }
        func begin() -> Int {
            var begun = 0
            while let id = reads.take() {
                reads.began(questions[Int(id.descriptor)])
                order.append(id)
                begun += 1
            }
            return begun
        }
        var order: [ConnectionID] = []
        #expect(begin() == HistoryReads.atOnce)
        let early = reads.ended(questions[99])
        #expect(!early, "it has not begun")
        for question in questions where question.descriptor != 50 {
            let ends = (reads.ended(question), reads.ended(question))
            #expect(ends == (true, false), "once")
            // One that is gone by now takes nobody's place.
            if order.count == 50, let gone = reads.take() { order.append(gone) }
            #expect(begin() <= 1)
            if order.count == 100 { break }
        }
        #expect(order == ids)
    }

    // MARK: - What is held of a WebSocket

    @Test func heldEventsLeaveInTheirOrderAndAreCounted() {
        var held = HeldEvents()
        #expect(held.isEmpty && held.popFirst() == nil)
        for number in 0..<10 { held.append(.text(Array(repeating: UInt8(number), count: number))) }
        #expect(held.heldBytes == 45 + 10 * HeldEvents.overheadBytes)
        for number in 0..<5 { #expect(held.popFirst() == .text(Array(repeating: UInt8(number), count: number))) }
        held.append(.ping([1]))
        #expect(held.heldBytes == 36 + 6 * HeldEvents.overheadBytes)
        while let event = held.popFirst() { if held.isEmpty { #expect(event == .ping([1])) } }
        #expect(held.isEmpty && held.heldBytes == 0)
    }
}
