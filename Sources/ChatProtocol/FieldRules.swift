import Wire

// The rules that the WebSocket and HTTP share, so that both refuse the same values with the same sentences.

/// What a room may be called.
public enum RoomName {
    /// Checks 1 to 100 characters without control and bidirectional-override characters.
    ///
    /// A character is a Unicode scalar: every client can count those, while grapheme clusters depend on the Unicode
    /// version. Refused are the category Cc and the embeddings, overrides and isolates U+202A to U+202E and U+2066
    /// to U+2069, which can turn the text around a name. The marks U+200E, U+200F and U+061C are allowed: they have
    /// no reach beyond their place, and names in Arabic and Hebrew need them.
    ///
    /// - Throws: `VALIDATION_ERROR` that names `field`.
    public static func validate(_ name: String, field: String = "room_name") throws(HubError) {
        guard (1...Limits.roomNameCharactersMax).contains(name.unicodeScalars.count) else {
            throw HubError(
                .validationError, "`\(field)` must have 1 to \(Limits.roomNameCharactersMax) characters.")
        }
        guard name.unicodeScalars.allSatisfy(isAllowed) else {
            throw HubError(
                .validationError, "`\(field)` must not have control or bidirectional-override characters.")
        }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069: false
        default: true
        }
    }
}

/// What a client may attach to a room or a message.
public enum RoomMetadata {
    /// Checks the size as compact JSON. After a merge it is to be checked again.
    ///
    /// - Throws: `VALIDATION_ERROR`.
    public static func validate(_ metadata: JSONObject) throws(HubError) {
        guard JSONValue.object(metadata).compact.count <= Limits.metadataBytesMax else {
            throw HubError(
                .validationError, "`metadata` must be at most \(Limits.metadataBytesMax) bytes of compact JSON.")
        }
    }
}

/// What a message may say.
public enum MessageText {
    /// Checks 1 byte to `limits.messageTextBytesMax` bytes of UTF-8.
    ///
    /// - Throws: `VALIDATION_ERROR` for an empty text, `MESSAGE_TOO_LARGE`; both name `field`.
    public static func validate(_ text: String, limits: Limits, field: String = "text") throws(HubError) {
        guard !text.isEmpty else { throw HubError(.validationError, "`\(field)` must not be empty.") }
        guard text.utf8.count <= limits.messageTextBytesMax else {
            throw HubError(
                .messageTooLarge, "`\(field)` must be at most \(limits.messageTextBytesMax) bytes of UTF-8.")
        }
    }
}

/// Where a page lies in a list.
public enum Page {
    /// The rows of a page: the default if none were asked for, clamped at `Limits.pageRowsMax`.
    ///
    /// - Throws: `VALIDATION_ERROR` below 1.
    public static func rows(asked limit: Int?) throws(HubError) -> Int {
        let limit = limit ?? Limits.pageRowsDefault
        guard limit >= 1 else { throw HubError(.validationError, "`limit` must be at least 1.") }
        return min(limit, Limits.pageRowsMax)
    }

    /// The rows before a page.
    ///
    /// - Throws: `VALIDATION_ERROR` below 0 or above `Limits.pageOffsetMax`.
    public static func offset(asked offset: Int?) throws(HubError) -> Int {
        let offset = offset ?? 0
        guard (0...Limits.pageOffsetMax).contains(offset) else {
            throw HubError(.validationError, "`offset` must be from 0 to \(Limits.pageOffsetMax).")
        }
        return offset
    }
}

extension RoomPage {
    /// A page of a room list as a client asks for it; what is `nil` gets its default.
    ///
    /// - Throws: `VALIDATION_ERROR` for a `limit` below 1, a wrong `offset` or an unknown `sort_by`.
    public init(limit: Int?, offset: Int?, sortBy: String?) throws(HubError) {
        self.init(limit: try Page.rows(asked: limit), offset: try Page.offset(asked: offset))
        guard let sortBy else { return }
        guard let order = RoomOrder(named: sortBy) else {
            let names = RoomOrder.allCases.map(\.rawValue).joined(separator: ", ")
            throw HubError(.validationError, "`sort_by` must be one of: \(names).")
        }
        self.order = order
    }
}

extension RoomCreation {
    /// Reads `room_name` and `metadata` from a frame or an HTTP body.
    ///
    /// - Throws: `VALIDATION_ERROR`.
    public init(decoding object: JSONObject) throws(HubError) {
        let change = try RoomChange(reading: FrameFields(object))
        self.init(name: change.name ?? Self.defaultName, metadata: change.metadata ?? JSONObject())
    }
}

extension RoomChange {
    /// Reads `room_name` and `metadata`, one of them at least, from a frame or an HTTP body.
    ///
    /// - Throws: `VALIDATION_ERROR`.
    public init(decoding object: JSONObject) throws(HubError) {
        try self.init(reading: FrameFields(object))
        if name == nil, metadata == nil {
            throw HubError(.validationError, "`room_name` or `metadata` must be given.")
        }
    }

    fileprivate init(reading fields: FrameFields) throws(HubError) {
        self.init(name: try fields.string("room_name"), metadata: try fields.metadata())
        if let name { try RoomName.validate(name) }
    }
}
