import Glibc

/// A system call that failed for a reason that lies outside this process.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call's name, such as `bind`.
    public let call: String
    /// The kernel's error number.
    public let errno: Int32

    /// Names the failed call; by default with the thread's current `errno`.
    public init(_ call: String, errno: Int32 = Glibc.errno) {
        self.call = call
        self.errno = errno
    }

    /// The call and the system's own words, such as `bind: Address already in use (98)`.
    public var description: String {
        "\(call): \(String(cString: strerror(errno))) (\(errno))"
    }
}
