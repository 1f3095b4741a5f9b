import Wire

/// What a stranger may repeat to make a text dear to read.
enum Nasty: String, Sendable, CaseIterable {
    /// Accents without a letter: as strings they compare in the square of their number.
    case marks
    /// Halves of flags: cut into characters from behind they cost the square of their number.
    case flags
    case spaces, brackets, braces, quotes, backslashes, digits, colons, slashes, percents, ampersands, commas
    case lineFeeds, returns, letters, words
    /// A key and a value each, all different.
    case keys

    private var piece: String {
        switch self {
        case .marks: "\u{301}\u{327}"
        case .flags: "\u{1F1E9}"
        case .spaces: " "
        case .brackets: "["
        case .braces: "{{"
        case .quotes: "\""
        case .backslashes: "\\"
        case .digits: "7"
        case .colons: ":"
        case .slashes: "/"
        case .percents: "%41"
        case .ampersands: "&a"
        case .commas: ","
        case .lineFeeds: "\n"
        case .returns: "\r"
        case .letters: "a"
        case .words: "ab "
        case .keys: ""
        }
    }

    /// At most so many bytes of it.
    func text(bytes: Int) -> String {
        if self == .keys { return (0..<bytes / 11).map { "\"\(100_000 + $0)\":1," }.joined() }
        return String(repeating: piece, count: bytes / piece.utf8.count)
    }
}

extension String {
    /// As it stands in JSON.
    var json: String {
        String(decoding: JSONValue.string(self).compact, as: UTF8.self)
    }
}
