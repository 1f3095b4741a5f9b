import Chat
import ChatProtocol
import Wire

@testable import ChatDoubles

/// The storage threads and the disk under them: one writer that commits in batches, two readers. What was committed
/// is durable; all else a crash takes, also the answers that were on their way.
///
/// Writes are executed in the order in which they came; a read sees all writes that came before it.
final class Disk {
    enum Health {
        /// Everything is stored, at once or a little later.
        case fine
        /// Nothing is answered.
        case stuck
        /// Every request fails.
        case failing
        /// Some batches fail, some requests.
        case flaky
    }

    struct Job {
        let loop: Int
        let ticket: UInt64
        let request: StorageRequest
        /// The writes that came before a read.
        let after: Int
    }

    let store = FakeStore()
    var health = Health.fine
    private(set) var writes: [Job] = []
    private(set) var reads: [Job] = []
    private(set) var readsInHand: [(job: Job, result: StorageResult)] = []
    /// Answers on their way to each loop, in the order in which the threads gave them.
    private(set) var answers: [[(ticket: UInt64, result: StorageResult)]]
    private var submitted = 0
    private var answered = 0
    /// Failures that loops have heard of, for checks that hold only without.
    private(set) var failures = 0

    init(loops: Int) { answers = Array(repeating: [], count: loops) }

    func submit(_ request: StorageRequest, from loop: Int, ticket: UInt64) {
        if request.isWrite {
            submitted += 1
            writes.append(Job(loop: loop, ticket: ticket, request: request, after: 0))
        } else {
            reads.append(Job(loop: loop, ticket: ticket, request: request, after: submitted))
        }
    }

    var canCommit: Bool { health != .stuck && !writes.isEmpty }
    var canRead: Bool {
        health != .stuck && readsInHand.count < 2 && (reads.first.map { $0.after <= answered } ?? false)
    }
    var canFinishRead: Bool { !readsInHand.isEmpty }

    /// Nothing was asked that is not answered, nor is an answer on its way.
    var isIdle: Bool {
        writes.isEmpty && reads.isEmpty && readsInHand.isEmpty && answers.allSatisfy(\.isEmpty)
    }

    /// One transaction with some of the writes that wait; its answers go out together.
    func commit(_ dice: inout SeededRandom, watched by: (StorageRequest, StorageResult) -> Void) {
        let count = dice.chance(1, in: 2) ? writes.count : 1 + dice.below(writes.count)
        let batch = writes.prefix(count)
        let fails = health == .failing || (health == .flaky && dice.chance(1, in: 3))
        for job in batch {
            let result =
                fails || (health == .flaky && dice.chance(1, in: 4)) ? .unavailable : store.execute(job.request)
            by(job.request, result)
            answers[job.loop].append((job.ticket, result))
        }
        writes.removeFirst(count)
        answered += count
    }

    func startRead(_ dice: inout SeededRandom) {
        let job = reads.removeFirst()
        let fails = health == .failing || (health == .flaky && dice.chance(1, in: 3))
        readsInHand.append((job, fails ? .unavailable : store.execute(job.request)))
    }

    func finishRead(_ dice: inout SeededRandom) {
        let (job, result) = readsInHand.remove(at: dice.below(readsInHand.count))
        answers[job.loop].append((job.ticket, result))
    }

    func takeAnswer(for loop: Int) -> (ticket: UInt64, result: StorageResult) {
        let answer = answers[loop].removeFirst()
        if case .unavailable = answer.result { failures += 1 }
        return answer
    }

    /// The process is gone; what was committed stays.
    func crash() {
        writes = []
        reads = []
        readsInHand = []
        answers = answers.map { _ in [] }
        submitted = 0
        answered = 0
    }

}

extension StorageRequest {
    /// Whether the writer executes it.
    var isWrite: Bool {
        switch self {
        case .createRoom, .updateRoom, .deleteRoom, .insertMessage, .startExchange, .appendSegment, .finishExchange,
            .setMember, .removeMember, .createSession, .touchSession, .closeSession, .resetSession, .clearHistory,
            .markRead, .markCancelled:
            true
        case .loadRoom, .findMessage, .findStream, .findExchange, .findSession, .findRoom, .context, .historyBefore,
            .historyPage, .readExchange, .listRooms:
            false
        }
    }
}
