import CLinux
import Glibc
import Telemetry

/// Writes that the kernel is offered together: each connection once, the same bytes to all of a group.
///
/// How it works: with io_uring a batch is one system call for each 1024 sends, which saves a tenth to a fifth of what a
/// send costs; few sends, or a kernel without it, are made one by one. Either way nothing waits.
public struct WriteBatch {
    /// A connection that took less than it was offered.
    public struct Short {
        /// By the order of `begin`.
        public let group: Int
        /// The connection.
        public let id: ConnectionID
        /// What it took.
        public let result: WriteResult
    }

    /// After `write`, in the order in which they were added.
    public fileprivate(set) var short: [Short] = []
    fileprivate var pieces: [iovec] = []
    fileprivate var sends: [hb_send] = []
    fileprivate var ids: [ConnectionID] = []
    /// Where each group's sends begin.
    private var starts: [Int] = []
    /// The pieces of the last one.
    private var group: (first: UInt32, count: UInt32) = (0, 0)

    /// An empty batch.
    public init() {}

    /// Begins a group: what those that are added next are to get.
    ///
    /// - Parameter pieces: at most `WriteResult.piecesMax`; what they point to stays as it is until `write` returns.
    public mutating func begin(_ pieces: UnsafeBufferPointer<iovec>) {
        precondition(pieces.count <= WriteResult.piecesMax)
        starts.append(ids.count)
        group = (UInt32(self.pieces.count), UInt32(pieces.count))
        self.pieces += pieces
    }

    /// Adds a connection to the group that was begun last. Nobody may be in two.
    public mutating func add(_ id: ConnectionID) {
        ids.append(id)
        let result = Int32(HB_NOT_TRIED)
        sends.append(hb_send(descriptor: id.descriptor, result: result, first: group.first, count: group.count))
    }

    /// Forgets everything but the memory it took.
    public mutating func reset() {
        pieces.removeAll(keepingCapacity: true)
        sends.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        short.removeAll(keepingCapacity: true)
    }

    /// The pieces of one send.
    fileprivate func pieces(of send: hb_send) -> Range<Int> { Int(send.first)..<Int(send.first + send.count) }

    /// Says who took less than all.
    fileprivate mutating func judge(_ slab: borrowing ConnectionSlab) {  // HOT
        var group = 0
        for number in sends.indices {
            let send = sends[number]
            var offered = 0
            for piece in pieces(of: send) { offered += pieces[piece].iov_len }
            if send.result == offered { continue }
            while group + 1 < starts.count, starts[group + 1] <= number { group += 1 }
            let result: WriteResult
            switch send.result {
            case 0...: result = .wrote(Int(send.result))
            case -EAGAIN: result = .wouldBlock
            default: result = .failed(errno: -send.result)
            }
            if case .failed = result {} else { slab.find(ids[number])?.pointee.state.insert(.wantsWritable) }
            short.append(Short(group: group, id: ids[number], result: result))
        }
    }
}

extension EventLoop {
    /// Offers a batch to the kernel; `short` says who took less than all.
    public func write(_ batch: inout WriteBatch) {  // HOT
        assertOnLoop()
        for number in batch.ids.indices where slab.find(batch.ids[number]) == nil {
            batch.sends[number].descriptor = -1
        }
        if batch.sends.count >= SendRing.sendsMin, let ring = sendRing { ring.send(&batch) }
        for number in batch.sends.indices where batch.sends[number].result == HB_NOT_TRIED {
            let send = batch.sends[number]
            let result = batch.pieces.withUnsafeBufferPointer { [range = batch.pieces(of: send)] in
                Socket.send(send.descriptor, UnsafeBufferPointer(rebasing: $0[range]))
            }
            switch result {
            case .wrote(let count): batch.sends[number].result = Int32(count)
            case .wouldBlock: batch.sends[number].result = -EAGAIN
            case .failed(let errno): batch.sends[number].result = -errno
            }
        }
        batch.judge(slab)
    }

    private var sendRing: SendRing? {
        guard usesRing, ring == nil else { return ring }
        ring = SendRing()
        // Out of descriptors or memory, the next batch may have more luck.
        if ring == nil, ![EMFILE, ENFILE, ENOMEM].contains(errno) {
            usesRing = false
            Log.info("sends go one by one", ["reason": "io_uring: \(String(cString: strerror(errno)))"])
        }
        return ring
    }
}

/// An io_uring of one loop.
final class SendRing {
    /// As many at a time as one call takes.
    private static let entries = 1024
    /// For fewer it does not pay.
    static let sendsMin = 16
    private let ring: OpaquePointer

    /// - Returns: `nil` with `errno` where the kernel has none or does not allow it.
    init?() {
        guard let ring = hb_ring_open(UInt32(Self.entries)) else { return nil }
        self.ring = ring
    }

    deinit { hb_ring_close(ring) }

    func send(_ batch: inout WriteBatch) {
        batch.pieces.withUnsafeBufferPointer { pieces in
            batch.sends.withUnsafeMutableBufferPointer { sends in
                for start in stride(from: 0, to: sends.count, by: Self.entries) {
                    let count = min(Self.entries, sends.count - start)
                    hb_ring_send(ring, sends.baseAddress! + start, UInt32(count), pieces.baseAddress!)
                }
            }
        }
    }
}
