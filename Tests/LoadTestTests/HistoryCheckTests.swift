import ChatProtocol
import Testing
import Wire

@testable import loadtest

struct HistoryCheckTests {
    @Test func whatIsStoredOnceAndRightPasses() throws {
        let play = try playedToItsEnd()
        try check(play, [page([exchange(play)])])
        #expect(play.tally.history.checked == 1)
        #expect(play.tally.history.mismatchCount == 0)
    }

    @Test func pagesAreReadToTheLast() throws {
        let play = try playedToItsEnd()
        try check(play, [page([], nextBefore: "exchange_1"), page([exchange(play)])])
        #expect(play.tally.history.mismatchCount == 0)
    }

    @Test func aMessageThatIsMissingIsFound() throws {
        let play = try playedToItsEnd()
        try check(play, [page([])])
        #expect(
            play.tally.history.mismatches.map(\.what) == [
                "a message that was acknowledged is in the history 0 times"
            ])
    }

    @Test func aMessageThatWasNotAcknowledgedMayBeMissing() throws {
        let play = try playedToItsEnd()
        play.exchange.isAcknowledged = false
        try check(play, [page([])])
        #expect(play.tally.history.mismatchCount == 0)
    }

    @Test func aMessageThatIsThereTwiceIsFound() throws {
        let play = try playedToItsEnd()
        try check(play, [page([exchange(play), exchange(play)])])
        #expect(
            play.tally.history.mismatches.map(\.what) == [
                "a message that was acknowledged is in the history 2 times"
            ])
    }

    @Test func anotherTextIsFound() throws {
        let play = try playedToItsEnd()
        var text = play.text
        text[50] ^= 1
        try check(play, [page([exchange(play, text: text)])])
        #expect(play.tally.history.mismatches.map(\.what) == ["the stored text differs from what the watchers got"])
    }

    @Test func anotherStatusIsFound() throws {
        let play = try playedToItsEnd()
        try check(play, [page([exchange(play, status: "interrupted")])])
        #expect(
            play.tally.history.mismatches.map(\.what) == [
                "the history has another status than the watchers got"
            ])
    }

    private func playedToItsEnd() throws -> Play {
        let play = try Play()
        for watcher in play.watchers { play.feed(play.log, to: watcher) }
        try play.expectNothingWrong()
        return play
    }

    /// Answers the requests of a check, which are numbered from 1.
    private func check(_ play: Play, _ pages: [JSONObject]) throws {
        for (index, page) in pages.enumerated() {
            var frame = page
            frame["id"] = .string(String(index + 1))
            let bytes = JSONValue.object(frame).compact
            play.engine.schedule(at: UInt64(index)) { play.feed([bytes], to: play.room.author) }
        }
        try HistoryCheck(play.room).run(play.engine)
    }

    private func page(_ exchanges: [JSONValue], nextBefore: String? = nil) -> JSONObject {
        var page: JSONObject = ["type": "ack", "for": "history", "exchanges": .array(exchanges)]
        page["next_before"] = nextBefore.map(JSONValue.string)
        return page
    }

    private func exchange(_ play: Play, text: [UInt8]? = nil, status: String = "completed") -> JSONValue {
        let message: JSONValue = ["message_id": "message_1", "text": .string(play.exchange.messageText)]
        return [
            "exchange_id": .string(Play.exchangeID.text), "status": .string(status), "messages": [message],
            "text": .string(String(decoding: text ?? play.text, as: UTF8.self)),
        ]
    }
}
