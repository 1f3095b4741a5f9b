/// Hands out what waits so that whoever took least of the time lately comes first; one owner's items keep their order.
///
/// How it works (start-time fair queueing, Goyal, Vin and Cheng 1996): each owner has an account, in nanoseconds. It
/// grows by what its items took. The clock stands at the account of the owner that was served last, and an owner whose
/// account is behind the clock is set to it, so rest is not saved up. The owner with the lowest account is next: a
/// newcomer comes before all who were served already, and those who ask for costly things wait for each other.
///
/// Invariant: each owner with something that waits stands in `heap` exactly once, at its account or below.
struct FairQueue<Owner: Hashable, Item> {
    private struct Account {
        var nanoseconds: UInt64
        var waiting = Fifo<Item>()
        var inHand = 0
    }

    private struct Place {
        let nanoseconds: UInt64
        /// Of two with the same account the one that came first.
        let number: UInt64
        let owner: Owner

        func isBefore(_ other: Place) -> Bool {
            (nanoseconds, number) < (other.nanoseconds, other.number)
        }
    }

    private var accounts: [Owner: Account] = [:]
    private var heap: [Place] = []
    private var clock: UInt64 = 0
    private var nextNumber: UInt64 = 0
    /// So many accounts, and those that say nothing any more are closed.
    private var accountsMax = Self.accountsMin

    static var accountsMin: Int { 256 }
    var accountCount: Int { accounts.count }

    mutating func append(_ item: Item, of owner: Owner) {
        var account = accounts.removeValue(forKey: owner) ?? Account(nanoseconds: clock)
        if account.waiting.isEmpty {
            account.nanoseconds = max(account.nanoseconds, clock)
            queue(owner, at: account.nanoseconds)
        }
        account.waiting.append(item)
        accounts[owner] = account
    }

    /// Takes the next item; its owner's account is settled by `ended`.
    mutating func next() -> Item? {
        while let place = takeFirst() {
            guard var account = accounts.removeValue(forKey: place.owner) else { continue }
            guard account.nanoseconds <= place.nanoseconds else {
                // Another item of this owner has ended meanwhile.
                accounts[place.owner] = account
                queue(place.owner, at: account.nanoseconds)
                continue
            }
            clock = place.nanoseconds
            let item = account.waiting.takeFirst()
            account.inHand += 1
            if !account.waiting.isEmpty { queue(place.owner, at: account.nanoseconds) }
            accounts[place.owner] = account
            return item
        }
        return nil
    }

    /// Says how long an item took that `next` had given.
    mutating func ended(of owner: Owner, after nanoseconds: UInt64) {
        accounts[owner]?.nanoseconds += nanoseconds
        accounts[owner]?.inHand -= 1
        guard accounts.count > accountsMax else { return }
        accounts = accounts.filter { !$1.waiting.isEmpty || $1.inHand > 0 || $1.nanoseconds > clock }
        accountsMax = max(Self.accountsMin, 2 * accounts.count)
    }

    // MARK: - The heap

    private mutating func queue(_ owner: Owner, at nanoseconds: UInt64) {
        heap.append(Place(nanoseconds: nanoseconds, number: nextNumber, owner: owner))
        nextNumber += 1
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func takeFirst() -> Place? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var index = 0
        while true {
            let children = [2 * index + 1, 2 * index + 2].filter { $0 < heap.count }
            guard let least = children.min(by: { heap[$0].isBefore(heap[$1]) }), heap[least].isBefore(heap[index])
            else { return first }
            heap.swapAt(index, least)
            index = least
        }
    }
}

/// A queue whose front is taken without moving the rest.
struct Fifo<Item> {
    private var items: [Item?] = []
    private var head = 0

    var isEmpty: Bool { head == items.count }
    var first: Item? { isEmpty ? nil : items[head] }

    mutating func append(_ item: Item) { items.append(item) }

    mutating func takeFirst() -> Item? {
        guard !isEmpty else { return nil }
        defer {
            items[head] = nil
            head += 1
            if head == items.count || head >= 64 && head * 2 > items.count {
                items.removeFirst(head)
                head = 0
            }
        }
        return items[head]
    }
}
