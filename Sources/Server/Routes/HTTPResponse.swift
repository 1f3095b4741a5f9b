import Wire

/// One whole response; the shell adds `Content-Length`, `Date` and `Connection`, and leaves the body of an answer to
/// HEAD away (its `Content-Length` stays).
struct HTTPResponse {
    let status: Int
    var headers: [(name: String, value: String)]
    let body: [UInt8]

    init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A JSON document; answers of an API are nobody's to keep.
    init(status: Int, json body: [UInt8]) {
        self.init(
            status: status,
            headers: [
                ("Content-Type", "application/json"), ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ],
            body: body)
    }

    /// The first value of a header, whose name is given as it was set.
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// The probes of whoever runs the hub.
enum Health {
    /// `/healthz`: the process answers.
    static let alive = HTTPResponse(status: 200, json: status("alive"))
    /// `/readyz`: the store answers.
    static let ready = HTTPResponse(status: 200, json: status("ready"))
    /// `/readyz`: the store does not answer, or the hub is draining.
    static let unready = HTTPResponse(status: 503, json: status("unavailable"))

    private static func status(_ word: String) -> [UInt8] {
        JSONValue.object(["status": .string(word)]).compact
    }
}
