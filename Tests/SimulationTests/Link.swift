import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

/// What a client asked for on a link, until its answer.
enum Asked {
    /// With what the client held when it asked to go on.
    case join(String, resuming: RoomView?)
    case leave(String)
    case send(Transmission)
    case cancel(Cancel)
    case other(ClientFrameType)
}

/// One of the times a message is sent, with what was known then.
struct Transmission {
    let send: Send
    /// It was on disk already.
    let wasStored: Bool
    let failures: Int
    /// How often a history had been cleared: a message that is removed may be stored again.
    let clearings: Int
}

/// A client's message, through all its transmissions.
final class Send {
    let number: Int
    let room: String
    let text: String
    let key: String?
    let user: String
    var session: String?
    var fields: JSONObject = [:]
    var transmissions = 0
    /// Acknowledgements that do not say `duplicate`.
    var acks = 0
    var exchange: String?
    var stream: String?
    var refusal: String?
    /// A cancel that followed it on its link was told that there is no such message.
    var wasMissed = false
    /// Where its order among others counts.
    var place: String { "\(room) \(session ?? "")" }
    /// It is to be sent again until it is answered.
    var isOpen: Bool { exchange == nil && refusal == nil && key != nil }

    init(number: Int, room: String, text: String, key: String?, user: String) {
        self.number = number
        self.room = room
        self.text = text
        self.key = key
        self.user = user
    }
}

/// A client's wish that something stops.
struct Cancel {
    /// The stream that it names.
    var stream: String?
    /// The message that it names.
    var send: Send?
    /// That message went before it on the same link, and only there.
    var followsSend = false
    /// The streams that it means and that the client had seen run when it asked.
    var seen: [String] = []
}

/// One WebSocket with the network below it: the hub's end, the client's end, and room for so many bytes between them.
final class Link {
    unowned let device: Device
    let ref: ConnectionRef
    let loop: Int
    let connection: Connection
    /// Bytes that the network holds for the client at most.
    var capacity: Int
    /// Frames on their way to the hub.
    var upstream: [[UInt8]] = []
    /// The network took less than it was offered; the hub waits until it is told of room.
    var isBlocked = false
    /// The hub has closed its end, or is about to with its last frame.
    var isClosing = false
    /// The client's end is gone; the hub does not know it.
    var isGone = false
    /// By the frames' ids.
    var asked: [String: Asked] = [:]
    /// Streams whose cancel was accepted here.
    var stopped: Set<String> = []
    var epochs: [String: String] = [:]
    private var taken = 0
    private var readBytes = 0
    private var partial: [UInt8] = []
    private var arriving: [(end: Int, arrival: Arrival)] = []

    enum Arrival {
        case frame(Frame)
        case close
        /// Neither a whole text frame with a JSON object nor a `Close`.
        case garbage
    }

    init(device: Device, ref: ConnectionRef, connection: Connection, capacity: Int) {
        self.device = device
        self.ref = ref
        loop = ref.loop
        self.connection = connection
        self.capacity = capacity
    }

    /// Bytes that the client has not read.
    var unread: Int { taken - readBytes }
    var space: Int { max(0, capacity - unread) }
    var isWritable: Bool { isBlocked && space > 0 }

    /// The network takes bytes of a plan; the frames that are complete now are returned.
    func take(_ count: Int, of plan: WritePlan) -> [(arrival: Arrival, payload: [UInt8])] {
        partial += plan.bytes(count)
        let before = taken - (partial.count - count)
        taken += count
        var start = 0
        var frames: [(Arrival, [UInt8])] = []
        while let frame = ServerBytes.nextFrame(partial, from: start) {
            let payload = Array(partial[frame.payload])
            let arrival = Arrival(first: frame.first, payload)
            arriving.append((before + frame.payload.upperBound, arrival))
            frames.append((arrival, payload))
            start = frame.payload.upperBound
        }
        partial.removeFirst(start)
        return frames
    }

    /// The client reads bytes; the frames that are whole now are returned.
    func read(_ count: Int) -> [Arrival] {
        readBytes += min(count, unread)
        let whole = arriving.prefix { $0.end <= readBytes }.count
        let frames = arriving[..<whole].map(\.arrival)
        arriving.removeFirst(whole)
        return frames
    }
}

extension Link.Arrival {
    init(first: UInt8, _ payload: [UInt8]) {
        switch first {
        case ServerBytes.close: self = .close
        case ServerBytes.text: self = Frame(payload).map { .frame($0) } ?? .garbage
        default: self = .garbage
        }
    }
}
