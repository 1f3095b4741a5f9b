/// Makes a stranger's words fit to be shown.
enum Redaction {
    /// Longer messages are cut, in Unicode scalars.
    static let charactersMax = 300

    /// The message on one line, without the secret, at most `charactersMax` long.
    ///
    /// No more of the message is looked at than is shown.
    static func publishable(_ message: String, hiding secret: String?) -> String {
        let secret = (secret ?? "").unicodeScalars
        var rest = message.unicodeScalars[...]
        var shown: [Unicode.Scalar] = []
        while shown.count <= charactersMax, let scalar = rest.first {
            // Before anything is cut: part of a secret would not be recognised.
            let isSecret = !secret.isEmpty && rest.starts(with: secret)
            rest = rest.dropFirst(isSecret ? secret.count : 1)
            let isControl = scalar.properties.generalCategory == .control
            shown.append(isSecret ? "…" : isControl ? " " : scalar)
        }
        if shown.count > charactersMax { shown[(charactersMax - 1)...] = ["…"] }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: shown)
        return String(text)
    }
}
