/// What the loop remembers about a descriptor.
struct SlotState: OptionSet {
    let rawValue: UInt16

    /// A connection, read and written by the loop.
    static let connection = SlotState(rawValue: 1 << 0)
    /// A foreign descriptor: readiness goes to its callback.
    static let watched = SlotState(rawValue: 1 << 1)
    /// The kernel may hold bytes: an edge came and no read has yet found the end.
    static let readable = SlotState(rawValue: 1 << 2)
    /// The peer hung up: reads go on until they report the end.
    static let hungUp = SlotState(rawValue: 1 << 3)
    /// The handler wants no bytes for now.
    static let paused = SlotState(rawValue: 1 << 4)
    /// On the list of those to read without a new event.
    static let queued = SlotState(rawValue: 1 << 5)
    /// A write was short, or a connect is under way: `writable` is owed.
    static let wantsWritable = SlotState(rawValue: 1 << 6)
    /// The end of the stream was reported.
    static let ended = SlotState(rawValue: 1 << 7)
    /// The handler still writes after the end of the stream.
    static let keptOpen = SlotState(rawValue: 1 << 8)
}

struct Slot {
    var generation: UInt32 = 0
    var state: SlotState = []
}

/// One slot per descriptor, in plain memory: a look-up is an index and a comparison, without a retain or a hash.
///
/// Slots move when the slab grows, so no pointer is kept across a call to the handler.
struct ConnectionSlab: ~Copyable {
    private var slots: UnsafeMutableBufferPointer<Slot>

    init() {
        slots = .allocate(capacity: 1024)
        slots.initialize(repeating: Slot())
    }

    deinit { slots.deallocate() }

    /// Starts a new use of the descriptor.
    mutating func open(_ descriptor: Int32, _ state: SlotState) -> ConnectionID {
        grow(toHold: Int(descriptor))
        let slot = slots.baseAddress! + Int(descriptor)
        slot.pointee.generation &+= 1
        slot.pointee.state = state
        return ConnectionID(descriptor: descriptor, generation: slot.pointee.generation)
    }

    /// Ends this use of the descriptor: every id handed out so far is refused.
    func free(_ descriptor: Int32) {
        let slot = slots.baseAddress! + Int(descriptor)
        slot.pointee.generation &+= 1
        slot.pointee.state = []
    }

    /// The slot, unless the id is stale.
    func find(_ id: ConnectionID) -> UnsafeMutablePointer<Slot>? {  // HOT
        guard id.descriptor >= 0, Int(id.descriptor) < slots.count else { return nil }
        let slot = slots.baseAddress! + Int(id.descriptor)
        return slot.pointee.generation == id.generation && !slot.pointee.state.isEmpty ? slot : nil
    }

    /// The id of what the descriptor is used for at present.
    func current(_ descriptor: Int32) -> (id: ConnectionID, state: SlotState)? {
        guard descriptor >= 0, Int(descriptor) < slots.count, !slots[Int(descriptor)].state.isEmpty else { return nil }
        let slot = slots[Int(descriptor)]
        return (ConnectionID(descriptor: descriptor, generation: slot.generation), slot.state)
    }

    /// Every open connection.
    var connections: [ConnectionID] {
        slots.indices.compactMap { index in
            guard let (id, state) = current(Int32(index)), state.contains(.connection) else { return nil }
            return id
        }
    }

    private mutating func grow(toHold index: Int) {
        guard index >= slots.count else { return }
        let larger = UnsafeMutableBufferPointer<Slot>.allocate(capacity: max(index + 1, slots.count * 2))
        larger.initialize(repeating: Slot())
        larger.baseAddress!.update(from: slots.baseAddress!, count: slots.count)
        slots.deallocate()
        slots = larger
    }
}
