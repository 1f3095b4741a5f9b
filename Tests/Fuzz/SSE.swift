/// However the bytes are cut, the same events are read: those that the standard's own steps give.
func fuzzSSE(_ input: UnsafeRawBufferPointer) {
    guard let (rule, stream) = input.cutting else { return }
    let whole = read(stream, by: 0)
    check(whole == read(stream, by: rule), "the pieces change what is read")
    if stream.count <= eventBytesMax {
        check(!whole.isTooLarge && whole.events == standardEvents(Array(stream)), "the standard says otherwise")
    }
}

/// What the hub writes as events is read again.
func fuzzStreamEvent(_ input: UnsafeRawBufferPointer) {
    var recipe = Recipe(input)
    let rule = recipe.byte()
    var (stream, expected): ([UInt8], [SSEEvent]) = ([], [])
    let exchange = ExchangeRecord(
        exchangeID: ExchangeID("exchange_1"), streamID: StreamID("stream_1"), roomID: RoomID("room_1"),
        sessionID: SessionID("session_1"), userID: UserID("ann"), agentType: "guide",
        startedAt: Timestamp(milliseconds: 0))
    let names = StreamNames(exchange)
    while !recipe.isEmpty, expected.count < 4 {
        let position = LogPosition(epoch: "e", seq: recipe.word())
        let text = recipe.text()
        let delta = Array(text.utf8)[...]
        let isFirst = recipe.byte() & 1 == 1
        stream += StreamEvent.comment("beat")
        stream += isFirst ? StreamEvent.began(names, delta, at: position) : StreamEvent.content(delta, at: position)
        expected.append(SSEEvent(event: nil, data: Array(text.utf8), id: "e:\(position.seq)"))
    }
    let all = stream.withUnsafeBytes { read($0, by: rule, bytesMax: 1 << 20) }
    check(all.events.count == expected.count, "another number of events")
    for (read, expected) in zip(all.events, expected) {
        let content = (try? JSONValue(parsing: read.data))?.object?["content"]?.string
        check(read.id == expected.id && content.map { Array($0.utf8) } == expected.data, "another event than written")
    }
}

private let eventBytesMax = 256

private struct ReadEvents: Equatable {
    var events: [SSEEvent] = []
    var isTooLarge = false
}

private func read(_ stream: UnsafeRawBufferPointer, by rule: UInt8, bytesMax: Int = eventBytesMax) -> ReadEvents {
    var parser = SSEParser(eventBytesMax: bytesMax)
    var read = ReadEvents()
    for range in Pieces(stream.count, by: rule) {
        do throws(SSEError) {
            try parser.receive(stream.piece(range)) { read.events.append($0) }
        } catch {
            read.isTooLarge = true
            break
        }
    }
    check(read.events.allSatisfy { $0.data.count <= bytesMax }, "an event over the limit")
    return read
}

/// WHATWG HTML section 9.2.6, step by step, on the whole stream.
private func standardEvents(_ stream: [UInt8]) -> [SSEEvent] {
    var events: [SSEEvent] = []
    var (data, event, id): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
    for line in standardLines(stream) {
        if line.isEmpty {
            if !data.isEmpty {
                events.append(SSEEvent(event: text(event), data: Array(data.dropLast()), id: text(id)))
            }
            (data, event) = ([], [])
            continue
        }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.count
        var value = Array(line[colon...].dropFirst())
        if value.first == 0x20 { value.removeFirst() }
        switch Array(line[..<colon]) {
        case Array("event".utf8): event = value
        case Array("data".utf8): data += value + [0x0A]
        case Array("id".utf8) where !value.contains(0): id = value
        default: break
        }
    }
    return events
}

/// The lines that have an end.
private func standardLines(_ stream: [UInt8]) -> [[UInt8]] {
    var (lines, line): ([[UInt8]], [UInt8]) = ([], [])
    var index = stream.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    while index < stream.count {
        if stream[index] == 0x0D || stream[index] == 0x0A {
            if stream[index] == 0x0D, index + 1 < stream.count, stream[index + 1] == 0x0A { index += 1 }
            lines.append(line)
            line = []
        } else {
            line.append(stream[index])
        }
        index += 1
    }
    return lines
}

private func text(_ field: [UInt8]) -> String? { field.isEmpty ? nil : String(decoding: field, as: UTF8.self) }
