/// The word that was perhaps meant.
public enum Suggestion {
    /// Finds the candidate with the fewest edits, if that is at most a third of the word's length (and at least two).
    public static func nearest(to word: String, among candidates: [String]) -> String? {
        let editsMax = max(2, word.count / 3)
        let ranked = candidates.map { (word: $0, edits: edits(from: word, to: $0)) }
        guard let best = ranked.min(by: { $0.edits < $1.edits }), best.edits <= editsMax else { return nil }
        return best.word
    }

    /// Levenshtein's distance, one row at a time.
    private static func edits(from source: String, to target: String) -> Int {
        let target = Array(target)
        var row = Array(0...target.count)
        for (position, character) in source.enumerated() {
            var diagonal = row[0]
            row[0] = position + 1
            for column in target.indices {
                let substitution = diagonal + (target[column] == character ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substitution, row[column] + 1, diagonal + 1)
            }
        }
        return row[target.count]
    }
}
