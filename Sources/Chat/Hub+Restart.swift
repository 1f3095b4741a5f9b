import ChatProtocol
import Wire

/// An answer that the end of an earlier process interrupted, as its message asked for it.
public struct InterruptedAnswer: Sendable, Equatable {
    /// What marks a message as the hub's own repetition: with it, its exchange is not asked for a second time.
    public static let keyPrefix = "restart_"

    /// The exchange that was interrupted.
    public let exchangeID: ExchangeID
    /// Where it was said.
    public let roomID: RoomID
    /// Who said it.
    public let userID: UserID
    /// The texts of its messages, in lines of their own where there are several.
    public let text: String
    /// What its messages brought along.
    public let metadata: JSONObject

    /// An interrupted answer.
    public init(exchangeID: ExchangeID, roomID: RoomID, userID: UserID, text: String, metadata: JSONObject) {
        self.exchangeID = exchangeID
        self.roomID = roomID
        self.userID = userID
        self.text = text
        self.metadata = metadata
    }
}

extension ConnectionRef {
    /// For what nobody outside has asked; answers to it reach the shell, and no client.
    static func nobody(on loop: Int) -> ConnectionRef { ConnectionRef(loop: loop, descriptor: -1, generation: 0) }

    /// Whether no client waits for the answer.
    public var isNobody: Bool { descriptor < 0 }
}

extension Hub {
    /// Asks for an interrupted answer again: a new exchange that regenerates the old one, under a key of its own, so a
    /// second time finds the first. The answer is an `Effect.answerHTTP` to nobody.
    public func restart(_ interrupted: InterruptedAnswer, now: Now) {
        var send = SendRequest(
            roomID: interrupted.roomID, text: interrupted.text,
            messageID: InterruptedAnswer.keyPrefix + interrupted.exchangeID.text)
        send.metadata = interrupted.metadata.members.isEmpty ? nil : interrupted.metadata
        send.regenerateOf = interrupted.exchangeID
        request(.send(send), user: interrupted.userID, from: .nobody(on: index), now: now)
    }
}
