import Wire

extension Identifier where Kind == UserKind {
    /// The user of whoever names none in open mode.
    public static var anonymous: UserID { UserID("anonymous") }
}

/// What a member may do in a room; its owner may do everything.
public enum MemberRole: String, Sendable, CaseIterable {
    /// Writes, and stops what runs.
    case editor
    /// Reads.
    case viewer
}

/// A member of a room, which its owner is not.
public struct MemberRecord: Sendable, Equatable {
    /// Who.
    public let userID: UserID
    /// What they may do.
    public let role: MemberRole
    /// When they became one; another role changes nothing of it.
    public let joinedAt: Timestamp

    /// A member with all facts.
    public init(userID: UserID, role: MemberRole, joinedAt: Timestamp) {
        self.userID = userID
        self.role = role
        self.joinedAt = joinedAt
    }
}

extension MemberRole {
    /// The role that a frame or an HTTP body names.
    ///
    /// - Throws: `VALIDATION_ERROR`.
    public init(decoding object: JSONObject) throws(HubError) {
        let fields = FrameFields(object)
        let name = try fields.required("role", try fields.string("role"))
        guard let role = MemberRole(named: name) else {
            throw fields.wrong("role", "be one of: " + Self.allCases.map(\.rawValue).joined(separator: ", "))
        }
        self = role
    }
}

extension JSONWriter {
    /// Writes what is known of a member: `user_id`, `role`, `joined_at`.
    public mutating func memberMembers(_ member: MemberRecord) {
        field("user_id", member.userID.text)
        field("role", member.role.rawValue)
        field("joined_at", member.joinedAt.rfc3339)
    }

    /// Writes a room as an object, with its `members`.
    public mutating func room(_ room: RoomRecord, members: [MemberRecord]) {
        beginObject()
        roomMembers(room)
        key("members")
        beginArray()
        for member in members {
            beginObject()
            memberMembers(member)
            endObject()
        }
        endArray()
        endObject()
    }
}
