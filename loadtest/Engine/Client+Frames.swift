import Glibc
import Wire

// What a client reads: the response to its upgrade, then frames, each where it was received.
extension Client {
    /// A key, and what it makes a server answer (RFC 6455 section 1.3).
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    private static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    private static let responseBytesMax = 16_384

    /// Takes what is whole; returns its size.
    final func take(_ bytes: UnsafeRawBufferPointer) -> Int {  // HOT
        var position = 0
        if state == .handshaking {
            guard let count = takeResponse(bytes) else { return 0 }
            position = count
        }
        let base = bytes.baseAddress!
        while state == .open, bytes.count - position >= 2 {
            let start = base + position
            let left = bytes.count - position
            let (first, second) = (start.load(as: UInt8.self), start.load(fromByteOffset: 1, as: UInt8.self))
            var count = Int(second)
            var header = 2
            if count == 126 {
                guard left >= 4 else { break }
                count = Int(UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
                header = 4
            } else if count >= 127 {
                guard count == 127 else {
                    end(.notWebSocket("a masked frame"))
                    break
                }
                guard left >= 10 else { break }
                let long = UInt64(bigEndian: start.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
                guard long <= Engine.messageBytesMax else {
                    end(.notWebSocket("a message of \(long) bytes"))
                    break
                }
                count = Int(long)
                header = 10
            }
            guard left >= header + count else {
                frameBytes = header + count
                break
            }
            let payload = UnsafeRawBufferPointer(start: start + header, count: count)
            // Text, whole: all that the hub sends beside the control frames.
            if first == 0x81 { received(payload) } else { takeOther(first, payload) }
            position += header + count
        }
        return position
    }

    private func takeOther(_ first: UInt8, _ payload: UnsafeRawBufferPointer) {
        switch first {
        case 0x88:
            let code = payload.count >= 2 ? payload.loadUnaligned(as: UInt16.self).bigEndian : 1005
            end(.closed(code: code, reason: String(decoding: payload.dropFirst(2), as: UTF8.self)))
        case 0x89: sendPong(Array(payload))
        case 0x8A: break
        default: end(.notWebSocket("a frame that begins with \(first)"))
        }
    }

    /// Reads the handshake's response; returns its size once it is whole.
    private func takeResponse(_ bytes: UnsafeRawBufferPointer) -> Int? {
        // The empty line; bytes.count is a few hundred.
        let isEnd = { (start: Int) in bytes[start..<start + 4].elementsEqual("\r\n\r\n".utf8) }
        guard bytes.count >= 4, let headEnd = (0...bytes.count - 4).first(where: isEnd) else {
            if bytes.count > Self.responseBytesMax { end(.notWebSocket("an endless response")) }
            return nil
        }
        let count = headEnd + 4
        let head = String(decoding: bytes[..<count], as: UTF8.self)
        guard head.hasPrefix("HTTP/1.1 101 "), head.contains(Self.accept) else {
            end(.refused(String(head.prefix { !$0.isNewline })))
            return nil
        }
        becomeOpen()
        return count
    }
}
