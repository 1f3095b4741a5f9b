import CCurl
import Reactor

/// HTTP requests to models, for one loop. Confined to its loop.
///
/// How it works: libcurl's multi interface says which sockets it waits for and when it wants to be called; the loop's
/// watches and timers do both. libcurl may not be called from its own callbacks, and what receives an answer may want
/// to close it or start another. So the callbacks only collect: bytes in their transfer, transfers in `touched`. When
/// libcurl has returned, `settle` hands everything out.
///
/// A transfer takes its share of a turn and is paused; it goes on in a later turn of the loop. What its server sends
/// meanwhile waits in the kernel, and then at the server.
///
/// HTTP/1.1 only: closing a transfer that is under way resets its TCP connection, so the very next token that the model
/// writes is refused, even if its server never looks whether somebody is still there. A connection whose response was
/// read to the end is kept for the next request.
///
/// Invariant: a transfer is in libcurl's hands until `close`, and receives nothing after it.
final class HTTPClient {
    /// Connections kept for reuse.
    private static let idleConnectionsMax = 32

    private let services: LoopServices
    private let multi: UnsafeMutableRawPointer
    private var timer: TimerID?
    private var watched: Set<Int32> = []
    private var transfers: [ObjectIdentifier: HTTPTransfer] = [:]
    /// Transfers with bytes to hand out.
    private var touched: [HTTPTransfer] = []
    /// Transfers that have had their share, and the timer of the turn in which they go on.
    private var paused: [HTTPTransfer] = []
    private var resumeTimer: TimerID?
    private var isShutDown = false

    init(services: LoopServices) throws(AgentConfigurationError) {
        guard hb_global_init() == CURLE_OK, let multi = curl_multi_init() else { throw .outOfMemory }
        self.services = services
        self.multi = multi
        hb_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.idleConnectionsMax)
        hb_multi_set_callbacks(multi, socketChanged, timerChanged, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { shutdown() }

    /// Sends a request; `receive` hears of its answer, first and last from a later step of the loop.
    func send(_ request: HTTPRequest, receive: @escaping (HTTPEvent) -> Void) -> HTTPTransfer {
        precondition(!isShutDown, "no request after shutdown")
        let transfer = HTTPTransfer(request, client: self, receive: receive)
        transfers[ObjectIdentifier(transfer)] = transfer
        let code = curl_multi_add_handle(multi, transfer.easy)
        precondition(code == CURLM_OK, "a new handle can be added")
        return transfer
    }

    /// Ends a transfer. If its response was not read to the end, its connection is reset before this returns.
    func close(_ transfer: HTTPTransfer) {
        guard transfers.removeValue(forKey: ObjectIdentifier(transfer)) != nil else { return }
        if transfer.result == nil {
            hb_easy_set_long(transfer.easy, CURLOPT_FORBID_REUSE, 1)
            if let descriptor = transfer.descriptor { hb_reset_when_closed(descriptor) }
        }
        curl_multi_remove_handle(multi, transfer.easy)
        transfer.close()
    }

    /// Ends all transfers and closes all connections.
    func shutdown() {
        guard !isShutDown else { return }
        isShutDown = true
        for transfer in transfers.values { close(transfer) }
        hb_multi_set_callbacks(multi, nil, nil, nil)
        for descriptor in watched { services.unwatch(descriptor) }
        setTimer(milliseconds: -1)
        resumeTimer.map(services.cancel)
        paused = []
        curl_multi_cleanup(multi)
    }

    private func act(_ descriptor: Int32, _ events: Int32) {
        var running: Int32 = 0
        curl_multi_socket_action(multi, descriptor, events, &running)
        settle()
    }

    /// Hands out what the callbacks collected: bytes first, then ends.
    private func settle() {
        var finished: [HTTPTransfer] = []
        var waiting: Int32 = 0
        while let message = curl_multi_info_read(multi, &waiting) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            let transfer = Unmanaged<HTTPTransfer>.fromOpaque(hb_easy_private(message.pointee.easy_handle)!)
                .takeUnretainedValue()
            transfer.result = message.pointee.data.result
            finished.append(transfer)
        }
        let withBytes = touched
        touched = []
        for transfer in withBytes { transfer.handOutBytes() }
        for transfer in finished where !transfer.isClosed {
            let event = transfer.end
            let receive = transfer.receive
            close(transfer)
            receive(event)
        }
        resumeSoon()
    }

    private func resumeSoon() {
        guard !paused.isEmpty, resumeTimer == nil, !isShutDown else { return }
        resumeTimer = services.schedule(services.clock()) { [weak self] in self?.resume() }
    }

    private func resume() {
        resumeTimer = nil
        let resumed = paused
        paused = []
        for transfer in resumed where !transfer.isClosed { transfer.resume() }
        settle()
    }

    /// From within libcurl: a transfer has received its first bytes since they were last handed out.
    func noteBytes(of transfer: HTTPTransfer) { touched.append(transfer) }

    /// From within libcurl: a transfer has had its share of this turn.
    func notePause(of transfer: HTTPTransfer) { paused.append(transfer) }

    fileprivate func setWatch(_ descriptor: Int32, _ what: Int32) {
        guard what != CURL_POLL_REMOVE else {
            watched.remove(descriptor)
            services.unwatch(descriptor)
            return
        }
        let interest: Interest =
            switch what {
            case CURL_POLL_IN: .read
            case CURL_POLL_OUT: .write
            default: [.read, .write]
            }
        // Without a watch the request stays silent, and its run ends by its time limit.
        let isWatched = services.watch(descriptor, interest) { [weak self] ready in
            self?.act(
                descriptor,
                (ready.contains(.read) ? CURL_CSELECT_IN : 0) | (ready.contains(.write) ? CURL_CSELECT_OUT : 0))
        }
        if isWatched { watched.insert(descriptor) }
    }

    fileprivate func setTimer(milliseconds: Int) {
        if let timer { services.cancel(timer) }
        timer = nil
        guard milliseconds >= 0 else { return }
        // libcurl rounds down and does not ask again when it is called too early: one more millisecond.
        let delay = milliseconds == 0 ? 0 : UInt64(milliseconds + 1) * 1_000_000
        timer = services.schedule(services.clock() + delay) { [weak self] in
            self?.timer = nil
            self?.act(CURL_SOCKET_TIMEOUT, 0)
        }
    }
}

private func socketChanged(
    easy: UnsafeMutableRawPointer?, descriptor: Int32, what: Int32, client: UnsafeMutableRawPointer?,
    socket: UnsafeMutableRawPointer?
) -> Int32 {
    // libcurl's own handles, which have no transfer, close what is idle.
    if let transfer = hb_easy_private(easy) {
        let transfer = Unmanaged<HTTPTransfer>.fromOpaque(transfer).takeUnretainedValue()
        // A paused transfer keeps its socket, though nobody waits for it.
        if what != CURL_POLL_REMOVE {
            transfer.descriptor = descriptor
        } else if !transfer.isPaused {
            transfer.descriptor = nil
        }
    }
    Unmanaged<HTTPClient>.fromOpaque(client!).takeUnretainedValue().setWatch(descriptor, what)
    return 0
}

private func timerChanged(multi: UnsafeMutableRawPointer?, milliseconds: Int, client: UnsafeMutableRawPointer?) -> Int32
{
    Unmanaged<HTTPClient>.fromOpaque(client!).takeUnretainedValue().setTimer(milliseconds: milliseconds)
    return 0
}
