import Wire

/// The fields of a JSON object from a client, read by name; `null` counts as absent.
///
/// What is wrong is said with the field's path, so a client's author need not guess.
struct FrameFields {
    let object: JSONObject
    /// What stands before a field's name in an error: empty, or such as `rooms[3].`.
    let path: String

    init(_ object: JSONObject, path: String = "") {
        self.object = object
        self.path = path
    }

    subscript(name: String) -> JSONValue? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    func has(_ name: String) -> Bool { self[name] != nil }

    func string(_ name: String) throws(HubError) -> String? {
        guard let value = self[name] else { return nil }
        guard let string = value.string else { throw wrong(name, "be a string") }
        return string
    }

    /// A string of 1 to `Limits.frameIDCharactersMax` characters.
    func shortString(_ name: String) throws(HubError) -> String? {
        guard let string = try string(name) else { return nil }
        guard (1...Limits.frameIDCharactersMax).contains(string.unicodeScalars.count) else {
            throw wrong(name, "have 1 to \(Limits.frameIDCharactersMax) characters")
        }
        return string
    }

    /// What cannot be an identifier names nothing, so it is answered as if it had been looked up.
    func identifier<Kind>(_ name: String) throws(HubError) -> Identifier<Kind>? {
        guard let string = try string(name) else { return nil }
        guard Identifier<Kind>.isWellFormed(string) else {
            throw HubError(.notFound, "`\(path)\(name)` names nothing that exists.")
        }
        return Identifier(string)
    }

    func bool(_ name: String) throws(HubError) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let bool = value.bool else { throw wrong(name, "be true or false") }
        return bool
    }

    func integer(_ name: String) throws(HubError) -> Int? {
        guard let value = self[name] else { return nil }
        guard let integer = value.int else { throw wrong(name, "be an integer") }
        return Int(integer)
    }

    func object(_ name: String) throws(HubError) -> JSONObject? {
        guard let value = self[name] else { return nil }
        guard let object = value.object else { throw wrong(name, "be an object") }
        return object
    }

    func metadata() throws(HubError) -> JSONObject? {
        guard let metadata = try object("metadata") else { return nil }
        try RoomMetadata.validate(metadata)
        return metadata
    }

    /// Unwraps a field that must be there.
    func required<Value>(_ name: String, _ value: Value?) throws(HubError) -> Value {
        guard let value else { throw wrong(name, "be given") }
        return value
    }

    func requiredIdentifier<Kind>(_ name: String) throws(HubError) -> Identifier<Kind> {
        try required(name, try identifier(name))
    }

    func wrong(_ name: String, _ rule: String) -> HubError {
        HubError(.validationError, "`\(path)\(name)` must \(rule).")
    }
}
