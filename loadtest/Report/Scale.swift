import Glibc

/// Maps numbers to pixels along one axis, and knows where its marks are.
struct Scale {
    enum Kind {
        case linear
        /// By powers of ten; only numbers above 0 have a place.
        case logarithmic
        /// 90, 99, 99.9 % and so on at equal distances. Numbers are percents.
        case percentile
    }

    struct Tick {
        let value: Double
        let label: String
    }

    let kind: Kind
    let ticks: [Tick]
    /// What the labels leave out, such as `ms`; empty when they say it themselves.
    let symbol: String
    private let low: Double
    private let high: Double
    private let start: Double
    private let end: Double

    func position(_ value: Double) -> Double {
        let place = (Self.place(value, kind) - low) / (high - low)
        return start + min(max(place, 0), 1) * (end - start)
    }

    /// From 0, or below it, to the greatest value.
    static func linear(_ values: [Double], _ unit: Unit, from start: Double, to end: Double, isTight: Bool = false)
        -> Scale
    {
        var low = isTight ? values.min() ?? 0 : min(0, values.min() ?? 0)
        var high = isTight ? values.max() ?? 1 : max(0, values.max() ?? 1)
        if high <= low { (low, high) = isTight ? (low - abs(low) / 10 - 1e-9, low + abs(low) / 10 + 1e-9) : (0, 1) }
        let (divisor, symbol) = unit.scale(max(abs(low), abs(high)))
        let step = niceStep((high - low) / divisor / 5) * divisor
        if !isTight { high = (high / step - 1e-9).rounded(.up) * step }
        if !isTight { low = (low / step + 1e-9).rounded(.down) * step }
        let first = Int((low / step - 1e-9).rounded(.up))
        let last = Int((high / step + 1e-9).rounded(.down))
        let ticks = (first...max(first, last)).map { number in
            let value = Double(number) * step
            return Tick(value: value, label: brief(rounded(value / divisor)))
        }
        return Scale(
            kind: .linear, ticks: ticks, symbol: symbol.filter { $0 != " " }, low: low, high: high, start: start,
            end: end)
    }

    /// From the least to the greatest value above 0, widened to marks; those at 0 stand at the lowest one.
    static func logarithmic(
        _ values: [Double], _ unit: Unit, from start: Double, to end: Double, isTight: Bool = false
    ) -> Scale {
        let hasZero = values.contains { $0 <= 0 }
        let values = values.filter { $0 > 0 }
        var least = values.min() ?? 1
        var most = values.max() ?? 1
        if most <= least { (least, most) = (least / 2, most * 2) }
        let decades = log10(most / least)
        let factors: [Double] =
            decades < 0.8 ? [1, 1.5, 2, 3, 5, 7] : decades < 1.5 ? [1, 2, 5] : decades < 3.5 ? [1, 3] : [1]
        let divisor = unit == .bytes ? unit.scale(most).divisor : 1
        let first = Int(log10(least / divisor).rounded(.down))
        let last = Int(log10(most / divisor).rounded(.up))
        let every = max(1, (last - first) / 8)
        let marks = stride(from: first, through: last, by: every).flatMap { exponent in
            factors.map { $0 * powerOfTen(exponent) * divisor }
        }
        let floor = isTight ? least : marks.last { $0 <= least * 1.0001 } ?? least
        let ceiling = isTight ? most : marks.first { $0 >= most * 0.9999 } ?? most
        let ticks = marks.filter { $0 >= floor * 0.9999 && $0 <= ceiling * 1.0001 }.map { mark in
            Tick(value: mark, label: (hasZero && mark == floor ? "≤ " : "") + unit.text(rounded(mark)))
        }
        return Scale(
            kind: .logarithmic, ticks: ticks, symbol: "", low: log10(floor), high: log10(ceiling), start: start,
            end: end)
    }

    /// From 0 to the last percentile that so many values tell apart.
    static func percentile(count: Int, from start: Double, to end: Double) -> Scale {
        let nines = min(max(log10(Double(max(count, 1))), 2), 5)
        let marks = [0, 50, 90, 99, 99.9, 99.99, 99.999].filter { place($0, .percentile) <= nines + 1e-9 }
        return Scale(
            kind: .percentile, ticks: marks.map { Tick(value: $0, label: percentText($0)) }, symbol: "%", low: 0,
            high: nines, start: start, end: end)
    }

    private static func place(_ value: Double, _ kind: Kind) -> Double {
        switch kind {
        case .linear: value
        case .logarithmic: log10(max(value, .leastNormalMagnitude))
        case .percentile: value < 100 ? -log10(1 - value / 100) : .greatestFiniteMagnitude
        }
    }

    /// 1, 2 or 5 times a power of ten, the next one above.
    private static func niceStep(_ step: Double) -> Double {
        guard step > 0, step.isFinite else { return 1 }
        let decade = powerOfTen(Int(log10(step).rounded(.down)))
        return ([1, 2, 5, 10].first { $0 * decade >= step * 0.9999 } ?? 10) * decade
    }

    /// Without what arithmetic leaves at the end: 0.30000000000000004.
    private static func rounded(_ value: Double) -> Double {
        guard value != 0, value.isFinite else { return 0 }
        let scale = powerOfTen(6 - Int(log10(abs(value)).rounded(.down)))
        return scale.isFinite && scale > 0 ? (value * scale).rounded() / scale : value
    }
}

private func powerOfTen(_ exponent: Int) -> Double { pow(10, Double(exponent)) }
