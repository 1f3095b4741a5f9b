import ChatProtocol
import Wire

/// A room's newest exchanges, oldest first. Their weight is counted as they come and go: one comes with every message.
///
/// Invariant: `commits` has a place for each of `exchanges`, in their order.
struct RoomHistory {
    private(set) var exchanges: [ExchangeRecord] = []
    /// Asks for the exchanges before these; `nil` if there are none.
    private(set) var nextBefore: ExchangeID?
    /// How many there may be.
    let exchangesMax: Int
    /// What they take of the memory for histories.
    private(set) var bytes = 0
    /// The order of first commits; 0 for those from before the room was loaded.
    private var commits: [Int] = []
    /// Exchanges up to this place in the order of first commits were left out. One of them that ends only now must not
    /// stand here, or those between it and the next would be missing.
    private var leftOut = 0

    /// An empty history.
    init(exchangesMax: Int) { self.exchangesMax = exchangesMax }

    /// An exchange's place in the order of first commits; `nil` if it is not here.
    func commit(of id: ExchangeID) -> Int? {
        exchanges.firstIndex { $0.exchangeID == id }.map { commits[$0] }
    }

    /// What was read takes the place of what is here.
    ///
    /// - Parameter leftOut: up to where, in the order of first commits, nothing was read.
    mutating func replace(with read: [ExchangeRecord], nextBefore: ExchangeID?, leftOut: Int = 0) {
        self.leftOut = leftOut
        commits = read.map { commit(of: $0.exchangeID) ?? 0 }
        exchanges = read
        bytes = read.reduce(0) { $0 + $1.approximateBytes }
        self.nextBefore = nextBefore
    }

    mutating func removeAll(where isRemoved: (ExchangeRecord) -> Bool) {
        replace(with: exchanges.filter { !isRemoved($0) }, nextBefore: nextBefore, leftOut: leftOut)
    }

    /// Histories are ordered by first commit, which is not the order of the ends: a waiting turn may be cancelled.
    mutating func insert(_ exchange: ExchangeRecord, commit: Int) {
        guard commit > leftOut else { return }
        let later = commits.reversed().prefix { $0 > commit }.count
        exchanges.insert(exchange, at: exchanges.count - later)
        commits.insert(commit, at: commits.count - later)
        bytes += exchange.approximateBytes
        while exchanges.count > exchangesMax || bytes > Limits.snapshotBytesMax, exchanges.count > 1 {
            bytes -= exchanges.removeFirst().approximateBytes
            leftOut = max(leftOut, commits.removeFirst())
            nextBefore = exchanges.first?.exchangeID
        }
        assert(commits.count == exchanges.count)
    }
}

extension ExchangeRecord {
    /// What it takes of the memory for histories.
    fileprivate var approximateBytes: Int {
        text.utf8.count + (reasoning?.utf8.count ?? 0) + messages.reduce(256) { $0 + $1.approximateBytes }
            + events.reduce(0) { $0 + $1.approximateBytes }
    }
}

extension MessageRecord {
    /// What it takes of memory.
    var approximateBytes: Int {
        128 + text.utf8.count + (metadata.map { JSONValue.object($0).approximateBytes } ?? 0)
    }
}

extension JSONValue {
    /// What it takes of memory, about.
    var approximateBytes: Int {
        switch self {
        case .null, .bool, .int, .double: 16
        case .string(let text): 16 + text.utf8.count
        case .array(let values): values.reduce(32) { $0 + $1.approximateBytes }
        case .object(let object): object.members.reduce(64) { $0 + 16 + $1.key.utf8.count + $1.value.approximateBytes }
        }
    }
}
