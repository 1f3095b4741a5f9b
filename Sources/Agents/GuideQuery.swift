import Wire

/// Makes a full-text query of a person's words, which compare by their bytes in lower case.
enum GuideQuery {
    /// More words than this do not make a question clearer.
    static let wordsMax = 32
    /// Longer ones, in Unicode scalars, are in no text.
    static let wordCharactersMax = 64

    /// Any of the question's words, each quoted, so that none is taken for an operator; `nil` if it has none that says
    /// something.
    static func match(for question: String) -> String? {
        var words: [ExactText] = []
        for word in Self.words(of: question) {
            guard word.text.unicodeScalars.count <= wordCharactersMax, !emptyWords.contains(word), !words.contains(word)
            else { continue }
            words.append(word)
            if words.count == wordsMax { break }
        }
        return words.isEmpty ? nil : words.map { "\"\($0.text)\"" }.joined(separator: " OR ")
    }

    /// All words in lower case; a word is what the index takes for one: letters and digits.
    static func words(of text: String) -> [ExactText] {
        text.split { !$0.isLetter && !$0.isNumber }.map { $0.lowercased().exact }
    }

    /// Words that occur in every text and would find any.
    private static let emptyWords: Set<ExactText> = [
        "a", "about", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can",
        "could", "did", "do", "does", "explain", "for", "from", "get", "give", "had", "has", "have", "hello", "hey",
        "hi", "how", "i", "if", "in", "is", "it", "its", "let", "like", "me", "more", "my", "no", "not", "of", "on",
        "one", "or", "other", "our", "please", "s", "say", "should", "show", "so", "some", "t", "tell", "than",
        "thanks",
        "that", "the", "their", "them", "then", "there", "these", "they", "this", "to", "up", "us", "use", "want",
        "was",
        "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
    ]
}
