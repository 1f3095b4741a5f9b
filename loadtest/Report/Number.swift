/// Three digits, or all of a whole number's; thousands set apart: `0.0123`, `1.25`, `17`, `12,345`.
func brief(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    let size = abs(value)
    let sign = value < 0 ? "−" : ""
    if size > 0, size < 1e-6 || size >= 1e15 { return sign + exponential(size) }
    if size == size.rounded() || size >= 99.95 { return sign + grouped(size) }
    // As many decimals as leave three digits, whatever the zeros in front.
    var (decimals, digits) = (size >= 9.995 ? 1 : 2, size)
    while digits < 0.9995 { (decimals, digits) = (decimals + 1, digits * 10) }
    return sign + trimmed(fixed(size, decimals))
}

/// Rounded to a whole number, with its thousands set apart.
private func grouped(_ size: Double) -> String {
    let digits = fixed(size, 0)
    var text = ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { text += "," }
        text.append(digit)
    }
    return text
}

/// Such as `1.5e−9`.
private func exponential(_ size: Double) -> String {
    var (mantissa, exponent) = (size, 0)
    while mantissa >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
    while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
    return "\(fixed(mantissa, 1))e\(exponent < 0 ? "−" : "")\(abs(exponent))"
}

/// Two decimals, or three digits where those say nothing: `1.05`, `158`, `0.0043`.
func ratioText(_ ratio: Double) -> String {
    let size = abs(ratio)
    guard size.isFinite, size != 0 else { return brief(ratio) }
    if size < 1e-4 || size >= 1e6 { return (ratio < 0 ? "−" : "") + exponential(size) }
    return size < 0.0995 || size >= 99.995 ? brief(ratio) : fixed(ratio, 2)
}

/// A percentile with all its nines: `50`, `99.99`.
func percentText(_ percent: Double) -> String {
    trimmed(fixed(percent, 3))
}

/// Without the zeros at the end of a fraction.
func trimmed(_ fraction: String) -> String {
    let text = fraction.reversed().drop { $0 == "0" }
    return String((text.first == "." ? text.dropFirst() : text).reversed())
}

/// A number with so many digits behind its point.
func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "-" }
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let fraction = String(scaled % scale)
    let padded = String(repeating: "0", count: max(0, digits - fraction.count)) + fraction
    return (value < 0 ? "-" : "") + String(scaled / scale) + (digits > 0 ? "." + padded : "")
}

extension Array where Element == Double {
    /// The middle one, or the mean of the two in the middle.
    var median: Double {
        let sorted = sorted()
        return isEmpty ? .nan : (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
