import CLinux
import Glibc
import Testing

@testable import Reactor

@Suite struct EventLoopTests {
    @Test func messagesOfEverySenderArriveInOrder() throws {
        let hand = try HandTurnedLoop()
        let mailbox = hand.loop.mailbox
        let senders = try (0..<4).map { sender in
            try onThread {
                for number in 0..<5000 { mailbox.post(.init(sender: sender, number: number)) }
            }
        }
        try hand.turn { hand.recorder.messages.count == 20_000 }
        for sender in senders { sender.join() }
        for sender in 0..<4 {
            #expect(hand.recorder.messages.filter { $0.sender == sender }.map(\.number) == Array(0..<5000))
        }
    }

    @Test func everyMessageWakesASleepingLoop() throws {
        let mailbox = try Mailbox<Recorder>()
        let answered = try WakeUp(blocking: true)
        let thread = try EventLoopThread.start(index: 3, mailbox: mailbox) { _ in Recorder() }
        for _ in 0..<1000 {
            mailbox.submit { loop in
                #expect(loop.index == 3)
                answered.signal()
            }
            answered.wait()
        }
        mailbox.submit { $0.stop() }
        thread.join()
        mailbox.submit { _ in Issue.record("the loop has ended") }
    }

    @Test func messagesAndWorkKeepTheirOrder() throws {
        let hand = try HandTurnedLoop()
        let mailbox = hand.loop.mailbox
        for number in 0..<10 {
            mailbox.post(.init(sender: 0, number: number))
            mailbox.submit { loop in #expect(loop.handler.messages.count == number + 1) }
        }
        hand.loop.turn()
        #expect(hand.recorder.messages.count == 10)
    }

    @Test func aMessageThatPostsAnotherDoesNotKeepTheLoopFromItsSockets() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        let mailbox = hand.loop.mailbox
        @Sendable func again(_ loop: EventLoop<Recorder>) { mailbox.submit(again) }
        mailbox.submit(again)
        hand.loop.turn()
        try client.send("x")
        hand.loop.turn()
        hand.loop.turn()
        #expect(hand.recorder.text(id) == "x")
    }

    @Test func whatATimerCausesIsDoneBeforeTheNextFires() throws {
        let hand = try HandTurnedLoop()
        var fired: [String] = []
        for name in ["idle", "speaks", "speaks next", "idle last"] {
            hand.loop.schedule(at: hand.loop.now) {
                fired.append(name)
                hand.recorder.hasWork = name.hasPrefix("speaks")
            }
        }
        usleep(2000)
        hand.turnOnce()
        #expect(fired == ["idle", "speaks"])
        hand.turnOnce()
        #expect(fired == ["idle", "speaks", "speaks next"])
        hand.turnOnce()
        #expect(fired.count == 4)
    }

    @Test func aTurnWithOtherWorkFiresAllTimersThatAreDue() throws {
        let hand = try HandTurnedLoop()
        let (client, _) = try hand.connect()
        var fired = 0
        for _ in 0..<3 {
            hand.loop.schedule(at: hand.loop.now) {
                fired += 1
                hand.recorder.hasWork = true
            }
        }
        hand.recorder.onReceived = { _, _ in hand.recorder.hasWork = true }
        try client.send("x")
        usleep(2000)
        hand.turnOnce()
        #expect(fired == 3)
    }

    @Test func aFailureToMakeTheHandlerReachesTheStarter() throws {
        let mailbox = try Mailbox<Recorder>()
        #expect(throws: SystemError("bind", errno: EADDRINUSE)) {
            try EventLoopThread.start(index: 0, mailbox: mailbox) { _ throws(SystemError) in
                throw SystemError("bind", errno: EADDRINUSE)
            }
        }
    }

    @Test func timersFireInOrderAndCancelledOnesDoNot() throws {
        let hand = try HandTurnedLoop()
        var fired: [Int] = []
        let start = hand.loop.now
        for number in [3, 1, 2] {
            hand.loop.schedule(at: start + UInt64(number) * 2_000_000) { fired.append(number) }
        }
        let cancelled = hand.loop.schedule(at: start + 3_000_000) { fired.append(-1) }
        hand.loop.cancel(cancelled)
        try hand.turn { fired.count == 3 }
        #expect(fired == [1, 2, 3])
        #expect(hand.loop.now >= start + 6_000_000)
    }

    @Test func aTimerThatSchedulesItselfFiresOncePerTurn() throws {
        let hand = try HandTurnedLoop()
        var fired = 0
        func again() {
            fired += 1
            hand.loop.schedule(at: 0, again)
        }
        hand.loop.schedule(at: 0, again)
        let turnsBefore = hand.recorder.turns
        try hand.turn { fired == 3 }
        #expect(hand.recorder.turns - turnsBefore >= 3)
    }

    /// A process that was stopped finds its timers late, and perhaps looked at its sockets just before.
    @Test func afterAStandstillTheSocketsAreLookedAtBeforeTimersFire() throws {
        let hand = try HandTurnedLoop()
        hand.loop.standstillNanoseconds = 0
        var fired = 0
        let due = hand.loop.now + 1_000_000
        hand.loop.schedule(at: due) { fired += 1 }
        while hand.loop.readClock() < due + 2_000_000 {}
        hand.turnOnce()
        #expect(fired == 0)
        hand.turnOnce()
        #expect(fired == 1)
    }

    @Test func aLoopIsNotWokenBeforeItsTimer() throws {
        let hand = try HandTurnedLoop()
        var isDue = false
        hand.loop.schedule(at: hand.loop.now + 20_000_000) { isDue = true }
        try hand.turn { isDue }
        #expect(hand.recorder.turns <= 4)
    }

    @Test func watchesAForeignDescriptorLevelTriggered() throws {
        let hand = try HandTurnedLoop()
        var ends: (read: Int32, write: Int32) = (0, 0)
        let result = withUnsafeMutablePointer(to: &ends) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) { pipe($0) }
        }
        try #require(result == 0)
        defer { close(ends.read) }
        var seen: [Interest] = []
        try hand.loop.watch(descriptor: ends.read, .read) { seen.append($0) }
        hand.turnOnce()
        #expect(seen == [])
        try #require(write(ends.write, "x", 1) == 1)
        hand.turnOnce()
        hand.turnOnce()
        #expect(seen == [.read, .read])
        hand.loop.unwatch(descriptor: ends.read)
        hand.turnOnce()
        #expect(seen == [.read, .read])
        try hand.loop.watch(descriptor: ends.read, .read) { ready in
            seen = [ready]
            hand.loop.unwatch(descriptor: ends.read)
        }
        var byte: UInt8 = 0
        try #require(read(ends.read, &byte, 1) == 1)
        close(ends.write)
        hand.turnOnce()
        hand.turnOnce()
        #expect(seen == [[.read, .write]])
    }

    @Test func watchingAgainChangesTheInterest() throws {
        let hand = try HandTurnedLoop()
        var pair: (Int32, Int32) = (0, 0)
        let result = withUnsafeMutablePointer(to: &pair) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) {
                socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, $0)
            }
        }
        try #require(result == 0)
        defer {
            close(pair.0)
            close(pair.1)
        }
        var seen: [Interest] = []
        try hand.loop.watch(descriptor: pair.0, .read) { _ in Issue.record("replaced before it was ready") }
        try hand.loop.watch(descriptor: pair.0, .write) { seen.append($0) }
        hand.turnOnce()
        #expect(seen == [.write])
        try #require(write(pair.1, "x", 1) == 1)
        try hand.loop.watch(descriptor: pair.0, [.read, .write]) { seen.append($0) }
        hand.turnOnce()
        #expect(seen == [.write, [.read, .write]])
        hand.loop.unwatch(descriptor: pair.0)
        hand.loop.unwatch(descriptor: pair.0)
    }

    @Test func aFileThatCannotBeWatchedIsRefused() throws {
        let hand = try HandTurnedLoop()
        let file = open("/dev/null", O_RDONLY)
        defer { close(file) }
        #expect(throws: SystemError("epoll_ctl", errno: EPERM)) {
            try hand.loop.watch(descriptor: file, .read) { _ in }
        }
    }
}
