import Chat
import ChatProtocol
import Wire

/// A turn as a program gets it.
enum CommandTurn {
    /// One line of JSON.
    static func line(_ turn: AgentTurn) -> [UInt8] {
        let context = turn.context.map { message -> JSONValue in
            ["role": .string(message.role.rawValue), "text": .string(message.text)]
        }
        let object: JSONValue = [
            "session_id": .string(turn.sessionID.text), "room_id": .string(turn.roomID.text),
            "user_id": .string(turn.userID.text), "agent_type": .string(turn.agentType),
            "input": .string(turn.input), "context": .array(context), "metadata": .object(turn.roomMetadata),
            "message_metadata": .object(turn.messageMetadata),
            "facts": [
                "room_name": .string(turn.roomName), "date": .string(PromptTemplate.date(turn)),
                "started_at": .string(turn.startedAt.rfc3339),
            ],
        ]
        return object.compact + [UInt8(ascii: "\n")]
    }
}
