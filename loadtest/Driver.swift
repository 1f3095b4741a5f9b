import Glibc
import Reactor

/// The load test's one loop, driven step by step: `run` turns it until something has happened, so that a measurement
/// reads from top to bottom. Confined to the main thread.
///
/// Invariant: a link stands at its descriptor's place from `connect` or `accepted` until it ends.
final class Driver: LoopHandler {
    typealias Message = Never

    let loop: EventLoop<Driver>
    /// Makes the other end of a connection that a listener took.
    var accept: (Link) -> Void = { _ in }
    /// Called at the end of each turn, before `run` asks whether it is done.
    var afterTurn: () -> Void = {}
    private var links: [Link?] = []
    private var isDone: () -> Bool = { false }
    private var failure: Failure?

    init() throws(SystemError) {
        loop = try EventLoop(index: 0, mailbox: Mailbox())
        loop.handler = self
    }

    /// Turns the loop until the closure says true, which is asked once per turn.
    ///
    /// - Parameter what: says in a failure what did not happen.
    func run(_ what: String, within seconds: Double = 20, until isDone: @escaping () -> Bool) throws(Failure) {
        self.isDone = isDone
        defer { self.isDone = { false } }
        let deadline = loop.readClock() + UInt64(seconds * 1e9)
        let timer = loop.schedule(at: deadline) { [unowned self] in fail("\(what): not within \(fixed(seconds, 0)) s") }
        // The first turn must not wait for an event when everything has happened already.
        loop.schedule(at: 0) {}
        loop.run()
        loop.cancel(timer)
        if let failure { throw failure }
    }

    /// Ends the present `run` with a failure; the first one counts.
    func fail(_ reason: String) {
        if failure == nil { failure = Failure(reason) }
    }

    /// Connects to a port of this machine.
    func connect(to port: UInt16) throws(Failure) -> Link {
        do throws(SystemError) {
            let id = try loop.connect(to: PeerAddress(host: "127.0.0.1", port: port)!)
            return add(Link(id, self))
        } catch { throw Failure("\(error)") }
    }

    func close(_ link: Link) {
        links[Int(link.id.descriptor)] = nil
        loop.close(link.id)
    }

    private func add(_ link: Link) -> Link {
        let index = Int(link.id.descriptor)
        while links.count <= index { links.append(nil) }
        links[index] = link
        return link
    }

    // MARK: - LoopHandler

    func accepted(_ id: ConnectionID, peer: PeerAddress) { accept(add(Link(id, self))) }

    func received(_ id: ConnectionID, _ bytes: UnsafeMutableRawBufferPointer) {  // HOT
        links[Int(id.descriptor)]?.received(bytes)
    }

    func writable(_ id: ConnectionID) { links[Int(id.descriptor)]?.flush() }

    func disconnected(_ id: ConnectionID, _ cause: DisconnectCause) {
        guard let link = links[Int(id.descriptor)] else { return }
        links[Int(id.descriptor)] = nil
        link.ended(cause)
    }

    func handle(_ message: Never) {}

    func turnEnded() {
        afterTurn()
        if failure != nil || isDone() { loop.stop() }
    }
}

/// One connection of the load test, as a client or as the model's server. Confined to the main thread.
final class Link {
    let id: ConnectionID
    var received: (UnsafeMutableRawBufferPointer) -> Void = { _ in }
    var ended: (DisconnectCause) -> Void
    private unowned let driver: Driver
    private var unsent: [UInt8] = []

    fileprivate init(_ id: ConnectionID, _ driver: Driver) {
        self.id = id
        self.driver = driver
        ended = { [unowned driver] in driver.fail("a connection ended: \($0)") }
    }

    /// Sends bytes; what the kernel has no room for yet, such as before the connection stands, follows later.
    func send(_ bytes: [UInt8]) {
        let isFirst = unsent.isEmpty
        unsent += bytes
        if isFirst { flush() }
    }

    fileprivate func flush() {
        guard !unsent.isEmpty else { return }
        let result = unsent.withUnsafeMutableBytes { bytes in
            withUnsafePointer(to: iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)) {
                driver.loop.write(id, UnsafeBufferPointer(start: $0, count: 1))
            }
        }
        switch result {
        case .wrote(let count): unsent.removeFirst(count)
        case .wouldBlock: break
        case .failed(let code): driver.fail("\(SystemError("write", errno: code))")
        }
    }
}
