import Wire

/// Who is in a room, people and agents.
public struct Presence: Sendable, Equatable {
    /// What an agent does, as its stream shows it.
    public enum AgentState: String, Sendable {
        case thinking
        case usingTool = "using_tool"
        case answering
    }

    /// An agent at work.
    public struct Agent: Sendable, Equatable {
        /// Which agent.
        public let agentType: String
        /// For which stream.
        public let streamID: StreamID
        /// What it does.
        public let state: AgentState

        /// An agent at work.
        public init(agentType: String, streamID: StreamID, state: AgentState) {
            self.agentType = agentType
            self.streamID = streamID
            self.state = state
        }
    }

    /// Above this many people only their number is told.
    public static let namesMax = 100

    /// Users with a socket in the room, each once, in order.
    public var users: [UserID]
    /// Agents at work.
    public var agents: [Agent]

    /// Who is in a room.
    public init(users: [UserID] = [], agents: [Agent] = []) {
        self.users = users
        self.agents = agents
    }
}

// The full state of one aspect of a room, outside its log: only the latest counts.
extension ServerFrame {
    /// Who is here, and which agents are at work.
    public static func presence(roomID: RoomID, _ presence: Presence) -> [UInt8] {
        frame("presence", capacity: 512) { writer in
            writer.field("room_id", roomID.text)
            writer.presenceMembers(presence)
        }
    }

    /// Who is writing.
    public static func typing(roomID: RoomID, users: [UserID]) -> [UInt8] {
        frame("typing") { writer in
            writer.field("room_id", roomID.text)
            writer.userIDs(users)
        }
    }

    /// How far everyone has read who ever said so.
    public static func read(roomID: RoomID, _ marks: [ReadMark]) -> [UInt8] {
        frame("read", capacity: 512) { writer in
            writer.field("room_id", roomID.text)
            writer.key("marks")
            writer.beginArray()
            for mark in marks {
                writer.beginObject()
                writer.field("user_id", mark.userID.text)
                writer.field("exchange_id", mark.exchangeID.text)
                writer.field("timestamp", mark.timestamp.rfc3339)
                writer.endObject()
            }
            writer.endArray()
        }
    }
}

extension JSONWriter {
    mutating func presenceMembers(_ presence: Presence) {
        field("user_count", presence.users.count)
        if presence.users.count <= Presence.namesMax { userIDs(presence.users) }
        key("agents")
        beginArray()
        for agent in presence.agents {
            beginObject()
            field("agent_type", agent.agentType)
            field("stream_id", agent.streamID.text)
            field("state", agent.state.rawValue)
            endObject()
        }
        endArray()
    }

    fileprivate mutating func userIDs(_ users: [UserID]) {
        key("users")
        beginArray()
        for user in users { string(user.text) }
        endArray()
    }
}
