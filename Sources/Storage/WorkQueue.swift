import Chat
import ChatProtocol
import Glibc

/// A write that waits for its turn.
struct WriteJob: Sendable {
    /// Roughly what it adds to a transaction.
    let bytes: Int
    let perform: @Sendable (RoomWriter) throws(SQLiteError) -> StorageResult
    let completion: @Sendable (StorageResult) -> Void
    /// Asks whether the disk takes a write: its transaction writes whatever else is in it.
    var isProbe = false
}

/// A read that waits for its turn.
struct ReadJob: Sendable {
    /// Who asks; `nil`: the hub for itself.
    var owner: UserID?
    let perform: @Sendable (RoomReader) throws(SQLiteError) -> StorageResult
    let completion: @Sendable (StorageResult) -> Void
}

/// What the writer is to do next.
enum WriteWork {
    /// One transaction. An empty one is a try: the disk failed, and it is time to see whether it takes a write again.
    case batch([WriteJob])
    /// Look whether the files are still there and whole.
    case look
}

/// What a reader is to do next.
enum ReadWork {
    case job(ReadJob)
    /// Read the whole database, to see whether it is sound again.
    case check
}

/// Hands jobs from the loops to the storage threads.
///
/// Writes go to the writer in batches, reads to whichever reader is free. A read sees every write that was submitted
/// before it: it carries the number of writes until then and may go when that many are answered. Reads that wait for
/// writes stand in the order of their numbers, so only the first has to be looked at. Those that may go are shared out
/// fairly among the users, so that one who asks for much or for costly pages delays nobody else for long. The queue has
/// no limit of its own: the hub holds 64 uncommitted sends per room and one segment per stream.
/// While the disk fails, the writer and one reader are let go now and then without a job, to try again.
/// Invariant: `writesAnswered <= writesSubmitted`, and the difference is the waiting writes and the batch in hand.
///
/// `@unchecked Sendable`: every stored variable is read and written only while `mutex` is held.
final class WorkQueue: @unchecked Sendable {
    static let batchJobsMax = 1_024
    static let batchBytesMax = 4 * 1024 * 1024

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let writerMayGo = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let readersMayGo = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var writes: [WriteJob] = []
    private var reads = Fifo<(after: UInt64, job: ReadJob)>()
    private var readyReads = FairQueue<UserID?, ReadJob>()
    private var writesSubmitted: UInt64 = 0
    private var writesAnswered: UInt64 = 0
    private var isClosed = false
    private var commits = 0
    private var health = StorageHealth()

    init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(writerMayGo, &attributes)
        pthread_cond_init(readersMayGo, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(readersMayGo)
        pthread_cond_destroy(writerMayGo)
        pthread_mutex_destroy(mutex)
        readersMayGo.deallocate()
        writerMayGo.deallocate()
        mutex.deallocate()
    }

    /// Transactions that were committed; fewer than the writes in them.
    var commitCount: Int { locked { commits } }

    /// Returns false once the queue is closed.
    func submit(_ job: WriteJob) -> Bool {
        locked {
            if isClosed { return false }
            writes.append(job)
            writesSubmitted += 1
            pthread_cond_signal(writerMayGo)
            return true
        }
    }

    /// Returns false once the queue is closed.
    func submit(_ job: ReadJob) -> Bool {
        locked {
            if isClosed { return false }
            reads.append((after: writesSubmitted, job: job))
            pthread_cond_signal(readersMayGo)
            return true
        }
    }

    /// Refuses new jobs and lets the threads go when the old ones are done. Returns false if it was closed before.
    func close() -> Bool {
        locked {
            if isClosed { return false }
            isClosed = true
            pthread_cond_broadcast(writerMayGo)
            pthread_cond_broadcast(readersMayGo)
            return true
        }
    }

    /// Looks at what is known of the disk, or adds to it.
    func health<Value>(_ body: (inout StorageHealth, _ now: UInt64) -> Value) -> Value {
        locked {
            let value = body(&health, Self.now())
            if health.checkDueAt != nil { pthread_cond_broadcast(readersMayGo) }
            return value
        }
    }

    /// Waits for writes and takes as many as one transaction may hold, or until it is time to try or to look; `nil`
    /// when the queue is closed and empty.
    func nextWrite() -> WriteWork? {
        locked {
            while writes.isEmpty {
                if isClosed { return nil }
                guard wait(writerMayGo, until: health.retryDueAt ?? health.lookDueAt) else {
                    guard health.cannotWrite else {
                        health.looked(at: Self.now())
                        return .look
                    }
                    health.batchBegan(at: Self.now())
                    return .batch([])
                }
            }
            health.batchBegan(at: Self.now())
            var count = 0
            var bytes = 0
            while count < min(writes.count, Self.batchJobsMax) {
                bytes += writes[count].bytes
                if count > 0, bytes > Self.batchBytesMax { break }
                count += 1
            }
            let batch = Array(writes.prefix(count))
            writes.removeFirst(count)
            return .batch(batch)
        }
    }

    /// Says that a batch is on disk.
    func committed() { locked { commits += 1 } }

    /// Says that a batch's completions were called.
    func answered(_ count: Int) {
        locked {
            writesAnswered += UInt64(count)
            assert(writesAnswered <= writesSubmitted)
            // A reader that is woken for nothing costs a tenth of a lone send.
            if !reads.isEmpty { pthread_cond_broadcast(readersMayGo) }
        }
    }

    /// Waits for a read whose writes are answered, or until a check is due; `nil` when the queue is closed and no read
    /// is left.
    func nextRead() -> ReadWork? {
        locked {
            while true {
                while let first = reads.first, first.after <= writesAnswered {
                    _ = reads.takeFirst()
                    readyReads.append(first.job, of: first.job.owner)
                }
                if let job = readyReads.next() { return .job(job) }
                if isClosed, reads.isEmpty { return nil }
                guard wait(readersMayGo, until: isClosed ? nil : health.checkDueAt) else {
                    health.checkBegan(at: Self.now())
                    return .check
                }
            }
        }
    }

    /// Says that a read's completion was called, and how long it took.
    func ended(_ job: ReadJob, after nanoseconds: UInt64) {
        locked { readyReads.ended(of: job.owner, after: nanoseconds) }
    }

    /// Returns false once the instant is there; a wait that ends earlier says nothing.
    private func wait(_ condition: UnsafeMutablePointer<pthread_cond_t>, until instant: UInt64?) -> Bool {
        guard let instant else {
            pthread_cond_wait(condition, mutex)
            return true
        }
        guard Self.now() < instant else { return false }
        var time = timespec(tv_sec: Int(instant / 1_000_000_000), tv_nsec: Int(instant % 1_000_000_000))
        pthread_cond_timedwait(condition, mutex, &time)
        return true
    }

    /// Monotonic nanoseconds.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
