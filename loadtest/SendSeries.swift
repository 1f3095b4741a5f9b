/// A socket that sends messages, each of which is answered.
final class Sender {
    /// What an arriving message means to the sender that waits for an answer.
    enum Reading {
        case answer
        case unrelated
        case fault(String)
    }

    let socket: WebSocketClient
    let frame: (_ number: Int) -> [UInt8]
    let reading: (_ message: [UInt8], _ number: Int) -> Reading
    fileprivate var left = 0
    fileprivate var sentAt: UInt64?

    init(
        _ socket: WebSocketClient, frame: @escaping (_ number: Int) -> [UInt8],
        reading: @escaping (_ message: [UInt8], _ number: Int) -> Reading
    ) {
        self.socket = socket
        self.frame = frame
        self.reading = reading
    }
}

/// Sends by several senders in turn, so many in flight altogether and one at most of each. Confined to the main thread.
final class SendSeries {
    private let driver: Driver
    private let senders: [Sender]
    private var idle: [Sender]
    private var latency = Histogram()
    private let total: Int

    init(_ driver: Driver, _ senders: [Sender], each count: Int) {
        self.driver = driver
        self.senders = senders
        idle = senders
        total = senders.count * count
        for sender in senders { sender.left = count }
    }

    /// Runs until every message is answered.
    func run(inFlight: Int, on server: ServerProcess) throws(Failure) -> SendCost {
        for sender in senders {
            sender.socket.received = { [unowned self, unowned sender] in receive($0, sender) }
        }
        defer { for sender in senders { sender.socket.received = { _ in } } }
        let stopwatch = Stopwatch(server)
        for _ in 0..<inFlight { sendNext() }
        try driver.run("\(total) sends to be answered") { [self] in latency.count == total }
        return SendCost(latency: latency, effort: stopwatch.effort)
    }

    private func sendNext() {
        guard !idle.isEmpty else { return }
        let sender = idle.removeFirst()
        let frame = sender.frame(sender.left)
        sender.sentAt = driver.loop.readClock()
        sender.socket.send(frame)
    }

    private func receive(_ message: [UInt8], _ sender: Sender) {
        let now = driver.loop.readClock()
        switch sender.reading(message, sender.left) {
        case .unrelated: return
        case .fault(let reason): return driver.fail("a send was answered by \(reason)")
        case .answer: break
        }
        guard let sentAt = sender.sentAt else { return driver.fail("a send was answered twice") }
        latency.record(now - sentAt)
        sender.sentAt = nil
        sender.left -= 1
        if sender.left > 0 { idle.append(sender) }
        sendNext()
    }
}
