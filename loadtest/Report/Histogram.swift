import Wire

/// Counts durations in buckets of at most 1/128 of their value each, as HdrHistogram does.
///
/// How it works: a value below 256 ns has a bucket of its own. Of any other the highest bit and the seven below it
/// count, so each power of two from there on is cut into 128 buckets of equal width. A value's bucket is then
/// `shift * 128 + (value >> shift)`, where `shift` is how many low bits do not count. What is reported of a bucket is
/// its middle, so the error is at most 1/256; least, most and count are exact.
///
/// Invariant: the buckets add up to `count`.
struct Histogram: Equatable {
    /// Longer ones are counted here: 73 minutes.
    static let nanosecondsMax: UInt64 = 1 << 42 - 1
    private static let precisionBits = 7
    private static let bucketCount = index(of: nanosecondsMax) + 1

    private(set) var count = 0
    private var least = UInt64.max
    private var most: UInt64 = 0
    private var buckets = [Int](repeating: 0, count: bucketCount)

    /// Counts a duration, so many times. Allocates nothing, unless a copy shares the buckets.
    mutating func record(_ nanoseconds: UInt64, count times: Int = 1) {  // HOT
        assert(times > 0)
        buckets[Self.index(of: Swift.min(nanoseconds, Self.nanosecondsMax))] &+= times
        count &+= times
        if nanoseconds < least { least = nanoseconds }
        if nanoseconds > most { most = nanoseconds }
    }

    /// Counts all that another has counted.
    mutating func merge(_ other: Histogram) {
        for index in other.buckets.indices where other.buckets[index] > 0 { buckets[index] += other.buckets[index] }
        count += other.count
        least = Swift.min(least, other.least)
        most = Swift.max(most, other.most)
    }

    /// Forgets everything and keeps the memory.
    mutating func removeAll() {
        for index in buckets.indices { buckets[index] = 0 }
        (count, least, most) = (0, .max, 0)
    }

    // MARK: - What was recorded

    var isEmpty: Bool { count == 0 }
    /// The shortest, exactly; 0 when nothing was recorded.
    var min: UInt64 { isEmpty ? 0 : least }
    /// The longest, exactly.
    var max: UInt64 { most }

    var mean: Double {
        let sum = filled.reduce(0.0) { $0 + Double(value(of: $1)) * Double(buckets[$1]) }
        return isEmpty ? 0 : sum / Double(count)
    }

    /// What so many percent did not exceed; 0 when nothing was recorded.
    func percentile(_ percent: Double) -> UInt64 {
        let share = percent / 100 * Double(count)
        // Less a hair: 99.9 percent of 1000 must not become 999.0000000001 and then 1000.
        let rank = Swift.max(1, (share - share * 1e-12).rounded(.up))
        return steps.first { Double($0.count) >= rank }?.value ?? most
    }

    /// In rising order: a value, and how many did not exceed it. The last one holds all.
    var steps: [(value: UInt64, count: Int)] {
        var total = 0
        var steps = filled.map { index in
            total += buckets[index]
            return (value(of: index), total)
        }
        if !steps.isEmpty { steps[steps.count - 1].0 = most }
        return steps
    }

    private var filled: [Int] { buckets.indices.filter { buckets[$0] > 0 } }

    /// The middle of a bucket, within what was recorded.
    private func value(of index: Int) -> UInt64 {
        let shift = Self.shift(ofIndex: index)
        let low = UInt64(index - shift << Self.precisionBits) << UInt64(shift)
        return Swift.min(Swift.max(low + (1 << UInt64(shift)) / 2, least), most)
    }

    private static func index(of value: UInt64) -> Int {
        let shift = 63 - precisionBits - (value | 1 << UInt64(precisionBits)).leadingZeroBitCount
        return shift << precisionBits + Int(truncatingIfNeeded: value >> UInt64(truncatingIfNeeded: shift))
    }

    private static func shift(ofIndex index: Int) -> Int { Swift.max(0, index >> precisionBits - 1) }
}

// As JSON: `[4, 1, 250, 2]` are one value in bucket 4 and two in bucket 254.
extension Histogram {
    var json: JSONValue {
        var pairs: [JSONValue] = []
        var last = 0
        for index in filled {
            pairs += [.int(Int64(index - last)), .int(Int64(buckets[index]))]
            last = index
        }
        return [
            "precision_bits": .int(Int64(Self.precisionBits)), "min": .int(Int64(min)), "max": .int(Int64(max)),
            "buckets": .array(pairs),
        ]
    }

    /// - Throws: when the buckets are other ones, or not numbers.
    init(json fields: Fields) throws(Failure) {
        self.init()
        guard try fields.int("precision_bits") == Self.precisionBits else {
            throw Failure("\(fields.place): histograms of another precision")
        }
        let numbers = try fields.array("buckets").compactMap(\.int)
        guard numbers.count == (try fields.array("buckets").count), numbers.count % 2 == 0 else {
            throw Failure("\(fields.place).buckets are not pairs of integers")
        }
        var index = 0
        for pair in stride(from: 0, to: numbers.count, by: 2) {
            let (step, times) = (numbers[pair], Int(numbers[pair + 1]))
            guard step >= 0, step < Self.bucketCount - index, times > 0 else {
                throw Failure("\(fields.place).buckets[\(pair)]: \(times) values, \(step) buckets on")
            }
            index += Int(step)
            let (total, isTooMuch) = count.addingReportingOverflow(times)
            guard !isTooMuch else { throw Failure("\(fields.place).buckets: more values than can be counted") }
            buckets[index] += times
            count = total
        }
        guard count > 0 else { return }
        let (min, max) = (try fields.int("min"), try fields.int("max"))
        guard min >= 0, max >= min else { throw Failure("\(fields.place).max is less than its min") }
        (least, most) = (UInt64(min), UInt64(max))
    }
}
