import CCurl

/// A POST with a JSON body.
struct HTTPRequest {
    let url: String
    /// Whole lines, `Name: value`.
    let headers: [String]
    let body: [UInt8]
    let connectTimeoutSeconds: Double
}

/// What is heard of a request.
enum HTTPEvent {
    /// More of the body; not empty.
    case body(status: Int, [UInt8])
    /// The whole response was read. Last.
    case ended(status: Int, retryAfterSeconds: Int)
    /// The request or its response failed. Last.
    case failed(HTTPFailure)
}

/// Why a request failed, from the server's silence to its response's end.
enum HTTPFailure {
    /// No connection within the time for it.
    case connectTimedOut
    /// No connection, with libcurl's reason.
    case notConnected(String)
    /// The connection ended before the response did.
    case cut
    /// The response was larger than any good one.
    case tooLarge
}

/// One request and its response. Confined to its loop.
final class HTTPTransfer {
    /// A response's headers, in bytes.
    static let headerBytesMax = 64 * 1024
    /// A response's body, in bytes: a token of text comes in some 300 bytes of JSON.
    static let bodyBytesMax = 256 * 1024 * 1024
    /// What one transfer hands out in one turn of the loop, in bytes; the rest waits in the kernel.
    ///
    /// That is 349 of the smallest tokens, which take 1 ms to read: no model holds its loop up longer than 5 ms.
    static let bytesPerTurnMax = 16 * 1024
    /// What a piece of the body takes of a turn beside its bytes: a server may send single ones.
    static let pieceOverheadBytes = 16

    let easy: UnsafeMutableRawPointer
    let receive: (HTTPEvent) -> Void
    /// libcurl's verdict, once the response was read or failed.
    var result: CURLcode?
    /// The socket that libcurl waits for.
    var descriptor: Int32?
    private(set) var isClosed = false
    /// It has had its share of the turn.
    private(set) var isPaused = false
    private unowned let client: HTTPClient
    private var headerLines: UnsafeMutablePointer<curl_slist>?
    private var received: [UInt8] = []
    /// What was received, and what its pieces took.
    private var turnBytes = 0
    private var headerBytes = 0
    private var bodyBytes = 0

    init(_ request: HTTPRequest, client: HTTPClient, receive: @escaping (HTTPEvent) -> Void) {
        guard let easy = curl_easy_init() else { preconditionFailure("out of memory") }
        self.easy = easy
        self.client = client
        self.receive = receive
        setRequest(request)
        setLimits(request)
        let context = Unmanaged.passUnretained(self).toOpaque()
        hb_easy_set_pointer(easy, CURLOPT_PRIVATE, context)
        hb_easy_set_pointer(easy, CURLOPT_WRITEDATA, context)
        hb_easy_set_callback(easy, CURLOPT_WRITEFUNCTION, bodyReceived)
        hb_easy_set_pointer(easy, CURLOPT_HEADERDATA, context)
        hb_easy_set_callback(easy, CURLOPT_HEADERFUNCTION, headerReceived)
    }

    private func setRequest(_ request: HTTPRequest) {
        hb_easy_set_string(easy, CURLOPT_URL, request.url)
        hb_easy_set_long(easy, CURLOPT_POST, 1)
        request.body.withUnsafeBytes { _ = hb_easy_copy_body(easy, $0.baseAddress, curl_off_t($0.count)) }
        // "Expect:" alone keeps libcurl from waiting for a 100 before a large body.
        for line in request.headers + ["Expect:", "User-Agent: hubbub"] {
            headerLines = curl_slist_append(headerLines, line)
        }
        hb_easy_set_pointer(easy, CURLOPT_HTTPHEADER, headerLines)
    }

    private func setLimits(_ request: HTTPRequest) {
        hb_easy_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        hb_easy_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        hb_easy_set_long(easy, CURLOPT_BUFFERSIZE, Self.bytesPerTurnMax)
        hb_easy_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        // No proxy from the environment: it would keep the connection to the model open after a cancel.
        hb_easy_set_string(easy, CURLOPT_PROXY, "")
        hb_easy_set_long(easy, CURLOPT_TCP_NODELAY, 1)
        hb_easy_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1)
        hb_easy_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2)
        hb_easy_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(request.connectTimeoutSeconds * 1000)))
        // Signals are the process's; and closing while a name is looked up must not wait for the resolver's thread.
        hb_easy_set_long(easy, CURLOPT_NOSIGNAL, 1)
        hb_easy_set_long(easy, CURLOPT_QUICK_EXIT, 1)
    }

    /// The last event, after libcurl's verdict.
    var end: HTTPEvent {
        guard let result, result != CURLE_OK else {
            return .ended(status: hb_easy_status(easy), retryAfterSeconds: Int(hb_easy_retry_after(easy)))
        }
        if bodyBytes > Self.bodyBytesMax || headerBytes > Self.headerBytesMax { return .failed(.tooLarge) }
        return switch result {
        case CURLE_OPERATION_TIMEDOUT: .failed(.connectTimedOut)
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION:
            .failed(.notConnected(String(cString: curl_easy_strerror(result))))
        default: .failed(.cut)
        }
    }

    func handOutBytes() {
        guard !isClosed, !received.isEmpty else { return }
        let bytes = received
        received = []
        turnBytes = 0
        receive(.body(status: hb_easy_status(easy), bytes))
    }

    func close() {
        isClosed = true
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerLines)
    }

    /// Goes on after a pause; libcurl may bring what it held back at once.
    func resume() {
        isPaused = false
        curl_easy_pause(easy, CURLPAUSE_CONT)
    }

    /// Returns how many bytes were taken, as libcurl wants it.
    fileprivate func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        // libcurl brings at most `bytesPerTurnMax` at once, its buffer's size, so that the first piece is always taken.
        guard received.isEmpty || turnBytes + bytes.count <= Self.bytesPerTurnMax else {
            isPaused = true
            client.notePause(of: self)
            return Int(CURL_WRITEFUNC_PAUSE)
        }
        bodyBytes += bytes.count
        guard bodyBytes <= Self.bodyBytesMax else { return 0 }
        if received.isEmpty { client.noteBytes(of: self) }
        received.append(contentsOf: bytes)
        turnBytes += bytes.count + Self.pieceOverheadBytes
        return bytes.count
    }

    fileprivate func takeHeader(byteCount: Int) -> Bool {
        headerBytes += byteCount
        return headerBytes <= Self.headerBytesMax
    }
}

// A callback that takes fewer bytes than it was given makes libcurl end the transfer.

private func bodyReceived(
    bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int, transfer: UnsafeMutableRawPointer?
) -> Int {
    let transfer = Unmanaged<HTTPTransfer>.fromOpaque(transfer!).takeUnretainedValue()
    return transfer.takeBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
}

private func headerReceived(
    bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int, transfer: UnsafeMutableRawPointer?
) -> Int {
    let transfer = Unmanaged<HTTPTransfer>.fromOpaque(transfer!).takeUnretainedValue()
    return transfer.takeHeader(byteCount: size * count) ? size * count : 0
}
