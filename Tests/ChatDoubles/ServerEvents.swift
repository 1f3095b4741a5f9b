import ChatProtocol
import Wire

/// The one place that knows how the hub's event streams look on the wire (HTML Living Standard, section 9.2).
struct ServerEvents {
    /// An event, or a comment, which has no data.
    struct Block {
        let text: String
        /// What its `id` says: a place, and beside it perhaps the name of a stream.
        private(set) var place: LogPosition?
        private(set) var name: String?
        private(set) var data: JSONObject?
        /// A line that stands in no event of the hub's.
        private(set) var strangeLine: Substring?

        var isComment: Bool { text.hasPrefix(": ") }

        init(_ text: String) {
            self.text = text
            for line in text.split(separator: "\n") {
                if line.hasPrefix("id: ") {
                    let parts = line.dropFirst(4).split { $0 == ":" || $0 == "/" }.map(String.init)
                    place = LogPosition(epoch: parts[0], seq: UInt64(parts[1]) ?? 0)
                    name = parts.count > 2 ? parts[2] : nil
                } else if line.hasPrefix("data: ") {
                    data = (try? JSONValue(parsing: Array(line.dropFirst(6).utf8)))?.object
                } else if !line.hasPrefix(": ") {
                    strangeLine = line
                }
            }
        }
    }

    private var partial: [UInt8] = []

    /// Takes what a socket received, and gives the blocks that are whole with it.
    mutating func take(_ bytes: some Sequence<UInt8>) -> [Block] {
        partial += bytes
        var blocks: [Block] = []
        var start = 0
        var index = 0
        while index + 1 < partial.count {
            if partial[index] == 10, partial[index + 1] == 10 {
                blocks.append(Block(String(decoding: partial[start..<index], as: UTF8.self)))
                start = index + 2
                index += 1
            }
            index += 1
        }
        partial.removeFirst(start)
        return blocks
    }
}
