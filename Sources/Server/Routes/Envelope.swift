import ChatProtocol
import Wire

/// The documents around every answer of `/api/rooms` and its family, and around every error of a path that belongs to
/// no other family.
enum Envelope {
    /// A success: `success`, `message`, `data`, `timestamp`.
    static func success(
        status: Int = 200, message: String, at now: Timestamp, data: (inout JSONWriter) -> Void
    ) -> HTTPResponse {
        var writer = JSONWriter(capacity: 1024)
        writer.beginObject()
        writer.field("success", true)
        writer.field("message", message)
        writer.key("data")
        data(&writer)
        writer.field("timestamp", now.rfc3339)
        writer.endObject()
        return HTTPResponse(status: status, json: writer.bytes)
    }

    /// A refusal: `success`, `error`, `error_code`, `timestamp`, `path`.
    static func refusal(_ fault: RouteFault, at now: Timestamp, path: String) -> HTTPResponse {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("success", false)
        writer.field("error", fault.message)
        writer.field("error_code", fault.code)
        writer.field("timestamp", now.rfc3339)
        writer.field("path", path)
        writer.endObject()
        var response = HTTPResponse(status: fault.status, json: writer.bytes)
        for (name, value) in fault.headers.fields { response.head.headers.add(name, value) }
        return response
    }
}
