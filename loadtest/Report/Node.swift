/// A piece of HTML or SVG: its tags are balanced and its texts escaped, since nothing else can be made.
indirect enum Node: ExpressibleByStringLiteral {
    case text(String)
    case element(String, KeyValuePairs<String, String>, [Node])

    init(stringLiteral text: String) { self = .text(text) }

    /// HTML's elements without content, which have no end tag.
    private static let voidElements: Set = ["meta", "link", "br"]

    func write(to page: inout String) {
        switch self {
        case .text(let text): page += escaped(text)
        case .element(let name, let attributes, let children):
            page += "<" + name
            for (name, value) in attributes { page += " \(name)=\"\(escaped(value))\"" }
            page += ">"
            guard !Self.voidElements.contains(name) else { return }
            for child in children { child.write(to: &page) }
            page += "</\(name)>"
            if Self.blocks.contains(name) { page += "\n" }
        }
    }

    /// After these a line ends, so that the page can be read and compared.
    private static let blocks: Set = ["head", "style", "header", "section", "h1", "h2", "p", "tr", "svg", "g", "title"]
}

func element(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ children: [Node] = []) -> Node {
    .element(name, attributes, children)
}

private func escaped(_ text: String) -> String {
    var escaped = ""
    for character in text.unicodeScalars {
        switch character {
        case "&": escaped += "&amp;"
        case "<": escaped += "&lt;"
        case "\"": escaped += "&quot;"
        default: escaped.unicodeScalars.append(character)
        }
    }
    return escaped
}
