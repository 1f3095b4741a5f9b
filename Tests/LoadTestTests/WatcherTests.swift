import ChatProtocol
import Testing
import Wire

@testable import loadtest

/// What a load test is for: whatever a hub could do wrong to a watcher is found, and nothing else.
struct WatcherTests {
    @Test func rightFramesPass() throws {
        let play = try Play()
        for watcher in play.watchers { play.feed(play.log, to: watcher) }
        try play.expectNothingWrong()
        #expect(play.exchange.end == .settled("completed", length: 80))
        #expect(play.tally.delivered == 8)
        #expect(play.room.isSettled)
    }

    @Test func latencyCountsFromTheStamp() throws {
        let play = try Play()
        play.tally.isRecording = true
        for watcher in play.watchers { play.feed(play.log, to: watcher) }
        try play.expectNothingWrong()
        #expect(play.tally.sinceEmission.count == 8)
        // What was said at half of the clock's time is at least as old as that.
        #expect(play.tally.sinceEmission.min >= play.saidAt)
    }

    @Test(arguments: [0, 1]) func mergedFramesPass(which: Int) throws {
        let play = try Play()
        let merged = [play.message, play.started, play.chunk(tokens: 0..<3, seq: 5), play.log[5], play.ended]
        play.feed(which == 0 ? play.log : merged, to: play.watchers[0])
        play.feed(which == 0 ? merged : play.log, to: play.watchers[1])
        try play.expectNothingWrong()
        #expect(play.tally.delivered == 8)
    }

    @Test func chunksOfSeveralStreamsPass() throws {
        let play = try Play()
        let part = ChunkPart(streamID: Play.stream, kind: .text, offset: 0, delta: play.text[0..<60])
        let chunks = ServerFrame.chunks(roomID: Play.room, firstSeq: 3, seq: 5, parts: [part])
        play.feed([play.message, play.started, chunks, play.log[5], play.ended], to: play.watchers[0])
        try play.expectNothingWrong()
    }

    @Test func aPositionThatIsLeftOutIsFound() throws {
        let play = try Play()
        play.feed(play.log.enumerated().filter { $0.offset != 3 }.map(\.element), to: play.watchers[0])
        play.expect("its log has a gap: 3 is followed by 5")
    }

    @Test func aFrameThatComesTwiceIsFound() throws {
        let play = try Play()
        play.feed(play.log, to: play.watchers[0])
        play.feed(Array(play.log[0...2]) + [play.log[2]], to: play.watchers[1])
        play.expect("its log has a gap: 3 is followed by 3")
    }

    @Test(arguments: [0, 1]) func aWrongByteIsFound(first: Int) throws {
        let play = try Play()
        if first == 1 { play.feed(play.log, to: play.watchers[0]) }
        var text = play.text
        text[37] ^= 1
        let wrong = play.chunk(tokens: 1..<2, seq: 4, of: text)
        play.feed(Array(play.log[0...2]) + [wrong], to: play.watchers[first])
        play.expect("offset 37")
        #expect(play.tally.arrivals.mismatches.first?.offset == 37)
        #expect(play.tally.arrivals.mismatches.first?.stream == Play.stream.text)
        #expect(play.tally.arrivals.mismatches.first?.room == Play.room.text)
    }

    @Test func aStampThatOneGotAndAnotherNotIsFound() throws {
        let play = try Play()
        play.feed(play.log, to: play.watchers[0])
        var text = play.text
        text[25] = text[25] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
        play.feed(Array(play.log[0...2]) + [play.chunk(tokens: 1..<2, seq: 4, of: text)], to: play.watchers[1])
        play.expect("offset 25")
    }

    @Test func aPieceThatLeavesAHoleIsFound() throws {
        let play = try Play()
        play.feed(play.log, to: play.watchers[0])
        play.feed(Array(play.log[0...2]) + [play.chunk(tokens: 2..<3, seq: 4)], to: play.watchers[1])
        play.expect("a piece from 40 on, where the text ends at 20")
    }

    @Test func anotherLengthIsFound() throws {
        let play = try Play()
        play.feed(Array(play.log[0...4]) + [play.end("completed", length: 80, seq: 6)], to: play.watchers[0])
        play.expect("its text has 60 bytes, and stream-ended says 80")
    }

    @Test func anotherEndThanOthersGotIsFound() throws {
        let play = try Play()
        play.feed(play.log, to: play.watchers[0])
        play.feed(Array(play.log[0...5]) + [play.end("cancelled", length: 80, seq: 7)], to: play.watchers[1])
        play.expect("another end")
    }

    @Test func anAnswerThatFailedIsFound() throws {
        let play = try Play()
        play.feed(Array(play.log[0...5]) + [play.end("failed", length: 80, seq: 7)], to: play.watchers[0])
        play.expect("an answer failed")
    }

    @Test func aPieceBehindTheEndIsFound() throws {
        let play = try Play()
        play.feed(play.log + [play.chunk(tokens: 3..<4, seq: 8)], to: play.watchers[0])
        play.expect("a piece of a stream that does not run")
    }

    @Test func whatNobodySentIsFound() throws {
        let play = try Play()
        play.feed([play.message(text: "other", seq: 1)], to: play.watchers[0])
        play.expect("a message that nobody sent")
    }

    @Test func anUnknownFrameIsFound() throws {
        let play = try Play()
        play.feed([Array(#"{"type":"surprise"}"#.utf8)], to: play.watchers[0])
        play.expect("surprise")
    }

    // MARK: - Snapshots

    @Test func aSnapshotReplacesWhatAWatcherHas() throws {
        let play = try Play()
        play.feed(play.log, to: play.watchers[0])
        play.feed(Array(play.log[0...2]), to: play.watchers[1])
        play.feed([play.snapshot(text: play.text[0..<60], seq: 5), play.log[5], play.ended], to: play.watchers[1])
        try play.expectNothingWrong()
        #expect(play.watchers[1].snapshots == 1)
        #expect(play.room.isSettled)
    }

    @Test func aSnapshotWithAnotherTextIsFound() throws {
        let play = try Play()
        play.feed(play.log, to: play.watchers[0])
        var text = play.text
        text[30] ^= 1
        play.feed([play.snapshot(text: text[0..<60], seq: 5)], to: play.watchers[1])
        play.expect("a snapshot has another text")
    }

    @Test func whatFollowsASnapshotMustGoOnFromIt() throws {
        let play = try Play()
        play.feed(play.log, to: play.watchers[0])
        play.feed([play.snapshot(text: play.text[0..<40], seq: 4), play.log[5]], to: play.watchers[1])
        play.expect("its log has a gap: 4 is followed by 6")
    }

    @Test func aTextThatIsKeptAsADigestIsStillCompared() throws {
        let play = try Play()
        play.feed(play.log, to: play.watchers[0])
        play.exchange.forgetPieces()
        var wrong = play.text
        wrong[79] ^= 1
        #expect(play.text.withUnsafeBytes { play.exchange.text.isWhole($0) })
        #expect(!wrong.withUnsafeBytes { play.exchange.text.isWhole($0) })
        #expect(!play.text.dropLast().withUnsafeBytes { play.exchange.text.isWhole($0) })
    }
}
