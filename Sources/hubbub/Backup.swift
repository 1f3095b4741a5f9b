import Glibc
import Storage

extension Hubbub {
    /// Copies the database of a directory into a new file.
    ///
    /// - Returns: the exit code.
    static func backUp(_ directory: String, to file: String) -> Int32 {
        // An interrupt is looked for between two steps, so the half of a copy is removed.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var progress = ProgressLine()
        do throws(StoreError) {
            let bytes = try MessageStore.backUp(directory: directory, to: file) { bytes, total in
                progress.show(bytes, of: total)
                return !isInterrupted
            }
            progress.clear()
            guard let bytes else {
                complain("broken off; there is no \(file)")
                return brokenOff
            }
            print("backed up \(ProgressLine.size(bytes)) to \(file)")
            return 0
        } catch {
            progress.clear()
            complain(error.description)
            return failure
        }
    }

    private static var isInterrupted: Bool {
        var pending = sigset_t()
        sigpending(&pending)
        return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1
    }
}

/// How far a long copy is, on a terminal: one line that is written over, from the second second on.
struct ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var nextAt = ProgressLine.milliseconds() + 1_000
    private var isShown = false

    mutating func show(_ bytes: Int, of total: Int) {
        let now = Self.milliseconds()
        guard isTerminal, now >= nextAt, total > 0 else { return }
        nextAt = now + 200
        isShown = true
        write("\r\(bytes * 100 / total) %: \(Self.size(bytes)) of \(Self.size(total))\u{1B}[K")
    }

    mutating func clear() {
        if isShown { write("\r\u{1B}[K") }
        isShown = false
    }

    /// With three digits or more, and the unit.
    static func size(_ bytes: Int) -> String {
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        var size = bytes
        var unit = 0
        while size >= 10_000, unit < units.count - 1 {
            size = (size + 512) / 1024
            unit += 1
        }
        return "\(size) \(units[unit])"
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }

    private static func milliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
