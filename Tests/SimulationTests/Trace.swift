import Chat
import ChatProtocol
import Wire

@testable import Chat

// How things look in a trace: short, on one line.

extension Frame {
    var summary: String {
        String(
            "\(type) \(object.members.filter { $0.key != "type" }.map { "\($0.key)=\(show($0.value))" })".prefix(400))
    }

    private func show(_ value: JSONValue) -> String { String(decoding: value.compact.prefix(120), as: UTF8.self) }
}

extension HubMessage {
    var summary: String { String("\(self)".prefix(160)) }
}

extension StorageRequest {
    var summary: String {
        switch self {
        case .insertMessage(let insertion):
            "insertMessage('\(insertion.message.text.prefix(20))' in \(insertion.exchange.exchangeID))"
        case .finishExchange(let outcome):
            "finishExchange(\(outcome.exchangeID), \(outcome.outcome.status), \(outcome.text.count) bytes)"
        case .appendSegment(let segment):
            "appendSegment(\(segment.exchangeID), \(segment.textOffset)+\(segment.text.count))"
        default: String("\(self)".prefix(160))
        }
    }
}

extension StorageResult {
    var summary: String { String("\(self)".prefix(80)) }
}
