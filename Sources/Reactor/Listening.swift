import CLinux
import Glibc
import Telemetry

private let acceptsPerTurn = 64
/// Other loops take descriptors too: more than this below the last one they do not take between two of ours.
private let nearDescriptorsMax: Int32 = 256
private let exhaustedPauseNanoseconds: UInt64 = 100_000_000
private let exhaustedLogNanoseconds: UInt64 = 1_000_000_000

extension EventLoop {
    /// Listens, and calls `accepted` for each connection; may be called for several addresses.
    ///
    /// - Parameter host: an IPv4 or IPv6 literal or `localhost`; `::` takes IPv4 as well.
    /// - Parameter port: 0 lets the kernel choose one.
    /// - Parameter reusePort: lets every loop listen on the same port; the kernel spreads the connections.
    /// - Returns: the port.
    /// - Throws: the call that failed; `EINVAL` of `inet_pton` when `host` is not a literal.
    public func listen(host: String, port: UInt16, reusePort: Bool) throws(SystemError) -> UInt16 {
        assertOnLoop()
        guard let address = PeerAddress(host: host, port: port) else {
            throw SystemError("inet_pton", errno: EINVAL)
        }
        let listener = try Socket.open(address.family)
        do throws(SystemError) {
            try Socket.set(listener, SOL_SOCKET, SO_REUSEADDR, 1)
            if reusePort { try Socket.set(listener, SOL_SOCKET, SO_REUSEPORT, 1) }
            if address.isIPv6 { try Socket.set(listener, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
            try Socket.setStreamOptions(listener)
            try Socket.bind(listener, to: address)
            try Socket.listen(listener)
            let port = try Socket.boundPort(listener)
            try watchListener(listener)
            listeners.append(listener)
            return port
        } catch {
            Socket.close(listener)
            throw error
        }
    }

    /// Closes this loop's listeners; connections stay.
    public func stopListening() {
        assertOnLoop()
        for listener in listeners {
            unwatch(descriptor: listener)
            Socket.close(listener)
        }
        listeners = []
    }

    private func watchListener(_ listener: Int32) throws(SystemError) {
        try watch(descriptor: listener, .read) { [unowned self] _ in acceptAll(listener) }
    }

    /// Level-triggered: what this turn leaves is reported again.
    private func acceptAll(_ listener: Int32) {
        for _ in 0..<acceptsPerTurn where listeners.contains(listener) {
            if isNearDescriptorsMax, Socket.lowestFree(beside: listener) >= acceptedDescriptorsMax {
                return pauseAccepting(listener, SystemError("accept4 within the reserve", errno: EMFILE))
            }
            switch Socket.accept(listener) {
            case .connection(let descriptor, let peer):
                isNearDescriptorsMax = descriptor >= acceptedDescriptorsMax - nearDescriptorsMax
                admit(descriptor, peer)
            case .aborted: continue
            case .noneWaiting: return
            case .exhausted(let code): return pauseAccepting(listener, SystemError("accept4", errno: code))
            }
        }
    }

    private func admit(_ descriptor: Int32, _ peer: PeerAddress) {
        do throws(SystemError) {
            handler.accepted(try register(descriptor, .connection), peer: peer)
        } catch {
            Log.error("connection refused", ["error": "\(error)"])
            Socket.close(descriptor)
        }
    }

    /// Out of descriptors, or of those that connections may have: a level-triggered listener would spin, so it is left
    /// alone for a moment.
    private func pauseAccepting(_ listener: Int32, _ error: SystemError) {
        if acceptFailureLoggedAt.map({ now - $0 >= exhaustedLogNanoseconds }) ?? true {
            acceptFailureLoggedAt = now
            Log.error("not accepting for 100 ms", ["error": "\(error)", "connections": "\(connectionCount)"])
        }
        unwatch(descriptor: listener)
        resumeAccepting(listener)
    }

    private func resumeAccepting(_ listener: Int32) {
        schedule(at: now + exhaustedPauseNanoseconds) { [unowned self] in
            guard listeners.contains(listener) else { return }
            do throws(SystemError) {
                try watchListener(listener)
            } catch {
                resumeAccepting(listener)
            }
        }
    }
}
