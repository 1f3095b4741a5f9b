import Reactor
import Wire

/// A model that says what it is told to, when it is told to: an OpenAI-compatible `/chat/completions` stream over
/// HTTP/1.1, in the load test's own loop. Confined to the main thread.
final class ScriptedModel {
    /// Where it listens.
    let port: UInt16
    /// Requests whose answers are under way.
    private(set) var answering: [Answer] = []

    /// An answer under way.
    final class Answer {
        fileprivate let link: Link
        fileprivate var parser = HTTPRequestParser()

        fileprivate init(_ link: Link) { self.link = link }
    }

    init(_ driver: Driver) throws(Failure) {
        do throws(SystemError) {
            port = try driver.loop.listen(host: "127.0.0.1", port: 0, reusePort: false)
        } catch { throw Failure("\(error)") }
        driver.accept = { [unowned self, unowned driver] link in
            let answer = Answer(link)
            link.received = { [unowned self, unowned driver] bytes in
                do throws(HTTPParseError) {
                    _ = try answer.parser.receive(UnsafeRawBufferPointer(bytes)) { event in
                        if case .end = event { begin(answer) }
                    }
                } catch { driver.fail("the hub's request to the model: \(error)") }
            }
            // The hub cancels an answer by closing its connection.
            link.ended = { [unowned self] _ in answering.removeAll { $0 === answer } }
        }
    }

    private func begin(_ answer: Answer) {
        answering.append(answer)
        answer.link.send(
            Array("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".utf8))
    }

    /// Says tokens, each an event and a chunk of its own, in one write.
    func say(_ tokens: [[UInt8]], in answer: Answer) {
        var bytes: [UInt8] = []
        for token in tokens { HTTPResponseWriter.chunk(Self.event(token, finish: false), into: &bytes) }
        answer.link.send(bytes)
    }

    /// Ends the answer.
    func finish(_ answer: Answer) {
        var bytes: [UInt8] = []
        HTTPResponseWriter.chunk(Self.event([], finish: true) + Array("data: [DONE]\n\n".utf8), into: &bytes)
        answer.link.send(bytes + HTTPResponseWriter.lastChunk)
        answering.removeAll { $0 === answer }
    }

    private static func event(_ token: [UInt8], finish: Bool) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("id", "chatcmpl-1")
        writer.field("object", "chat.completion.chunk")
        writer.field("created", 1)
        writer.field("model", "scripted")
        writer.key("choices")
        writer.beginArray()
        writer.beginObject()
        writer.field("index", 0)
        writer.key("delta")
        writer.beginObject()
        if !token.isEmpty {
            writer.key("content")
            writer.string(utf8: token)
        }
        writer.endObject()
        writer.field("finish_reason", finish ? JSONValue.string("stop") : .null)
        writer.endObject()
        writer.endArray()
        writer.endObject()
        return Array("data: ".utf8) + writer.bytes + Array("\n\n".utf8)
    }
}
