import Glibc

/// Where a server is, from `ws://HOST:PORT`.
struct ServerAddress {
    /// As in the URL, for the `Host` header and for people.
    let authority: String
    /// This machine: its clock is the agent's clock, and it has many source addresses.
    let isLoopback: Bool
    fileprivate let storage: sockaddr_storage
    fileprivate let length: socklen_t

    init(url: String) throws(Failure) {
        let hint = "; a URL looks like ws://127.0.0.1:8080"
        guard url.hasPrefix("ws://") || url.hasPrefix("http://") else { throw Failure("'\(url)' is none\(hint)") }
        let rest = url[url.firstRange(of: "://")!.upperBound...]
        authority = String(rest.prefix { $0 != "/" })
        guard let colon = authority.lastIndex(of: ":"), let port = UInt16(authority[authority.index(after: colon)...])
        else { throw Failure("'\(url)' has no port\(hint)") }
        let host = authority[..<colon].filter { $0 != "[" && $0 != "]" }

        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(String(host), String(port), &hints, &found)
        guard code == 0, let found else { throw Failure("\(host): \(String(cString: gai_strerror(code)))") }
        defer { freeaddrinfo(found) }
        var storage = sockaddr_storage()
        memcpy(&storage, found.pointee.ai_addr, Int(found.pointee.ai_addrlen))
        (self.storage, length) = (storage, found.pointee.ai_addrlen)
        isLoopback = withUnsafeBytes(of: &storage) { bytes in
            // The first byte of an IPv4 address; ::1 has but one source.
            bytes.load(as: sa_family_t.self) == sa_family_t(AF_INET) && bytes[4] == 127
        }
    }
}

// The system calls of a client's socket.
extension ServerAddress {
    /// So many sockets have one source address: fewer than a machine has ports for them.
    static let socketsPerSource = 20_000

    /// Starts to connect; how it ends shows in epoll.
    ///
    /// - Parameters:
    ///   - source: which of the machine's loopback addresses to use, where the server is on this machine.
    ///   - receiveBufferBytes: the kernel's buffer for what arrives; `nil` for its own choice.
    func connect(source: Int, receiveBufferBytes: Int?) throws(Failure) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(Int32(storage.ss_family), type, 0)
        guard descriptor >= 0 else { throw failure("socket") }
        Self.set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        // Before the connection stands, since the handshake agrees on the window's scale.
        if let receiveBufferBytes { Self.set(descriptor, SOL_SOCKET, SO_RCVBUF, Int32(receiveBufferBytes)) }
        if isLoopback, source > 0 {
            Self.set(descriptor, Int32(IPPROTO_IP), Int32(IP_BIND_ADDRESS_NO_PORT), 1)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = (0x7F00_0001 + UInt32(source % 250)).bigEndian
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
            }
            guard result == 0 else { throw closing(descriptor, failure("bind")) }
        }
        var storage = storage
        let result = withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, length) }
        }
        guard result == 0 || errno == EINPROGRESS else { throw closing(descriptor, failure("connect")) }
        return descriptor
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, option, &value, 4)
    }

    private func closing(_ descriptor: Int32, _ failure: Failure) -> Failure {
        close(descriptor)
        return failure
    }

    private func failure(_ call: String) -> Failure {
        Failure("cannot connect to \(authority): \(call): \(String(cString: strerror(errno)))")
    }
}
