import Glibc

/// How many files and sockets this process may have open.
enum Descriptors {
    /// What is open beside the sockets: standard streams, epoll, files of /proc and reports.
    private static let others = 64

    /// Raises the soft limit to the hard one, for this process and those it starts.
    static func raiseLimit() {
        var limit = current
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Throws if so many sockets are more than the limit allows.
    static func expect(sockets: Int) throws(Failure) {
        let limit = Int(clamping: current.rlim_cur)
        guard sockets + others > limit else { return }
        throw Failure(
            """
            \(sockets) sockets are more than the limit of \(limit) open files allows. Raise it for this shell, as \
            root, with 'ulimit -Hn \(sockets + others); ulimit -n \(sockets + others)', for a service with \
            LimitNOFILE=, and do the same for the hub; or ask for fewer
            """)
    }

    private static var current: rlimit {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return limit
    }
}
