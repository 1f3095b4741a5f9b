// sources: Sources/Wire

/// The first byte says which end reads, and into pieces of which size the rest is cut; the pieces must not change what
/// is read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzWebSocket(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    guard let first = bytes.first, first >> 1 > 0 else { return 0 }
    let role: WebSocketRole = first & 1 == 0 ? .client : .server
    let stream = Array(bytes.dropFirst())
    let whole = read(stream, role, pieceCount: stream.count)
    let pieces = read(stream, role, pieceCount: Int(first >> 1))
    precondition(whole.events == pieces.events && whole.error?.closeCode == pieces.error?.closeCode)
    for event in whole.events { check(event) }
    return 0
}

private func read(
    _ stream: [UInt8], _ role: WebSocketRole, pieceCount: Int
) -> (events: [WebSocketEvent], error: WebSocketError?) {
    var receiver = WebSocketReceiver(role: role, messageBytesMax: 300)
    var events: [WebSocketEvent] = []
    var rest = stream[...]
    while !rest.isEmpty {
        var piece = Array(rest.prefix(pieceCount))
        rest = rest.dropFirst(pieceCount)
        do throws(WebSocketError) {
            try piece.withUnsafeMutableBufferPointer { (buffer) throws(WebSocketError) in
                try receiver.receive(UnsafeMutableRawBufferPointer(buffer)) { events.append($0) }
            }
        } catch {
            return (events, error)
        }
    }
    return (events, nil)
}

private func check(_ event: WebSocketEvent) {
    switch event {
    case .text(let text): precondition(text.count <= 300 && String(validating: text, as: UTF8.self) != nil)
    case .binary(let binary): precondition(binary.count <= 300)
    case .ping(let payload), .pong(let payload): precondition(payload.count <= 125)
    case .close(let code, let reason):
        precondition(code?.isValidOnWire != false && String(validating: reason, as: UTF8.self) != nil)
    }
}
