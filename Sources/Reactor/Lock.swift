import Glibc

/// A value that several threads share, behind a `pthread_mutex_t`.
///
/// Held for a few instructions only, never across a call into other code. Not `Synchronization.Mutex`, which the
/// thread sanitizer does not understand.
public final class Lock<State: Sendable>: @unchecked Sendable {
    // Unchecked, and sound: `state` is touched nowhere but between lock and unlock in `withLock`.
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline var state: State

    /// Guards this value.
    public init(_ state: State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        let code = pthread_mutex_init(mutex, nil)
        precondition(code == 0, "pthread_mutex_init failed")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Calls the closure while no other thread does.
    @inlinable public func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&state)
    }
}
