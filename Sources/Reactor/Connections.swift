import CLinux
import Glibc

// What a loop does with its connections.

extension EventLoop {
    /// Takes over a connected socket, and closes it from now on.
    ///
    /// - Throws: `fcntl` or `epoll_ctl`; the descriptor stays the caller's.
    public func adopt(_ descriptor: Int32) throws(SystemError) -> ConnectionID {
        assertOnLoop()
        try Socket.setNonBlocking(descriptor)
        return try register(descriptor, .connection)
    }

    /// Starts to connect. `writable` follows when the connection stands, `disconnected` when it is refused.
    ///
    /// - Parameter source: the address to connect from; its port 0 lets the kernel choose one per destination.
    public func connect(
        to address: PeerAddress, from source: PeerAddress? = nil
    ) throws(SystemError) -> ConnectionID {
        assertOnLoop()
        let descriptor = try Socket.open(address.family)
        do throws(SystemError) {
            try Socket.setStreamOptions(descriptor)
            if let source {
                try Socket.set(descriptor, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, 1)
                try Socket.bind(descriptor, to: source)
            }
            try Socket.connect(descriptor, to: address)
            return try register(descriptor, [.connection, .wantsWritable])
        } catch {
            Socket.close(descriptor)
            throw error
        }
    }

    /// Offers bytes to the kernel in one gathered system call.
    ///
    /// - Parameter pieces: at most `WriteResult.piecesMax`.
    public func write(_ id: ConnectionID, _ pieces: UnsafeBufferPointer<iovec>) -> WriteResult {  // HOT
        assertOnLoop()
        precondition(pieces.count <= WriteResult.piecesMax)
        guard let slot = slab.find(id) else { return .failed(errno: EBADF) }
        let result = Socket.send(id.descriptor, pieces)
        switch result {
        case .wrote(let count):
            var offered = 0
            for piece in pieces { offered += piece.iov_len }
            if count < offered { slot.pointee.state.insert(.wantsWritable) }
        case .wouldBlock:
            slot.pointee.state.insert(.wantsWritable)
        case .failed:
            break
        }
        return result
    }

    /// Receives nothing more until `resumeReading`; the kernel's window then slows the peer down. The end of the
    /// stream waits too, a failure does not.
    public func pauseReading(_ id: ConnectionID) {
        assertOnLoop()
        slab.find(id)?.pointee.state.insert(.paused)
    }

    /// Ends `pauseReading`; what has arrived meanwhile comes in the next turn.
    public func resumeReading(_ id: ConnectionID) {
        assertOnLoop()
        slab.find(id)?.pointee.state.remove(.paused)
        readLater(id)
    }

    /// Ends our side of the stream; the peer's bytes still arrive.
    public func shutdownWrites(_ id: ConnectionID) {
        assertOnLoop()
        guard slab.find(id) != nil else { return }
        Socket.shutdownWrites(id.descriptor)
    }

    /// Keeps the connection open after `disconnected(.endOfStream)` returns, for an answer that is still to be
    /// written. The caller closes it, at the latest after a time of its own.
    public func keepOpen(_ id: ConnectionID) {
        assertOnLoop()
        slab.find(id)?.pointee.state.insert(.keptOpen)
    }

    /// Closes the connection; the kernel still sends what it has taken. No `disconnected` follows.
    public func close(_ id: ConnectionID) {
        assertOnLoop()
        guard slab.find(id) != nil else { return }
        slab.free(id.descriptor)
        Socket.close(id.descriptor)
        connectionCount -= 1
    }

    /// Closes the connection with a reset and throws away what is unsent. No `disconnected` follows.
    public func reset(_ id: ConnectionID) {
        assertOnLoop()
        guard slab.find(id) != nil else { return }
        Socket.discardOnClose(id.descriptor)
        close(id)
    }

    /// Whether the id names a connection that is still open.
    public func isOpen(_ id: ConnectionID) -> Bool {
        assertOnLoop()
        return slab.find(id) != nil
    }

    func register(_ descriptor: Int32, _ state: SlotState) throws(SystemError) -> ConnectionID {
        let id = slab.open(descriptor, state)
        do throws(SystemError) {
            try epoll.add(descriptor, Epoll.connectionEvents, key: id.key)
        } catch {
            slab.free(descriptor)
            throw error
        }
        connectionCount += 1
        return id
    }
}

// MARK: - Readiness

extension EventLoop {
    /// Serves one event of a connection: room to write first, so that an answer that waits goes before new requests.
    func connectionReady(_ id: ConnectionID, _ events: UInt32) {  // HOT
        let failed = events & EPOLLERR.rawValue != 0
        if events & EPOLLOUT.rawValue != 0, !failed, let slot = slab.find(id),
            slot.pointee.state.contains(.wantsWritable)
        {
            slot.pointee.state.remove(.wantsWritable)
            handler.writable(id)
        }
        guard let slot = slab.find(id) else { return }
        let hungUp = events & EPOLLHUP.rawValue != 0
        if slot.pointee.state.contains(.ended) {
            if failed || hungUp { disconnect(id, pendingCause(id)) }
            return
        }
        if failed || hungUp || events & EPOLLRDHUP.rawValue != 0 { slot.pointee.state.insert([.readable, .hungUp]) }
        if events & EPOLLIN.rawValue != 0 { slot.pointee.state.insert(.readable) }
        if failed, slot.pointee.state.contains(.paused) {
            disconnect(id, pendingCause(id))
        } else if !slot.pointee.state.contains(.queued) {
            read(id)
        }
    }

    /// Receives until the kernel has no more, the handler pauses or closes, or the connection's share is used up.
    func read(_ id: ConnectionID) {  // HOT
        var received = 0
        while received < receiveBytesPerTurn {
            guard let slot = slab.find(id), slot.pointee.state.isReadable else { return }
            let share = receiveBytesPerTurn - received
            switch Socket.receive(id.descriptor, UnsafeMutableRawBufferPointer(rebasing: receiveArea[..<share])) {
            case .bytes(let count):
                received += count
                // Less than was asked for is all there was; what comes later is a new edge. (epoll(7), question 9)
                if count < share, !slot.pointee.state.contains(.hungUp) {
                    slot.pointee.state.remove(.readable)
                }
                handler.received(id, UnsafeMutableRawBufferPointer(rebasing: receiveArea[..<count]))
            case .wouldBlock:
                slot.pointee.state.remove(.readable)
            case .endOfStream:
                return disconnect(id, .endOfStream)
            case .failed(let code):
                return disconnect(id, DisconnectCause(errno: code))
            }
        }
        readLater(id)
    }

    func readLater(_ id: ConnectionID) {
        guard let slot = slab.find(id), slot.pointee.state.isReadable, !slot.pointee.state.contains(.queued) else {
            return
        }
        slot.pointee.state.insert(.queued)
        unfinished.append(id)
    }

    private func disconnect(_ id: ConnectionID, _ cause: DisconnectCause) {
        guard let slot = slab.find(id) else { return }
        let isFinal = cause != .endOfStream || slot.pointee.state.contains(.ended)
        slot.pointee.state.insert(.ended)
        slot.pointee.state.remove(.readable)
        handler.disconnected(id, cause)
        guard let slot = slab.find(id) else { return }
        if isFinal || !slot.pointee.state.contains(.keptOpen) { close(id) }
    }

    private func pendingCause(_ id: ConnectionID) -> DisconnectCause {
        DisconnectCause(errno: Socket.pendingError(id.descriptor))
    }
}

extension DisconnectCause {
    fileprivate init(errno: Int32) {
        switch errno {
        case 0: self = .endOfStream
        case ECONNRESET, EPIPE: self = .reset
        default: self = .failed(errno: errno)
        }
    }
}

extension SlotState {
    fileprivate var isReadable: Bool { contains(.readable) && !contains(.paused) }
}
