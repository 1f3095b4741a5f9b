import CLinux
import Glibc
import Testing

@testable import Reactor

@Suite struct DisconnectTests {
    @Test func everythingThatArrivedComesBeforeTheEnd() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.recorder.onDisconnected = { id in
            #expect(hand.recorder.text(id) == "last words")
            #expect(hand.loop.isOpen(id))
        }
        try client.send("last words")
        client.shutdownWrites()
        try hand.turn { !hand.recorder.disconnects.isEmpty }
        hand.turnOnce()
        #expect(hand.recorder.disconnects == [.init(id: id, cause: .endOfStream)])
        #expect(!hand.loop.isOpen(id))
        #expect(hand.loop.connectionCount == 0)
        #expect(try client.receive(1) == [])
    }

    @Test func aConnectionKeptOpenStillAnswers() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.recorder.onDisconnected = { hand.loop.keepOpen($0) }
        try client.send("question")
        client.shutdownWrites()
        try hand.turn { !hand.recorder.disconnects.isEmpty }
        #expect(hand.loop.isOpen(id))
        #expect(hand.write(id, "answer") == .wrote(6))
        hand.loop.close(id)
        #expect(try client.receiveText(7) == "answer")
        hand.turnOnce()
        #expect(hand.recorder.disconnects.count == 1)
    }

    @Test func aConnectionKeptOpenEndsForGoodWithAReset() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.recorder.onDisconnected = { hand.loop.keepOpen($0) }
        client.shutdownWrites()
        try hand.turn { hand.recorder.disconnects.count == 1 }
        client.reset()
        hand.write(id, "anyone?")
        try hand.turn { hand.recorder.disconnects.count == 2 }
        #expect(hand.recorder.disconnects.last != .init(id: id, cause: .endOfStream) || !hand.loop.isOpen(id))
        #expect(hand.loop.connectionCount == 0)
    }

    @Test func aResetIsReportedAsSuch() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        client.reset()
        try hand.turn { !hand.recorder.disconnects.isEmpty }
        #expect(hand.recorder.disconnects == [.init(id: id, cause: .reset)])
        #expect(!hand.loop.isOpen(id))
    }

    @Test func aPausedConnectionReportsAResetButNotTheEndOfItsStream() throws {
        let hand = try HandTurnedLoop()
        let (resetting, one) = try hand.connect()
        let (ending, two) = try hand.connect()
        hand.loop.pauseReading(one)
        hand.loop.pauseReading(two)
        try ending.send("unread")
        ending.shutdownWrites()
        resetting.reset()
        try hand.turn { !hand.recorder.disconnects.isEmpty }
        hand.turnOnce()
        #expect(hand.recorder.disconnects == [.init(id: one, cause: .reset)])
        hand.loop.resumeReading(two)
        try hand.turn { hand.recorder.disconnects.count == 2 }
        #expect(hand.recorder.text(two) == "unread")
        #expect(hand.recorder.disconnects.last == .init(id: two, cause: .endOfStream))
    }

    @Test func afterShutdownWritesThePeerMayStillSend() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.loop.shutdownWrites(id)
        #expect(try client.receive(1) == [])
        try client.send("more")
        try hand.turn { hand.recorder.received[id] != nil }
        #expect(hand.recorder.text(id) == "more")
        #expect(hand.write(id, "x") == .failed(errno: EPIPE))
    }

    @Test func ourOwnCloseIsNotReported() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.loop.close(id)
        #expect(try client.receive(1) == [])
        hand.turnOnce()
        #expect(hand.recorder.disconnects.isEmpty)
    }

    @Test func ourOwnResetReachesThePeer() throws {
        let hand = try HandTurnedLoop()
        let (client, id) = try hand.connect()
        hand.loop.reset(id)
        #expect(throws: SystemError("recv", errno: ECONNRESET)) { try client.receive(1) }
        hand.turnOnce()
        #expect(hand.recorder.disconnects.isEmpty)
    }

    @Test func connectsFromAChosenAddress() throws {
        let hand = try HandTurnedLoop()
        let source = try #require(PeerAddress(host: "127.0.0.9", port: 0))
        let target = try #require(PeerAddress(host: "127.0.0.1", port: hand.port))
        let id = try hand.loop.connect(to: target, from: source)
        try hand.turn { hand.recorder.writable == [id] && hand.recorder.accepted.count == 1 }
        #expect(hand.loop.connectionCount == 2)
        hand.write(id, "from .9")
        try hand.turn { hand.recorder.received[hand.recorder.accepted[0]] != nil }
    }

    @Test func aRefusedConnectFailsByName() throws {
        let hand = try HandTurnedLoop()
        hand.loop.stopListening()
        let target = try #require(PeerAddress(host: "127.0.0.1", port: hand.port))
        // Loopback may answer within the call.
        do throws(SystemError) {
            let id = try hand.loop.connect(to: target)
            try? hand.turn { !hand.recorder.disconnects.isEmpty }
            #expect(hand.recorder.disconnects == [.init(id: id, cause: .failed(errno: ECONNREFUSED))])
        } catch {
            #expect(error == SystemError("connect", errno: ECONNREFUSED))
        }
        #expect(hand.recorder.writable.isEmpty)
        #expect(hand.loop.connectionCount == 0)
    }

    @Test func anAdoptedSocketIsServedLikeAnyOther() throws {
        let hand = try HandTurnedLoop()
        var pair: (Int32, Int32) = (0, 0)
        let result = withUnsafeMutablePointer(to: &pair) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) {
                socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, $0)
            }
        }
        try #require(result == 0)
        let id = try hand.loop.adopt(pair.0)
        try #require(write(pair.1, "hi", 2) == 2)
        try hand.turn { hand.recorder.received[id] != nil }
        #expect(hand.recorder.text(id) == "hi")
        close(pair.1)
        try hand.turn { !hand.recorder.disconnects.isEmpty }
        #expect(hand.recorder.disconnects == [.init(id: id, cause: .endOfStream)])
    }
}
