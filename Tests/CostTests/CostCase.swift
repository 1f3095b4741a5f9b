import ChatProtocol
import Wire

@testable import Agents
@testable import Chat
@testable import Server

/// A reader of what others send, and where in it they put something nasty.
struct CostCase: Sendable {
    let name: String
    /// The nasty part of the larger input: enough that a square would show, since a debug build is slow.
    let bytes: Int
    /// Makes the input of the nasty part, and gives what reads it.
    let work: @Sendable (_ nasty: String) -> () -> Void

    init(_ name: String, bytes: Int = 16 * 1024, _ work: @escaping @Sendable (_ nasty: String) -> () -> Void) {
        self.name = name
        self.bytes = bytes
        self.work = work
    }

    static let all = frames + requests + answers + words + pieces
}

// MARK: - Clients

extension CostCase {
    private static let frames: [CostCase] = [
        frame("a frame's bytes") { $0 },
        frame("a frame's text") { #"{"type":"send","room_id":"r","text":\#($0.json)}"# },
        frame("a frame's type") { #"{"type":\#($0.json)}"# },
        frame("a frame's id") { #"{"id":\#($0.json),"type":"ping"}"# },
        frame("a frame's room") { #"{"type":"join","room_id":\#($0.json)}"# },
        frame("a frame's key") { #"{\#($0.json):1,"type":"ping"}"# },
        frame("two keys of a frame") { #"{\#($0.json):1,\#(("b" + $0).json):2,"type":"ping"}"# },
        frame("a frame's members") { "{" + $0 + #""type":"ping"}"# },
        frame("a frame's array") { "[" + $0 + "1]" },
        frame("a frame's role") { #"{"type":"set-member","room_id":"r","user_id":"u","role":\#($0.json)}"# },
        frame("a frame's rule") { #"{"type":"send","room_id":"r","text":"a","if_busy":\#($0.json)}"# },
        frame("a room's name") { #"{"type":"create-room","room_name":\#($0.json)}"# },
        frame("a room's metadata") { #"{"type":"create-room","metadata":{\#($0.json):1}}"# },
    ]

    private static func frame(_ name: String, _ json: @escaping @Sendable (String) -> String) -> CostCase {
        CostCase(name) { nasty in
            let bytes = Array(json(nasty).utf8)
            return { _ = try? ClientFrame.decode(bytes) }
        }
    }

    private static let requests: [CostCase] = [
        body("a body's bytes") { $0 },
        body("a body's key") { #"{\#($0.json):1,"query":"a"}"# },
        body("a body's question") { #"{"query":\#($0.json)}"# },
        body("a body's user") { #"{"query":"a","user_id":\#($0.json)}"# },
        body("a body's rule") { #"{"query":"a","if_busy":\#($0.json)}"# },
        body("a body's members") { "{" + $0 + #""query":"a"}"# },
        head("a path") { "GET /\(escaped($0)) HTTP/1.1\r\nHost: localhost\r\n\r\n" },
        head("an identifier in a path") { "GET /api/rooms/\(escaped($0)) HTTP/1.1\r\nHost: localhost\r\n\r\n" },
        head("a query") { "GET /api/chat/history?\(escaped($0)) HTTP/1.1\r\nHost: localhost\r\n\r\n" },
        head("a parameter") { "GET /api/chat/stream?if_busy=\(escaped($0)) HTTP/1.1\r\nHost: localhost\r\n\r\n" },
        head("a position") { "GET /api/chat/stream?last_event_id=\(escaped($0)) HTTP/1.1\r\nHost: localhost\r\n\r\n" },
        header("Accept"), header("Connection"), header("Content-Type"), header("Expect"), header("If-None-Match"),
        header("Last-Event-ID"), header("Origin"), header("Sec-Fetch-Site"), header("Sec-WebSocket-Key"),
        header("Sec-WebSocket-Protocol"), header("Sec-WebSocket-Version"), header("Transfer-Encoding"),
    ]

    private static let router = Router(
        assets: Assets([Asset(path: "/", contentType: "text/html", bytes: [])]), origins: ["https://example.org"],
        offersDiagnostics: true)

    private static func body(_ name: String, _ json: @escaping @Sendable (String) -> String) -> CostCase {
        CostCase(name) { nasty in
            let body = json(nasty)
            let head =
                "POST /api/chat/message HTTP/1.1\r\nHost: localhost\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n"
            return { route(Array((head + body).utf8)) }
        }
    }

    /// A whole head is 32 KiB; the escapes make three bytes of one.
    private static func head(_ name: String, _ text: @escaping @Sendable (String) -> String) -> CostCase {
        CostCase(name, bytes: 12 * 1024) { nasty in
            let bytes = Array(text(nasty).utf8)
            return { route(bytes) }
        }
    }

    private static func header(_ name: String) -> CostCase {
        head("the header \(name)") { nasty in
            let value = nasty.split(whereSeparator: \.isNewline).joined(separator: " ")
            return "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                + "\(name): \(value)\r\n\r\n"
        }
    }

    /// As the loop does it; a target is 8 KiB elsewhere, and here as long as a head.
    private static func route(_ bytes: [UInt8]) {
        var limits = HTTPLimits()
        limits.startLineBytesMax = limits.headBytesMax
        var parser = HTTPRequestParser(limits: limits)
        var (head, body): (HTTPRequestHead?, [UInt8]) = (nil, [])
        _ = try? bytes.withUnsafeBytes { bytes in
            try parser.receive(bytes) { event in
                switch event {
                case .head(let parsed): head = parsed
                case .body(let piece): body += piece
                case .end: break
                }
            }
        }
        guard let head else { return }
        _ = router.route(HTTPRequest(head: head, body: body), at: Timestamp(milliseconds: 0))
        _ = try? WebSocketHandshake(head)
        _ = router.originRule.allows(head)
    }

    /// What a target may hold as it is, and the rest in percent escapes.
    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            let isPlain = byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#")
            escaped += isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return escaped
    }
}

// MARK: - Models and programs

extension CostCase {
    private static let answers: [CostCase] = [
        chat("a model's bytes") { $0 },
        chat("a model's line") { $0 + "\n\n" },
        chat("a model's event") { "data: \($0)\n\n" },
        chat("a model's key") { "data: {\($0.json):1,\(("b" + $0).json):1}\n\n" },
        chat("a model's members") { "data: {\($0)\"a\":1}\n\n" },
        chat("a model's text") { #"data: {"choices":[{"delta":{"content":\#($0.json)}}]}"# + "\n\n" },
        chat("a model's name") { #"data: {"model":\#($0.json),"usage":{"total_tokens":1}}"# + "\n\n" },
        chat("a model's whole answer") { #"{\#($0.json):1,"choices":[]}"# },
        chat("two tool calls' ids") { nasty in
            [nasty, nasty + "a"].map { id in
                #"data: {"choices":[{"delta":{"tool_calls":[{"id":\#(id.json),"function":{"name":"f"}}]}}]}"#
            }.joined(separator: "\n\n") + "\n\n"
        },
        chat("a tool call's arguments in pieces", bytes: 16 * 1024) { nasty in
            nasty.unicodeScalars.map { piece in
                #"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"#
                    + String(piece).json + "}}]}}]}\n\n"
            }.joined()
        },
        messages("a message's type") { #"data: {"type":\#($0.json)}"# + "\n\n" },
        messages("a message's error") { #"data: {"type":"error","error":{"type":\#($0.json)}}"# + "\n\n" },
        messages("a message's reason") {
            #"data: {"type":"message_delta","delta":{"stop_reason":\#($0.json)}}"# + "\n\n"
        },
        messages("a message's counts") { #"data: {"type":"message_delta","usage":{\#($0)"a":1}}"# + "\n\n" },
        output("a program's line") { $0 + "\n" },
        output("a program's lines") { String(repeating: "\n", count: $0.utf8.count / 2) + $0 },
        output("a program's type") { #"{"type":\#($0.json)}"# + "\n" },
        output("a program's key") { #"{"type":"action","action":"a",\#($0.json):1,\#(("b" + $0).json):2}"# + "\n" },
        output("a program's members") { #"{\#($0)"type":"tool_result","result":1}"# + "\n" },
    ]

    private static func chat(
        _ name: String, bytes: Int = 16 * 1024, _ stream: @escaping @Sendable (String) -> String
    ) -> CostCase {
        model(name, bytes, { ChatCompletionReader() }, stream)
    }

    private static func messages(_ name: String, _ stream: @escaping @Sendable (String) -> String) -> CostCase {
        model(name, 16 * 1024, { MessagesReader() }, stream)
    }

    private static func model(
        _ name: String, _ bytes: Int, _ makeReader: @escaping @Sendable () -> any ModelReader,
        _ stream: @escaping @Sendable (String) -> String
    ) -> CostCase {
        CostCase(name, bytes: bytes) { nasty in
            let bytes = Array(stream(nasty).utf8)
            return {
                var reader = makeReader()
                var said: [AgentEvent] = []
                do {
                    try reader.read(bytes, into: &said)
                    try reader.end(isCut: false, into: &said)
                } catch { _ = Redaction.publishable("\(error)", hiding: "aaaaaaab") }
            }
        }
    }

    private static func output(_ name: String, _ lines: @escaping @Sendable (String) -> String) -> CostCase {
        CostCase(name) { nasty in
            let bytes = Array(lines(nasty).utf8)
            return {
                var reader = CommandOutputReader()
                var said: [AgentEvent] = []
                do throws(CommandError) {
                    try reader.read(bytes, into: &said)
                    try reader.end(into: &said)
                } catch { _ = error.sentence }
            }
        }
    }
}

// MARK: - Words, values and pieces

extension CostCase {
    private static let words: [CostCase] = [
        CostCase("a message by its keywords", bytes: 16 * 1024) { nasty in
            let router = AgentRouter([AgentRouter.Rule(agentType: "a", keywords: ["ab ab ab cd", "a", "7"])])
            return { _ = router.agentType(for: nasty) }
        },
        CostCase("a question to the guide", bytes: 16 * 1024) { nasty in
            { _ = (GuideQuery.match(for: nasty), GuideQuery.words(of: nasty) == GuideQuery.words(of: nasty + "a")) }
        },
        CostCase("a script", bytes: 16 * 1024) { nasty in { _ = try? SyntheticScript(parsing: nasty) } },
        CostCase("a script's key", bytes: 16 * 1024) { nasty in
            let script = "{\(nasty.json):1}"
            return { _ = try? SyntheticScript(parsing: script) }
        },
        CostCase("a document") { nasty in { _ = MarkdownSections.split("# a\n" + nasty, documentName: "d") } },
        CostCase("a document's heading") { nasty in { _ = MarkdownSections.split("# " + nasty, documentName: "d") } },
        CostCase("an error's words") { nasty in { _ = Redaction.publishable(nasty, hiding: "aaaaaaab") } },
        CostCase("a prompt's facts") { nasty in
            let turn = AgentTurn(
                streamID: StreamID("s"), roomID: RoomID("r"), sessionID: SessionID("e"), userID: UserID("u"),
                agentType: "a", input: "", context: [], roomName: nasty, roomMetadata: ["topic": .string(nasty)],
                messageMetadata: [:], startedAt: Timestamp(milliseconds: 0))
            return { _ = PromptTemplate.render("{{room_name}} {{room.metadata.topic}} {{", turn) }
        },
        CostCase("two identifiers") { nasty in
            { _ = (UserID(nasty) == UserID(nasty + "a"), Set([UserID(nasty), UserID("a" + nasty)])) }
        },
        CostCase("two values") { nasty in
            { _ = JSONValue.string(nasty + "b" + nasty) == JSONValue.string(nasty + "c" + nasty) }
        },
        CostCase("a value that is written") { nasty in { _ = JSONValue.object([nasty: .string(nasty)]).compact } },
        CostCase("metadata that goes", bytes: 16 * 1024) { nasty in
            let keys = nasty.unicodeScalars.enumerated().map { "\($0)\($1)" }
            let full = JSONObject(keys, 1)
            let patch = JSONObject(keys, nil)
            return {
                var object = full
                object.merge(patch)
            }
        },
    ]

    /// Fed byte by byte: what has arrived is not looked at again.
    private static let pieces: [CostCase] = [
        CostCase("a program's line in single bytes", bytes: 16 * 1024) { nasty in
            let bytes = nasty.utf8.filter { $0 != 0x0A }
            return {
                var reader = CommandOutputReader()
                var said: [AgentEvent] = []
                for byte in bytes { try? reader.read([byte], into: &said) }
            }
        },
        CostCase("a model's event in single bytes", bytes: 16 * 1024) { nasty in
            let bytes = Array(("data: " + nasty).utf8)
            return {
                var reader = ChatCompletionReader()
                var said: [AgentEvent] = []
                for byte in bytes { try? reader.read([byte], into: &said) }
            }
        },
        CostCase("a head in single bytes", bytes: 12 * 1024) { nasty in
            let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nName: \(nasty)".utf8)
            return {
                var parser = HTTPRequestParser()
                for byte in bytes { _ = try? [byte].withUnsafeBytes { try parser.receive($0) { _ in } } }
            }
        },
        CostCase("a body in chunks of one byte", bytes: 16 * 1024) { nasty in
            let chunks = nasty.utf8.flatMap { Array("1\r\n".utf8) + [$0] + Array("\r\n".utf8) }
            let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            return { route(Array(head.utf8) + chunks + Array("0\r\n\r\n".utf8)) }
        },
        CostCase("a message in frames of one byte", bytes: 16 * 1024) { nasty in
            let text = Array(nasty.utf8)
            return {
                var receiver = WebSocketReceiver(role: .client, messageBytesMax: 1 << 20)
                for (index, byte) in text.enumerated() {
                    var frame: [UInt8] = [index == 0 ? 0x01 : 0x00, 1, byte]
                    frame.withUnsafeMutableBytes { try? receiver.receive($0) { _ in } }
                }
            }
        },
    ]
}

extension JSONObject {
    fileprivate init(_ keys: [String], _ value: JSONValue) {
        self.init()
        for key in keys { self[key] = value }
    }
}
