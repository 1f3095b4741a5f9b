import CLinux
import Glibc

/// The system calls on TCP sockets, each in one place: `EINTR` retried, `EAGAIN` told apart, the rest by name.
enum Socket {
    enum Received {
        case bytes(Int)
        case wouldBlock
        case endOfStream
        case failed(errno: Int32)
    }

    enum Accepted {
        case connection(Int32, PeerAddress)
        case noneWaiting
        /// The process or the machine is out of descriptors or memory.
        case exhausted(errno: Int32)
        /// The peer was gone before we came to it.
        case aborted
    }

    static let backlog: Int32 = 4096
    /// More than this unsent in the kernel and a socket counts as full: it would hold minutes of stale bytes for a
    /// slow reader.
    static let unsentBytesMax: Int32 = 16 * 1024

    static func open(_ family: Int32) throws(SystemError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        return descriptor
    }

    static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) throws(SystemError) {
        var value = value
        guard setsockopt(descriptor, level, option, &value, 4) == 0 else { throw SystemError("setsockopt") }
    }

    /// Accepted sockets inherit these from their listener.
    static func setStreamOptions(_ descriptor: Int32) throws(SystemError) {
        try set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        try set(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, unsentBytesMax)
    }

    static func setNonBlocking(_ descriptor: Int32) throws(SystemError) {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
            fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
        else { throw SystemError("fcntl") }
    }

    static func bind(_ descriptor: Int32, to address: PeerAddress) throws(SystemError) {
        let result = address.withSocketAddress { Glibc.bind(descriptor, $0, $1) }
        guard result == 0 else { throw SystemError("bind") }
    }

    static func listen(_ descriptor: Int32) throws(SystemError) {
        guard Glibc.listen(descriptor, backlog) == 0 else { throw SystemError("listen") }
    }

    static func boundPort(_ descriptor: Int32) throws(SystemError) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard result == 0 else { throw SystemError("getsockname") }
        return PeerAddress(storage).port
    }

    static func accept(_ listener: Int32) -> Accepted {
        var storage = sockaddr_storage()
        while true {
            let descriptor = hb_accept(listener, &storage)
            if descriptor >= 0 { return .connection(descriptor, PeerAddress(storage)) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .noneWaiting
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(errno: errno)
            default: return .aborted
            }
        }
    }

    /// The number that the next descriptor would get; the largest there is if there is none.
    static func lowestFree(beside descriptor: Int32) -> Int32 {
        let lowest = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard lowest >= 0 else { return Int32.max }
        close(lowest)
        return lowest
    }

    /// Starts to connect; how it ended shows in epoll.
    static func connect(_ descriptor: Int32, to address: PeerAddress) throws(SystemError) {
        let result = address.withSocketAddress { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw SystemError("connect") }
    }

    static func receive(_ descriptor: Int32, _ area: UnsafeMutableRawBufferPointer) -> Received {  // HOT
        while true {
            let count = recv(descriptor, area.baseAddress, area.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .endOfStream }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(errno: errno)
            }
        }
    }

    static func send(_ descriptor: Int32, _ pieces: UnsafeBufferPointer<iovec>) -> WriteResult {  // HOT
        var message = msghdr()
        message.msg_iov = UnsafeMutablePointer(mutating: pieces.baseAddress)
        message.msg_iovlen = pieces.count
        while true {
            // One piece is the common case, and spares the kernel two copies and their checks.
            let count =
                pieces.count == 1
                ? Glibc.send(descriptor, pieces[0].iov_base, pieces[0].iov_len, Int32(MSG_NOSIGNAL))
                : sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
            if count >= 0 { return .wrote(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(errno: errno)
            }
        }
    }

    /// Takes the error that waits on the socket, 0 if there is none.
    static func pendingError(_ descriptor: Int32) -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(4)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 ? code : errno
    }

    static func shutdownWrites(_ descriptor: Int32) {
        // Fails only when the connection is already gone, which epoll reports by itself.
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// The next `close` sends a reset and discards what is unsent.
    static func discardOnClose(_ descriptor: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    static func close(_ descriptor: Int32) {
        // Linux frees the descriptor even when it reports EINTR: never again.
        Glibc.close(descriptor)
    }
}
