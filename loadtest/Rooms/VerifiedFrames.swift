import Glibc

/// The chunk frames of one room that were checked, so that the next watcher's are only compared with them.
///
/// How it works: the watchers of a room get the same bytes most of the time. The first one's frame is parsed and its
/// text checked; its bytes and what they mean are kept at the place of its first position in a ring. A watcher whose
/// next position has a frame there compares bytes. One that differs, as after a collapse, is parsed for itself.
struct VerifiedFrames: ~Copyable {
    struct Meaning {
        let exchange: Exchange
        /// Of the text, in bytes.
        let offset: Int
        let count: Int
        let tokens: Range<Int>
        /// The last position.
        let seq: UInt64
    }

    private struct Place {
        var firstSeq: UInt64 = 0
        var bytes: UnsafeMutableRawBufferPointer?
        var count = 0
        var meaning: Meaning?
    }

    private let places: UnsafeMutableBufferPointer<Place>

    /// - Parameter capacity: a power of two.
    init(capacity: Int) {
        precondition(capacity & (capacity - 1) == 0)
        places = .allocate(capacity: capacity)
        places.initialize(repeating: Place())
    }

    deinit {
        for place in places { place.bytes?.deallocate() }
        places.deinitialize()
        places.deallocate()
    }

    /// What a frame means if it is, byte for byte, the one that was checked at this position.
    func find(_ frame: UnsafeRawBufferPointer, at firstSeq: UInt64) -> Meaning? {  // HOT
        let place = places.baseAddress! + Int(firstSeq & UInt64(places.count - 1))
        guard place.pointee.firstSeq == firstSeq, place.pointee.count == frame.count,
            memcmp(place.pointee.bytes!.baseAddress!, frame.baseAddress!, frame.count) == 0
        else { return nil }
        return place.pointee.meaning
    }

    /// Keeps a frame that was checked. The first one at a position stays, so that readers of other boundaries do not
    /// drive each other's out.
    func keep(_ frame: UnsafeRawBufferPointer, at firstSeq: UInt64, _ meaning: Meaning) {
        let place = places.baseAddress! + Int(firstSeq & UInt64(places.count - 1))
        guard place.pointee.firstSeq < firstSeq else { return }
        if place.pointee.bytes.map({ $0.count < frame.count }) ?? true {
            place.pointee.bytes?.deallocate()
            place.pointee.bytes = .allocate(byteCount: frame.count + frame.count / 4, alignment: 8)
        }
        place.pointee.bytes!.copyMemory(from: frame)
        (place.pointee.firstSeq, place.pointee.count, place.pointee.meaning) = (firstSeq, frame.count, meaning)
    }

    /// Forgets everything: the room's log began anew.
    func removeAll() {
        for index in places.indices { (places[index].firstSeq, places[index].meaning) = (0, nil) }
    }
}
