import CLinux
import Glibc
import Testing

@testable import Reactor

@Suite struct ListeningTests {
    @Test func twoLoopsShareAPort() throws {
        let first = try HandTurnedLoop(reusePort: true)
        let second = try HandTurnedLoop(port: first.port, reusePort: true)
        #expect(second.port == first.port)
        let clients = try (0..<64).map { _ in try Client(port: first.port) }
        for _ in 0..<100 where first.loop.connectionCount + second.loop.connectionCount < clients.count {
            first.turnOnce()
            second.turnOnce()
        }
        #expect(first.loop.connectionCount + second.loop.connectionCount == clients.count)
        #expect(first.loop.connectionCount > 0 && second.loop.connectionCount > 0)
    }

    @Test func withoutSharingThePortIsTaken() throws {
        let first = try HandTurnedLoop()
        #expect(throws: SystemError("bind", errno: EADDRINUSE)) { try HandTurnedLoop(port: first.port) }
    }

    @Test func manyConnectionsAtOnceAreAllAccepted() throws {
        let hand = try HandTurnedLoop()
        let clients = try (0..<300).map { _ in try Client(port: hand.port) }
        try hand.turn { hand.loop.connectionCount == clients.count }
        #expect(Set(hand.recorder.accepted).count == clients.count)
        #expect(hand.recorder.turns >= 300 / 64)
    }

    @Test func afterStopListeningConnectionsStayAndNewOnesAreRefused() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.loop.stopListening()
        #expect(throws: SystemError("connect", errno: ECONNREFUSED)) { try Client(port: hand.port) }
        hand.write(id, "ok")
        #expect(try client.receiveText(2) == "ok")
    }

    @Test(arguments: ["", "example.org", "127.0.0.256", "localhost:80"])
    func aHostThatIsNoLiteralIsRefused(_ host: String) throws {
        let hand = try HandTurnedLoop()
        #expect(throws: SystemError("inet_pton", errno: EINVAL)) {
            try hand.loop.listen(host: host, port: 0, reusePort: false)
        }
    }

    /// In a process of its own, whose limit nobody else minds.
    @Test func atTheDescriptorLimitAcceptingWaitsWithoutSpinning() async {
        await #expect(processExitsWith: .success) {
            let hand = try HandTurnedLoop()
            let clients = try (0..<3).map { _ in try Client(port: hand.port) }
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let usual = limit.rlim_cur
            // The lowest free number is the limit, so one connection cannot be accepted.
            let free = dup(0)
            close(free)
            limit.rlim_cur = rlim_t(free)
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            hand.turnOnce()
            try #require(hand.loop.connectionCount == 0)
            let turnsBefore = hand.recorder.turns
            var isRestored = false
            hand.loop.schedule(at: hand.loop.now + 150_000_000) {
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                limit.rlim_cur = usual
                isRestored = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
            }
            try hand.turn { hand.loop.connectionCount == clients.count }
            try #require(isRestored)
            try #require(hand.recorder.turns - turnsBefore < 20)
        }
    }

    /// Connections that wait are taken when others go; the reserve is not touched, whoever else takes descriptors.
    @Test func acceptingLeavesTheReserveAlone() async {
        await #expect(processExitsWith: .success) {
            let hand = try HandTurnedLoop()
            let clients = try (0..<6).map { _ in try Client(port: hand.port) }
            // The lowest numbers that are free; the test's process may have been given some between them.
            let free = (0..<3).map { _ in dup(0) }
            for number in free { close(number) }
            // Two more numbers are for connections.
            hand.loop.acceptedDescriptorsMax = free[2]
            hand.turnOnce()
            let first = try #require(hand.recorder.accepted.first)
            // The first one tells how near it is.
            try #require(hand.recorder.accepted.map(\.descriptor) == [free[0], free[1]])
            hand.turnOnce()
            try #require(hand.loop.connectionCount == 2)
            let taken = dup(0)
            try #require(taken == free[2], "the reserve is there for others")
            close(taken)
            hand.loop.close(first)
            try hand.turn { hand.recorder.accepted.count == 3 }
            try #require(hand.recorder.accepted[2].descriptor == free[0])
            try #require(clients.count == 6)
        }
    }
}
