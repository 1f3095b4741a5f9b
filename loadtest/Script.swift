import ChatProtocol

/// The text that is streamed: the same in every run, so that a watcher can check each byte of it.
enum Script {
    /// Every token has as many bytes, so tokens can be counted in merged chunks.
    static let tokenBytes = 16
    /// A response is at most 1 MiB.
    static let tokensMax = (1 << 20) / tokenBytes

    /// A token: its number and a word, nothing that JSON escapes.
    static func token(_ index: Int) -> [UInt8] {
        let digits = String(index)
        return Array((String(repeating: "0", count: 8 - digits.count) + digits + " tokens ").utf8)
    }

    /// Whether bytes are the script's from an offset on.
    static func matches(_ bytes: some Collection<UInt8>, at offset: Int) -> Bool {
        guard offset % tokenBytes == 0, bytes.count % tokenBytes == 0 else { return false }
        let first = offset / tokenBytes
        return bytes.elementsEqual((first..<first + bytes.count / tokenBytes).lazy.flatMap(token))
    }

    /// A token as the frame in which the hub sends it.
    static func chunk(_ index: Int, room: RoomID, stream: StreamID) -> [UInt8] {
        token(index).withUnsafeBytes {
            ServerFrame.chunk(
                roomID: room, seq: UInt64(index + 1), streamID: stream, offset: index * tokenBytes, delta: $0)
        }
    }
}
