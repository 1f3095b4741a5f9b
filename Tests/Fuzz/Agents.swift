/// However a program's output is cut, the same is said; what is said is text and JSON within the limits.
func fuzzCommandOutput(_ input: UnsafeRawBufferPointer) {
    guard let (rule, stream) = input.cutting else { return }
    let whole = readOutput(stream, by: 0)
    check(whole == readOutput(stream, by: rule), "the pieces change what is said")
}

/// However a model's stream is cut, the same is said.
func fuzzChatCompletion(_ input: UnsafeRawBufferPointer) {
    fuzz(input, ChatCompletionReader())
}

/// However a model's stream is cut, the same is said.
func fuzzMessages(_ input: UnsafeRawBufferPointer) {
    fuzz(input, MessagesReader())
}

/// The second byte says whether the connection broke at the end.
private func fuzz(_ input: UnsafeRawBufferPointer, _ reader: some ModelReader) {
    guard let (rule, rest) = input.cutting, let (ending, stream) = rest.cutting else { return }
    let whole = readAnswer(stream, by: 0, isCut: ending & 1 == 1, reader)
    check(whole == readAnswer(stream, by: rule, isCut: ending & 1 == 1, reader), "the pieces change what is said")
}

/// What a reader made of a stream.
private struct Said: Equatable {
    var events: [UInt8] = []
    var end = ""

    init(_ events: [AgentEvent], _ end: String) {
        for event in events { describe(event) }
        self.end = end
    }

    private mutating func describe(_ event: AgentEvent) {
        switch event {
        case .text(let text), .reasoning(let text):
            check(String(validating: text, as: UTF8.self) != nil, "a text that is no text")
            events += text
        case .event(let kind, let object):
            let json = JSONValue.object(object).compact
            check((try? JSONValue(parsing: json)) != nil, "an event that cannot be sent")
            events += kind.rawValue.utf8
            events += json
        case .usage(let usage): describe(usage)
        case .ended: check(false, "an end of its own")
        }
        events.append(0)
    }

    mutating func describe(_ usage: Usage) {
        for count in [usage.promptTokens, usage.completionTokens, usage.totalTokens] {
            events += (count.map { "\($0) " } ?? "- ").utf8
        }
        events += (usage.model ?? "-").utf8
    }
}

private func readOutput(_ stream: UnsafeRawBufferPointer, by rule: UInt8) -> Said {
    var reader = CommandOutputReader()
    var events: [AgentEvent] = []
    do throws(CommandError) {
        for range in Pieces(stream.count, by: rule) { try reader.read(Array(stream[range]), into: &events) }
        try reader.end(into: &events)
        return Said(events, reader.finishReason ?? "")
    } catch {
        let sentence = error.sentence
        check(!sentence.unicodeScalars.contains { $0.properties.generalCategory == .control }, "a broken sentence")
        check(sentence.count < 400, "a long sentence")
        return Said(events, sentence)
    }
}

private func readAnswer(
    _ stream: UnsafeRawBufferPointer, by rule: UInt8, isCut: Bool, _ reader: some ModelReader
) -> Said {
    var reader = reader
    var events: [AgentEvent] = []
    do throws(ModelError) {
        for range in Pieces(stream.count, by: rule) {
            try reader.read(Array(stream[range]), into: &events)
            // As the connector does: what follows the end is not read.
            if reader.isDone { break }
        }
        if !reader.isDone { try reader.end(isCut: isCut, into: &events) }
        var said = Said(events, reader.finishReason ?? "")
        if let usage = reader.usage { said.describe(usage) }
        return said
    } catch {
        return Said(events, "\(error)")
    }
}

/// Prompts, Markdown, questions and error sentences are made of strangers' words. The first byte says which.
func fuzzPrompt(_ input: UnsafeRawBufferPointer) {
    guard let (choice, rest) = input.cutting else { return }
    let text = String(decoding: rest, as: UTF8.self)
    switch choice & 3 {
    case 0: checkTemplate(text)
    case 1: checkMarkdown(text)
    case 2: checkWords(text)
    default:
        let shown = Redaction.publishable(text, hiding: "secret")
        check(shown.count <= Redaction.charactersMax && !shown.contains("secret"), "too much is shown")
        check(!shown.unicodeScalars.contains { $0.properties.generalCategory == .control }, "a broken line")
    }
}

/// What holds no place stays as it is, and what is put in its place is not looked at again.
private func checkTemplate(_ text: String) {
    let turn = AgentTurn(
        streamID: StreamID("stream_1"), roomID: RoomID("room_1"), sessionID: SessionID("session_1"),
        userID: UserID("ann"), agentType: "guide", input: text, context: [], roomName: text,
        roomMetadata: ["topic": .string(text), "list": [1, nil]],
        messageMetadata: ["resources": ["paper": .string(text)]], startedAt: Timestamp(milliseconds: 0))
    let rendered = PromptTemplate.render(text, turn)
    if !text.utf8.contains(UInt8(ascii: "{")) { check(rendered.utf8.elementsEqual(text.utf8), "a changed prompt") }
    check(PromptTemplate.render("a{{room_name}}b", turn) == "a" + text + "b", "a value that was looked at")
    for name in ["room.metadata.topic", "resources.paper"] {
        check(PromptTemplate.render("{{ \(name) }}", turn) == text, "a value that was looked at")
    }
}

private func checkMarkdown(_ text: String) {
    let sections = MarkdownSections.split(text, documentName: "Document")
    check(sections.allSatisfy { !$0.body.allSatisfy(\.isWhitespace) }, "an empty section")
    check(sections.reduce(0) { $0 + $1.body.utf8.count } <= text.utf8.count * 3, "more text than there was")
}

private func checkWords(_ text: String) {
    if let query = GuideQuery.match(for: text) {
        let quotes = query.utf8.count { $0 == UInt8(ascii: "\"") }
        check(quotes % 2 == 0 && quotes <= 2 * GuideQuery.wordsMax, "a word that could be an operator")
    }
    check(AgentRouter.words(of: text).allSatisfy { !$0.text.isEmpty }, "an empty word")
    let router = AgentRouter([AgentRouter.Rule(agentType: "billing", keywords: ["invoice", "money back"])])
    check([nil, "billing"].contains(router.agentType(for: text)), "an agent that no rule names")
}
