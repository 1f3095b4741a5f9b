import Wire

/// Takes a response apart: a stream of server-sent events, or, from servers that do not know `stream`, one JSON
/// object; the first byte tells which.
struct AnswerFraming {
    private enum Form {
        case unknown
        case stream
        case whole
    }

    /// A whole answer, in bytes.
    static let wholeBytesMax = 4 * 1024 * 1024

    private var form = Form.unknown
    private var events = SSEParser()
    /// Before the form is known: what precedes it.
    private var whole: [UInt8] = []

    /// Takes bytes as they arrive; appends the data of each event that they complete, also when it returns an error.
    mutating func receive(_ bytes: [UInt8], into data: inout [[UInt8]]) -> ModelError? {
        switch form {
        case .unknown: begin(bytes, into: &data)
        case .stream: stream(bytes, into: &data)
        case .whole: keep(bytes[...])
        }
    }

    /// White space and marks are kept until it is known what they precede: a stream they belong to, JSON they do not.
    private mutating func begin(_ bytes: [UInt8], into data: inout [[UInt8]]) -> ModelError? {
        guard let first = bytes.firstIndex(where: { !isWhiteSpace($0) }) else { return keep(bytes[...]) }
        let before = whole
        whole = []
        if bytes[first] == UInt8(ascii: "{") {
            form = .whole
            return keep(bytes[first...])
        }
        form = .stream
        return stream(before + bytes, into: &data)
    }

    private mutating func stream(_ bytes: [UInt8], into data: inout [[UInt8]]) -> ModelError? {
        do throws(SSEError) {
            try events.receive(bytes) { data.append($0.data) }
            return nil
        } catch {
            return .tooLarge
        }
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) -> ModelError? {
        guard whole.count + bytes.count <= Self.wholeBytesMax else { return .tooLarge }
        whole.append(contentsOf: bytes)
        return nil
    }

    /// The answer that came as one object, at the response's end; `nil` if it was a stream.
    func wholeAnswer(isCut: Bool) throws(ModelError) -> JSONObject? {
        guard form == .whole else { return nil }
        guard !isCut else { throw .cut }
        return try Self.object(whole)
    }

    /// Parses an event's data, or a whole answer.
    static func object(_ bytes: [UInt8]) throws(ModelError) -> JSONObject {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw .malformed
        }
        guard let object = value.object else { throw .malformed }
        return object
    }

    private func isWhiteSpace(_ byte: UInt8) -> Bool {
        // A byte order mark may precede a stream.
        byte == 0x20 || (0x09...0x0D).contains(byte) || byte == 0xEF || byte == 0xBB || byte == 0xBF
    }
}

/// The sentences of error bodies.
enum ErrorBody {
    /// The server's own words, whichever of the usual forms the body has.
    static func message(of object: JSONObject) -> String? {
        object["error"]?.object?["message"]?.string ?? object["error"]?.string ?? object["message"]?.string
            ?? object["detail"]?.string
    }
}
