import Glibc

/// One line that is written over by the next, where somebody watches.
struct ProgressLine {
    private static let barCells = 16
    private let isTerminal = isatty(STDERR_FILENO) == 1

    /// - Parameter done: from 0 to 1, shown as a bar.
    func show(_ title: String, done: Double? = nil, _ figures: [Figure] = []) {
        guard isTerminal else { return }
        write(Self.text(title, done: done, figures, columns: columns))
    }

    func clear() {
        if isTerminal { write("") }
    }

    /// The line, cut where the terminal ends, since a line that wraps cannot be written over.
    static func text(_ title: String, done: Double?, _ figures: [Figure], columns: Int) -> String {
        var parts = [title]
        if let done {
            let cells = Int((min(max(done, 0), 1) * Double(barCells)).rounded())
            let bar = String(repeating: "█", count: cells) + String(repeating: "░", count: barCells - cells)
            parts[0] += " \(bar) \(Int(min(max(done, 0), 1) * 100)) %"
        }
        parts += figures.map { "\($0.name) \($0.unit.text($0.value))" }
        let line = parts.joined(separator: " · ")
        return line.count < columns ? line : line.prefix(max(0, columns - 2)) + "…"
    }

    private var columns: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    private func write(_ text: String) {
        let line = Array("\r\u{1B}[K\(text)".utf8)
        _ = Glibc.write(STDERR_FILENO, line, line.count)
    }
}
