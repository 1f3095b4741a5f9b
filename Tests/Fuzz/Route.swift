/// Whatever a request asks, it is routed within the limits or refused with a whole document.
///
/// The input is the request with plain line ends and without a length; so mutations stay requests.
func fuzzRoute(_ input: UnsafeRawBufferPointer) {
    guard let request = parse(input) else { return }
    switch router.route(request, at: now) {
    case .respond(let response), .refused(_, let response): checkResponse(response, to: request)
    case .command(let user, let asked, let render):
        check(UserID.isWellFormed(user.text), "a malformed user")
        checkLimits(of: asked)
        let refusal = render.response(for: .failure(HubError(.notFound, "no")), at: now, path: request.head.path)
        checkResponse(refusal, to: request)
    case .chat(let chat): check(chat)
    case .webSocket, .webSocketEcho:
        _ = try? WebSocketHandshake(request.head)
        _ = Identity.decide(webSocket: request.head)
        _ = router.originRule.allows(request.head)
    case .health: break
    }
}

private let now = Timestamp(milliseconds: 1_700_000_000_000)
private let page = Asset(path: "/", contentType: "text/html", bytes: Array("<p>".utf8))
private let router = Router(assets: Assets([page]), origins: ["https://example.org"], offersDiagnostics: true)

private func parse(_ input: UnsafeRawBufferPointer) -> HTTPRequest? {
    var stream: [UInt8] = []
    var lines = Array(input).split(separator: 0x0A, omittingEmptySubsequences: false)[...]
    while let line = lines.popFirst(), !line.isEmpty { stream += line + [0x0D, 0x0A] }
    let body = Array(lines.joined(separator: [0x0A]))
    if !body.isEmpty { stream += Array("Content-Length: \(body.count)\r\n".utf8) }
    stream += [0x0D, 0x0A] + body
    var parser = HTTPRequestParser()
    var (head, received): (HTTPRequestHead?, [UInt8]) = (nil, [])
    _ = try? stream.withUnsafeBytes { bytes in
        try parser.receive(bytes) { event in
            switch event {
            case .head(let parsed): head = parsed
            case .body(let piece): received += piece
            case .end: break
            }
        }
    }
    return head.map { HTTPRequest(head: $0, body: received) }
}

/// Another reader reads the response, and JSON where JSON is announced.
private func checkResponse(_ response: HTTPResponse, to request: HTTPRequest) {
    let bytes = HTTPResponseWriter.response(response.head, body: response.body, date: now, keepAlive: true)
    var parser = HTTPResponseParser()
    var (head, body, isEnded): (HTTPResponseHead?, [UInt8], Bool) = (nil, [], false)
    let readCount = try? bytes.withUnsafeBytes { bytes in
        try parser.receive(bytes) { event in
            switch event {
            case .head(let parsed): head = parsed
            case .body(let piece): body += piece
            case .end: isEnded = true
            }
        }
    }
    check(readCount == bytes.count && isEnded && body == response.body, "a response that cannot be read")
    guard head?.headers.first("Content-Type") == "application/json" else { return }
    let document = try? JSONValue(parsing: body)
    check(document?.object != nil, "a document that is none")
    if response.head.status >= 400 {
        check(document?.object?["path"]?.string == request.head.path, "a refusal of another path")
    }
}

private func check(_ chat: ChatRequest) {
    check((1...32_768).contains(chat.text?.utf8.count ?? 1), "a text out of range")
    check(chat.text != nil || chat.sessionID != nil, "nothing to send and nothing to read")
    check(JSONValue.object(chat.metadata ?? [:]).compact.count <= 10_240, "metadata over the limit")
    let ids = [chat.sessionID?.text, chat.roomID?.text, chat.userID?.text]
    check(ids.allSatisfy { $0.map(UserID.isWellFormed) ?? true }, "a malformed id")
    if let position = chat.lastEventID {
        let id = "\(position.epoch):\(position.seq)"
        check(LogPosition(eventID: id) == position, "written and read again, it is another position")
    }
    if let session = chat.sessionID, let slot = Slot(in: session.text, prefix: "session_") {
        check(slot.hex.utf8.count == 4 && UInt16(slot.hex, radix: 16) == slot.value, "a slot that is written otherwise")
    }
}

/// Whatever a configuration says, by flags (the first line, a blank between two) and in the file, it is taken or
/// refused in one line that says where.
func fuzzConfiguration(_ input: UnsafeRawBufferPointer) {
    let bytes = Array(input)
    let firstLine = bytes.prefix { $0 != 0x0A }
    let words = firstLine.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
    let file = Array(bytes.dropFirst(firstLine.count + 1))
    let sources = ConfigurationSources(
        arguments: ["--config", "hubbub.json"] + words,
        environment: ["HUBBUB_DATA": "data", "MODEL_API_KEY": "key"], cores: 2, readFile: { _ in .success(file) })
    do throws(ConfigurationError) {
        let configuration = try Configuration.load(sources)
        check((1...256).contains(configuration.loops), "loops out of range")
        check(configuration.agents.contains { $0.agentType == configuration.defaultAgent }, "a default without agent")
        check(Set(configuration.agents.map(\.agentType)).count == configuration.agents.count, "two agents of a name")
        check(configuration.isLoopback || configuration.allowsOpen, "open to the network")
        check(LimitSetting.all.allSatisfy { $0.range.contains(configuration.limits[keyPath: $0.field]) }, "a limit")
    } catch {
        check(error.description.contains(": "), "a refusal without a place")
        check(!error.description.utf8.contains { $0 == 0x0A || $0 == 0x0D }, "a refusal of several lines")
    }
}
