import Wire

/// Chooses an agent by the words of a message, where neither the message nor its room names one.
///
/// How it works: a keyword is one word or several in a row. The text is cut into words once and each is looked up by
/// the first words of the keywords, so the number of rules costs next to nothing.
///
/// Words compare by their bytes in lower case.
public struct AgentRouter: Sendable {
    /// Messages with one of these keywords are for this agent.
    public struct Rule: Sendable, Equatable {
        /// Who answers.
        public let agentType: String
        /// Whole words, in any case.
        public let keywords: [String]

        /// A rule.
        public init(agentType: String, keywords: [String]) {
            self.agentType = agentType
            self.keywords = keywords
        }
    }

    private struct Keyword {
        let words: [ExactText]
        let rule: Int
    }

    private let agentTypes: [String]
    private let keywords: [ExactText: [Keyword]]

    /// A router by rules, of which the first that matches counts.
    public init(_ rules: [Rule] = []) {
        agentTypes = rules.map(\.agentType)
        var keywords: [ExactText: [Keyword]] = [:]
        for (index, rule) in rules.enumerated() {
            for keyword in rule.keywords {
                let words = Self.words(of: keyword)
                guard let first = words.first else { continue }
                keywords[first, default: []].append(Keyword(words: words, rule: index))
            }
        }
        self.keywords = keywords
    }

    /// Letters, digits, underscores and the marks on them make words; everything else separates them. A keyword needs
    /// one.
    public static func words(of text: String) -> [ExactText] {
        let isInWord = { (scalar: Unicode.Scalar) -> Bool in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_"
                || scalar.properties.canonicalCombiningClass != .notReordered
        }
        return text.lowercased().unicodeScalars.split { !isInWord($0) }.map { String($0).exact }
    }

    func agentType(for text: String) -> String? {
        guard !keywords.isEmpty else { return nil }
        let words = Self.words(of: text)
        var first: Int?
        for (index, word) in words.enumerated() {
            for keyword in keywords[word] ?? []
            where keyword.rule < first ?? .max && words[index...].starts(with: keyword.words) {
                first = keyword.rule
            }
        }
        return first.map { agentTypes[$0] }
    }
}
