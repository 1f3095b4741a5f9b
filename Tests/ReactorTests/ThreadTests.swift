import CLinux
import Glibc
import Testing

@testable import Reactor
@testable import Telemetry

@Suite struct ThreadTests {
    @Test func aWorkerRunsItsJobsInOrderAndDrainsAtShutdown() throws {
        let worker = try WorkerThread(name: "worker")
        let done = Lock<[Int]>([])
        for number in 0..<10_000 { worker.submit { done.withLock { $0.append(number) } } }
        worker.shutdown()
        #expect(done.withLock { $0 } == Array(0..<10_000))
    }

    @Test func anIdleWorkerShutsDown() throws {
        let worker = try WorkerThread(name: "a name that is longer than fifteen bytes")
        worker.shutdown()
    }

    @Test func aLockAdmitsOneThreadAtATime() throws {
        let counter = Lock(0)
        let threads = try (0..<4).map { _ in
            try onThread {
                for _ in 0..<10_000 { counter.withLock { $0 += 1 } }
            }
        }
        for thread in threads { thread.join() }
        #expect(counter.withLock { $0 } == 40_000)
    }

    /// In a process of its own, which may be signalled.
    @Test func aSignalArrivesAsAnEvent() async {
        await #expect(processExitsWith: .success) {
            SignalWatcher.block()
            let watcher = try SignalWatcher()
            let hand = try HandTurnedLoop()
            var seen: [Int32] = []
            try hand.loop.watch(descriptor: watcher.descriptor, .read) { _ in
                while let signal = watcher.next() { seen.append(signal) }
            }
            // To this thread: those that the test runner started before do not block the signal.
            pthread_kill(pthread_self(), SIGTERM)
            try hand.turn { !seen.isEmpty }
            try #require(seen == [SIGTERM])
        }
    }
}

@Suite struct PeerAddressTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:80"), ("localhost", "127.0.0.1", "127.0.0.1:80"),
        ("::1", "::1", "[::1]:80"), ("2001:DB8::7", "2001:db8::7", "[2001:db8::7]:80"),
        ("::ffff:10.1.2.3", "10.1.2.3", "10.1.2.3:80"), ("0.0.0.0", "0.0.0.0", "0.0.0.0:80"),
    ])
    func readsAndWritesLiterals(_ literal: String, _ host: String, _ description: String) throws {
        let address = try #require(PeerAddress(host: literal, port: 80))
        #expect(address.host == host)
        #expect(address.description == description)
    }

    @Test(arguments: ["127.0.0.1", "::1", "2001:db8::7"])
    func survivesTheKernelsForm(_ host: String) throws {
        let address = try #require(PeerAddress(host: host, port: 8080))
        var storage = sockaddr_storage()
        address.withSocketAddress { source, length in
            withUnsafeMutableBytes(of: &storage) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: Int(length)))
            }
        }
        #expect(PeerAddress(storage) == address)
    }

    @Test func anErrorNamesItsCallAndItsReason() {
        #expect("\(SystemError("bind", errno: EADDRINUSE))" == "bind: Address already in use (98)")
    }
}

@Suite struct LogTests {
    @Test func aLineHasATimeALevelAMessageAndFields() {
        let time = timespec(tv_sec: 1_767_225_599, tv_nsec: 7_000_000)
        let line = Log.line(.info, "listening", ["host": "::1", "port": "8080"], lost: 0, time: time)
        #expect(line == "2025-12-31T23:59:59.007Z info listening host=\"::1\" port=\"8080\"\n")
    }

    @Test func nothingInAFieldCanForgeAnotherLineOrField() {
        let line = Log.line(
            .warning, "odd\nmessage", ["value": "a\" b=\"c\\\r\n\u{1b}[31m"], lost: 2, time: timespec())
        let expected = #"odd\nmessage value="a\" b=\"c\\\r\n\u{1b}[31m" lost_lines="2""#
        #expect(line == "1970-01-01T00:00:00.000Z warning \(expected)\n")
    }
}
