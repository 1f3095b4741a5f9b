import Wire

/// One whole response; the shell adds what belongs to the connection, and leaves the body of an answer to HEAD away.
struct HTTPResponse {
    var head: HTTPResponseHead
    let body: [UInt8]

    init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
        head = HTTPResponseHead(status: status, headers: headers)
        self.body = body
    }

    /// A JSON document; answers of an API are nobody's to keep.
    init(status: Int, json body: [UInt8]) {
        let headers: HTTPHeaders = [
            "Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
        ]
        self.init(status: status, headers: headers, body: body)
    }
}

/// The probes of whoever runs the hub.
enum Health {
    /// `/healthz`: the process answers.
    static let alive = HTTPResponse(status: 200, json: status("alive"))
    /// `/readyz`: the store writes and reads.
    static let ready = HTTPResponse(status: 200, json: status("ready"))

    /// `/readyz`: why the hub cannot work.
    static func unready(_ reason: String) -> HTTPResponse {
        HTTPResponse(status: 503, json: status("unavailable", reason))
    }

    private static func status(_ word: String, _ reason: String? = nil) -> [UInt8] {
        var body: JSONObject = ["status": .string(word)]
        if let reason { body["reason"] = .string(reason) }
        return JSONValue.object(body).compact
    }
}

extension HTTPResponseHead {
    /// The head with further lines.
    func adding(_ headers: HTTPHeaders) -> HTTPResponseHead {
        var head = self
        for (name, value) in headers.fields { head.headers.add(name, value) }
        return head
    }
}
