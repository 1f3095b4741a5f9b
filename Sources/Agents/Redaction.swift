/// Makes a stranger's words fit to be shown.
enum Redaction {
    /// Longer messages are cut.
    static let charactersMax = 300

    /// The message on one line, without the secret, at most `charactersMax` long.
    static func publishable(_ message: String, hiding secret: String?) -> String {
        var scalars = Array(message.unicodeScalars)
        // Before anything is cut: part of a secret would not be recognised.
        if let secret, !secret.isEmpty { scalars = replace(Array(secret.unicodeScalars), in: scalars) }
        let line = scalars.map { $0.properties.generalCategory == .control ? " " : $0 }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: line)
        let characters = String(text)
        return characters.count <= charactersMax ? characters : characters.prefix(charactersMax - 1) + "…"
    }

    private static func replace(_ secret: [Unicode.Scalar], in text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        var position = 0
        while position < text.count {
            if text[position...].starts(with: secret) {
                result.append("…")
                position += secret.count
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }
}
