import Chat
import ChatProtocol
import Wire

/// A person's browser or phone: it keeps what it holds of its rooms across connections, goes on from there, and sends
/// again what was not answered. It checks what arrives by the rules of the protocol.
final class Device {
    let number: Int
    let user: String
    unowned let world: Simulation
    var link: Link?
    /// It reads only when a step says so; else whenever bytes are there.
    var isLazy = false
    var views: [String: RoomView] = [:]
    /// The rooms that it wants to be in, in the order of its wishes.
    var wanted: [String] = []
    var sends: [Send] = []
    /// Who is in each room and who writes there, as it was told last.
    private(set) var presences: [String: [String]] = [:]
    private(set) var writers: [String: [String]] = [:]
    /// How far each has read, by room and user.
    private(set) var marks: [String: [String: String]] = [:]
    private var nextID = 0

    init(number: Int, user: String, world: Simulation) {
        self.number = number
        self.user = user
        self.world = world
    }

    var name: String { "device \(number) (\(user))" }

    private func check(_ condition: Bool, _ fault: @autoclosure () -> String) {
        if !condition { world.fail("\(name): \(fault())") }
    }

    // MARK: - Asking

    /// Puts a frame on its way; `false` without a link.
    @discardableResult
    func ask(_ type: ClientFrameType, _ fields: JSONObject, _ asked: Asked? = nil) -> Bool {
        guard let link else { return false }
        nextID += 1
        let id = "\(number)-\(nextID)"
        var frame: JSONObject = ["type": .string(type.rawValue), "id": .string(id)]
        for (key, value) in fields.members { frame[key] = value }
        link.asked[id] = asked ?? .other(type)
        link.upstream.append(JSONValue.object(frame).compact)
        world.note("\(name) asks \(String(decoding: link.upstream.last ?? [], as: UTF8.self))")
        return true
    }

    func join(_ room: String, resuming: Bool) {
        if !wanted.contains(room) { wanted.append(room) }
        var fields: JSONObject = ["room_id": .string(room)]
        let view = resuming ? views[room].flatMap { $0.epoch.isEmpty || $0.isJoined ? nil : $0 } : nil
        if let view { fields["after"] = view.position.json }
        ask(.join, fields, .join(room, resuming: view))
    }

    func transmit(_ send: Send) {
        var fields = send.fields
        fields["room_id"] = .string(send.room)
        fields["text"] = .string(send.text)
        fields["message_id"] = send.key.map { .string($0) }
        fields["session_id"] = send.session.map { .string($0) }
        let transmission = Transmission(
            send: send, wasStored: world.isStored(send), failures: world.disk.failures,
            clearings: world.oracle.clearings)
        guard ask(.send, fields, .send(transmission)) else { return }
        send.transmissions += 1
        if send.transmissions == 1, let link {
            world.ordered["\(link.ref.text) \(send.place)", default: []].append(send)
        }
    }

    // MARK: - The link

    /// The link is gone for the client; what was on its way is lost, what it held stays.
    func lost() {
        link = nil
        for room in views.keys { views[room]?.isJoined = false }
    }

    func take(_ frame: Frame, on link: Link) {
        switch frame.type {
        case "welcome", "pong", "draining", "room-added", "room-removed", "room-summary": break
        case "presence", "typing", "read":
            check(views[frame.room]?.isJoined == true, "\(frame.type) of \(frame.room), which is not joined")
            if frame.type == "presence" { presences[frame.room] = frame.object.texts("users") }
            if frame.type == "typing" { writers[frame.room] = frame.object.texts("users") }
            if frame.type == "read" {
                marks[frame.room] = frame.objects("marks").reduce(into: [:]) { marks, mark in
                    marks[mark.text("user_id")] = mark.text("exchange_id")
                }
            }
        case "left":
            check(views[frame.room]?.isJoined == true, "left \(frame.room), which is not joined")
            views[frame.room]?.isJoined = false
        case "joined": joined(frame, link)
        case "ack", "error": answered(frame, link)
        default:
            check(frame.isOfLog, "a frame of an unknown type, \(frame.type)")
            entry(frame, link)
        }
        if frame.type == "pong" { link.asked[frame.text("id")] = nil }
    }

    private func entry(_ frame: Frame, _ link: Link) {
        let pieces = frame.type == "chunks" ? frame.objects("parts") : [frame.object]
        if ["chunk", "chunks", "reasoning"].contains(frame.type) {
            for piece in pieces where link.stopped.contains(piece.text("stream_id")) {
                check(false, "a chunk of \(piece.text("stream_id")) behind `accepted`")
            }
        }
        if frame.type == "message" { checkOrder(frame, link) }
        do throws(RoomView.Fault) {
            guard views[frame.room] != nil else { throw RoomView.Fault("\(frame.type) of an unknown room") }
            try views[frame.room]?.take(frame, world.oracle.origins[frame.text("exchange_id")])
        } catch {
            check(false, "\(frame.room): \(error.what)")
        }
    }

    /// On the sender's socket the `ack` comes before the `message`.
    private func checkOrder(_ frame: Frame, _ link: Link) {
        for case .send(let transmission) in link.asked.values where transmission.send.text == frame.text("text") {
            check(transmission.send.transmissions > 1, "the message '\(transmission.send.text)' before its ack")
        }
    }

    // MARK: - Answers

    private func joined(_ frame: Frame, _ link: Link) {
        let room = frame.room
        var resuming: RoomView?
        if let id = frame.object["id"]?.string {
            guard case .join(room, let view)? = link.asked.removeValue(forKey: id) else {
                return check(false, "joined \(room) without having asked")
            }
            resuming = view
        } else {
            check(views[room]?.isJoined == true, "a snapshot of \(room), which is not joined")
        }
        marks[room] = nil
        if frame.object["recovered"] == true {
            guard let resuming else { return check(false, "recovered without `after`") }
            check(
                resuming.position == LogPosition(epoch: frame.text("epoch"), seq: frame.seq),
                "recovered elsewhere than at \(resuming.position.seq)")
            views[room] = resuming
            views[room]?.isJoined = true
            // What it missed comes now, also of what was cancelled since.
            for exchange in resuming.exchanges { link.stopped.remove(exchange.streamID) }
            return
        }
        // The same of what a snapshot had no room for, whose streams are not known yet.
        if frame.text("epoch").contains(".") { link.stopped = [] }
        do throws(RoomView.Fault) {
            views[room] = try RoomView(snapshot: frame)
            presences[room] = frame.object["presence"]?.object?.texts("users")
            writers[room] = nil
        } catch {
            check(false, "\(room): \(error.what)")
        }
    }

    private func answered(_ frame: Frame, _ link: Link) {
        guard let id = frame.object["id"]?.string else {
            return check(frame.type == "error", "an answer to nobody")
        }
        guard let asked = link.asked.removeValue(forKey: id) else {
            return check(false, "a second answer to \(id)")
        }
        let code = frame.type == "error" ? frame.text("code") : nil
        switch asked {
        case .join(let room, _):
            check(code != nil, "a join is acknowledged")
            if code == ErrorCode.notFound.rawValue { forget(room) }
        case .leave(let room): if code == nil { views[room]?.isJoined = false }
        case .send(let transmission): world.answered(transmission, frame)
        case .cancel(let cancel): world.answered(cancel, frame, on: link)
        case .other: break
        }
    }

    private func forget(_ room: String) { wanted.removeAll { $0 == room } }
}

extension LogPosition {
    var json: JSONValue { ["epoch": .string(epoch), "seq": .int(Int64(seq))] }
}
