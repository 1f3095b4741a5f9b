/// Any bytes decode or are refused without a trap. What decodes keeps the protocol's limits; every refusal can be
/// encoded as an answer that is JSON again.
func fuzzClientFrame(_ input: UnsafeRawBufferPointer) {
    let bytes = Array(input)
    do throws(FrameFault) {
        let frame = try ClientFrame.decode(bytes, offersSynthetic: true)
        check(frame.id.map(isShort) ?? true, "an id over the limit")
        checkLimits(of: frame.request)
    } catch {
        check(error.roomID.map(isWellFormed) ?? true, "a malformed room id")
        check((error.id.map(isShort) ?? true) && (error.type.map(isShort) ?? true), "too much is sent back")
        check(!error.error.message.isEmpty, "a refusal without a sentence")
        let answer = try? JSONValue(parsing: ServerFrame.error(error))
        check(answer?.object?["code"]?.string == error.error.code.rawValue, "a refusal that cannot be sent")
    }
}

/// Holds for what a frame and a request over HTTP ask alike.
func checkLimits(of request: ClientRequest) {
    switch request {
    case .createRoom(let creation): check(creation.name, creation.metadata)
    case .updateRoom(let roomID, let change):
        check(isWellFormed(roomID), "a malformed room id")
        check(change.name ?? "a", change.metadata ?? JSONObject())
        check(change.name != nil || change.metadata != nil, "a change of nothing")
    case .listRooms(let page):
        check((1...200).contains(page.limit) && (0...Limits.pageOffsetMax).contains(page.offset), "a page out of range")
    case .history(let roomID, let before, let limit):
        check(isWellFormed(roomID) && before.map(isWellFormed) ?? true, "a malformed id")
        check((1...200).contains(limit), "a page out of range")
    case .historyPage(_, let limit, let offset):
        check((1...200).contains(limit) && (0...Limits.pageOffsetMax).contains(offset), "a page out of range")
    case .join(let joins):
        check((1...100).contains(joins.count) && Set(joins.map(\.roomID)).count == joins.count, "joins out of range")
        check(joins.allSatisfy { isWellFormed($0.roomID) && isShort($0.after?.epoch ?? "e") }, "a malformed join")
    case .send(let send):
        check(isWellFormed(send.roomID) && send.sessionID.map(isWellFormed) ?? true, "a malformed id")
        check((1...32_768).contains(send.text.utf8.count), "a text out of range")
        check(send.messageID.map(isShort) ?? true, "a message id over the limit")
        check("a", send.metadata ?? JSONObject())
    case .cancel(.room(let roomID, let messageID)):
        check(isWellFormed(roomID) && messageID.map(isShort) ?? true, "a malformed cancel")
    default: break
    }
}

/// What the synthetic agent takes is written as it was read.
func fuzzSynthetic(_ input: UnsafeRawBufferPointer) {
    let text = String(decoding: input, as: UTF8.self)
    do throws(SyntheticScriptError) {
        let script = try SyntheticScript(parsing: text)
        let again = try? SyntheticScript(parsing: "Do this:\n" + script.json)
        check(again == script, "written and read again, it is another script")
        check(SyntheticScript.tokenBytesRange.contains(script.tokenBytes), "a token out of range")
    } catch {
        check(!error.reason.isEmpty, "a refusal without a sentence")
    }
    guard let stamp = SyntheticText.stamp(of: input) else { return }
    var token = [UInt8](repeating: 0, count: SyntheticScript.tokenBytesRange.lowerBound)
    token.withUnsafeMutableBytes { SyntheticText(seed: stamp).write(input.count, stamp: stamp, into: $0) }
    check(token.prefix(16).elementsEqual(input.prefix(16)), "a stamp that is written otherwise")
    check(String(validating: token, as: UTF8.self) != nil, "a token that is no text")
}

private func check(_ name: String, _ metadata: JSONObject) {
    check((1...100).contains(name.unicodeScalars.count), "a name out of range")
    check(JSONValue.object(metadata).compact.count <= 10_240, "metadata over the limit")
}

private func isShort(_ text: String) -> Bool { (1...64).contains(text.unicodeScalars.count) }

private func isWellFormed<Kind>(_ id: Identifier<Kind>) -> Bool { Identifier<Kind>.isWellFormed(id.text) }
