import Glibc

/// Which signals stop the hub: SIGTERM and SIGINT, and SIGHUP when the terminal is gone that the hub was started on.
/// Any other SIGHUP asks to read the configuration anew, which the hub cannot do yet.
struct StopSignals {
    /// Standard output was a terminal at the start.
    let hadTerminal: Bool
    /// A terminal's end may send SIGHUP twice, by the kernel and by the shell: the second ends no wait.
    let isDraining: Bool

    func stops(_ signal: Int32) -> Bool { signal != SIGHUP || (hadTerminal && !isDraining) }
}
