// sources: Sources/Wire Sources/ChatProtocol
//
// Any bytes decode or are refused without a trap. What decodes keeps the protocol's limits; every refusal can be
// encoded as an answer that is JSON again.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzClientFrame(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
    do throws(FrameFault) {
        let frame = try ClientFrame.decode(bytes, offersSynthetic: true)
        precondition(frame.id.map { (1...64).contains($0.unicodeScalars.count) } ?? true)
        checkLimits(of: frame.request)
    } catch {
        precondition(error.roomID.map { RoomID.isWellFormed($0.text) } ?? true)
        precondition(!error.error.message.isEmpty)
        precondition((try? JSONValue(parsing: ServerFrame.error(error))) != nil)
    }
    return 0
}

private func checkLimits(of request: ClientRequest) {
    switch request {
    case .createRoom(let creation):
        precondition((1...100).contains(creation.name.unicodeScalars.count))
        precondition(JSONValue.object(creation.metadata).compact.count <= 10_240)
    case .listRooms(let page):
        precondition((1...200).contains(page.limit) && page.offset >= 0)
    case .history(let roomID, _, let limit):
        precondition(RoomID.isWellFormed(roomID.text) && (1...200).contains(limit))
    case .join(let joins):
        precondition((1...100).contains(joins.count) && Set(joins.map(\.roomID)).count == joins.count)
    case .send(let send):
        precondition(RoomID.isWellFormed(send.roomID.text) && (1...32_768).contains(send.text.utf8.count))
    default: break
    }
}
