/// The members of a JSON object, in the order in which their keys first came; of equal keys the last value wins.
///
/// Keys compare by their bytes: "é" in one character and "e" with an accent behind it are two keys.
/// Small objects are searched; from `searchedCountMax` on an index keeps a hostile object from costing quadratic time.
public struct JSONObject: Sendable {
    static let searchedCountMax = 16

    /// The members in order.
    public private(set) var members: [(key: String, value: JSONValue)] = []
    private var positions: [ExactText: Int] = [:]

    /// An object without members.
    public init() {}

    init(_ elements: [(String, JSONValue)]) {
        for (key, value) in elements { self[key] = value }
    }

    /// Whether there are no members.
    public var isEmpty: Bool { members.isEmpty }
    /// How many members there are.
    public var count: Int { members.count }

    /// The value of a key; setting `nil` removes the member, setting `.null` does not.
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { members[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?): members[position].value = value
            case (let position?, nil): remove(at: position)
            case (nil, let value?): append(key, value)
            case (nil, nil): break
            }
        }
    }

    /// Sets the members of another object; those that are `null` there are removed (RFC 7396, one level deep).
    public mutating func merge(_ patch: JSONObject) {
        var removed: Set<ExactText> = []
        for (key, value) in patch.members {
            if value.isNull { removed.insert(key.exact) } else { self[key] = value }
        }
        // All in one pass: each removal by itself would move all members behind it.
        guard !removed.isEmpty else { return }
        members.removeAll { removed.contains($0.key.exact) }
        index()
    }

    private func position(of key: String) -> Int? {
        guard members.count <= Self.searchedCountMax else { return positions[key.exact] }
        return members.firstIndex { $0.key.hasSameBytes(as: key) }
    }

    private mutating func append(_ key: String, _ value: JSONValue) {
        // Most objects have a handful of members: one allocation for them instead of three.
        if members.isEmpty { members.reserveCapacity(8) }
        members.append((key, value))
        if members.count == Self.searchedCountMax + 1 {
            index()
        } else if members.count > Self.searchedCountMax {
            positions[key.exact] = members.count - 1
        }
    }

    private mutating func remove(at position: Int) {
        members.remove(at: position)
        index()
    }

    private mutating func index() {
        positions.removeAll()
        guard members.count > Self.searchedCountMax else { return }
        for (position, member) in members.enumerated() { positions[member.key.exact] = position }
    }
}

extension JSONObject: Equatable {
    /// Whether both have the same members, in any order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// An object; of equal keys the last wins.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}
