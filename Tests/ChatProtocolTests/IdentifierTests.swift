import ChatProtocol
import Testing

struct IdentifierTests {
    /// A stream's identifier comes from outside unchecked, as the end of an event's `id`.
    @Test func equalsOnlyTheSameBytes() {
        let streams = [StreamID("\u{E9}"), StreamID("e\u{301}"), StreamID("\u{E9}")]
        #expect(streams[0] == streams[2] && streams[0] != streams[1] && Set(streams).count == 2)
    }

    @Test func findsASlotBehindItsPrefixOnly() {
        #expect(Slot(in: "stream_1a2b3c", prefix: "stream_") == Slot(0x1A2B))
        for text in ["stream_1a2", "stream_xyzw", "session_1a2b", "\u{301}stream_1a2b", ""] {
            #expect(Slot(in: text, prefix: "stream_") == nil)
        }
    }
}
