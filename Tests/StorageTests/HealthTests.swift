import Testing

@testable import Storage

@Suite struct HealthTests {
    private let second: UInt64 = 1_000_000_000

    @Test func aFailureIsToldOnceForEachReasonAndEndsWithAWriteThatReachedTheDisk() {
        var health = StorageHealth()
        #expect(health.writeFailed("full", at: second) == .failed("full"))
        #expect(health.writeFailed("full", at: 2 * second) == nil)
        #expect(health.writeFailed("locked", at: 3 * second) == .failed("locked"))
        #expect(health.trouble(at: 5 * second) == StorageTrouble(reason: "locked", seconds: 4))
        #expect(health.committed(wrote: false, at: 6 * second) == nil)
        #expect(health.trouble(at: 6 * second) != nil, "a transaction without a change proves nothing")
        #expect(health.committed(wrote: true, at: 7 * second) == .recovered(seconds: 6))
        #expect(health.trouble(at: 7 * second) == nil)
        #expect(health.committed(wrote: true, at: 8 * second) == nil)
    }

    @Test func itIsTriedAgainOnceASecondWhileItFails() {
        var health = StorageHealth()
        #expect(health.retryDueAt == nil)
        _ = health.writeFailed("full", at: 5 * second)
        #expect(health.retryDueAt == 6 * second)
        _ = health.writeFailed("full", at: 6 * second)
        #expect(health.retryDueAt == 7 * second)
        _ = health.committed(wrote: true, at: 7 * second)
        #expect(health.retryDueAt == nil)
    }

    @Test func aWriteCountsAsFreshForASecond() {
        var health = StorageHealth()
        #expect(!health.wroteLately(at: 0))
        _ = health.committed(wrote: true, at: 5 * second)
        #expect(health.wroteLately(at: 6 * second - 1))
        #expect(!health.wroteLately(at: 6 * second))
        _ = health.writeFailed("full", at: 5 * second + 1)
        #expect(!health.wroteLately(at: 5 * second + 1))
    }

    @Test func aBatchThatHangsIsATroubleUntilItEnds() {
        var health = StorageHealth()
        health.batchBegan(at: second)
        #expect(health.trouble(at: 3 * second - 1) == nil)
        #expect(health.trouble(at: 5 * second) == StorageTrouble(reason: "a write has not come back", seconds: 4))
        _ = health.committed(wrote: false, at: 5 * second)
        #expect(health.trouble(at: 9 * second) == nil)
    }

    @Test func aCommitThatTookLongIsTold() {
        var health = StorageHealth()
        health.batchBegan(at: second)
        #expect(health.slowCommit(of: 3, at: second + StorageHealth.slowCommitNanoseconds - 1) == nil)
        #expect(
            health.slowCommit(of: 3, at: second + StorageHealth.slowCommitNanoseconds)
                == .slowCommit(milliseconds: 500, writes: 3))
        _ = health.committed(wrote: true, at: 2 * second)
        #expect(health.slowCommit(of: 3, at: 9 * second) == nil)
    }

    @Test func theFilesAreLookedAtOnceASecondWithoutAWrite() {
        var health = StorageHealth()
        #expect(health.lookDueAt == 0)
        health.batchBegan(at: 5 * second)
        #expect(health.lookDueAt == 6 * second)
        health.looked(at: 6 * second)
        #expect(health.lookDueAt == 7 * second)
    }

    @Test func damageStaysUntilEverythingWasReadAndAsksForThatSeldom() {
        var health = StorageHealth()
        #expect(health.checkDueAt == nil)
        #expect(health.readFailed("malformed", at: 10 * second) == .failed("malformed"))
        #expect(health.readFailed("malformed", at: 11 * second) == nil)
        #expect(health.checkDueAt == 11 * second)
        health.checkBegan(at: 11 * second)
        #expect(health.checkDueAt == nil, "one at a time")
        #expect(health.committed(wrote: true, at: 12 * second) == nil)
        #expect(health.checked(isSound: false, at: 14 * second) == nil)
        #expect(health.checkDueAt == 44 * second, "it took three seconds, so a tenth of the time")
        #expect(health.trouble(at: 14 * second)?.reason == "malformed")
        health.checkBegan(at: 44 * second)
        #expect(health.checked(isSound: true, at: 45 * second) == .recovered(seconds: 35))
        #expect(health.trouble(at: 45 * second) == nil)
    }

    @Test func recoveryIsToldWhenNothingIsWrongAnyMore() {
        var health = StorageHealth()
        _ = health.readFailed("malformed", at: second)
        _ = health.writeFailed("full", at: 2 * second)
        health.checkBegan(at: 3 * second)
        #expect(health.checked(isSound: true, at: 3 * second) == nil)
        #expect(health.committed(wrote: true, at: 4 * second) == .recovered(seconds: 2))
    }
}
