/// Rows of figures, for the terminal and for the page.
struct Table {
    /// How a cell's content is to be taken.
    enum Tone: String {
        case plain, soft, good, bad
    }

    struct Cell: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
        let text: String
        var tone = Tone.plain

        init(_ text: String, _ tone: Tone = .plain) { (self.text, self.tone) = (text, tone) }
        init(stringLiteral text: String) { self.text = text }
    }

    struct Column {
        let title: String
        /// Numbers stand at the right.
        let isNumber: Bool

        static func words(_ title: String) -> Column { Column(title: title, isNumber: false) }
        static func number(_ title: String) -> Column { Column(title: title, isNumber: true) }
    }

    let columns: [Column]
    var rows: [[Cell]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// Lines of equal columns: the titles, then each row, indented.
    var text: String {
        let lines = [columns.map(\.title)] + rows.map { $0.map(\.text) }
        let widths = columns.indices.map { column in
            lines.map { $0[column].count + (column == 0 && $0 != lines[0] ? 2 : 0) }.max() ?? 0
        }
        var text = ""
        for (number, line) in lines.enumerated() {
            var row = ""
            for (column, cell) in line.enumerated() {
                let cell = column == 0 && number > 0 ? "  " + cell : cell
                let padding = String(repeating: " ", count: max(0, widths[column] - cell.count))
                row += (column > 0 ? "  " : "") + (columns[column].isNumber ? padding + cell : cell + padding)
            }
            while row.hasSuffix(" ") { row.removeLast() }
            text += row + "\n"
        }
        return text
    }

    /// - Parameter isEven: columns of equal width, so that tables stand below each other.
    func node(isEven: Bool = false) -> Node {
        let parts = [element("thead", [:], [head]), element("tbody", [:], body)]
        return element("div", ["class": "scroll"], [element("table", isEven ? ["class": "even"] : [:], parts)])
    }

    /// Tables with as many columns each, below one another and equally wide.
    static func node(_ tables: [Table]) -> Node {
        let parts = tables.map { element("tbody", [:], [$0.head] + $0.body) }
        return element("div", ["class": "scroll"], [element("table", ["class": "groups"], parts)])
    }

    private var head: Node {
        element("tr", [:], columns.map { element("th", Self.attributes($0, .plain), [.text($0.title)]) })
    }

    private var body: [Node] {
        rows.map { row in
            element("tr", [:], zip(columns, row).map { element("td", Self.attributes($0, $1.tone), [.text($1.text)]) })
        }
    }

    private static func attributes(_ column: Column, _ tone: Tone) -> KeyValuePairs<String, String> {
        switch (column.isNumber, tone) {
        case (false, .plain): [:]
        case (true, .plain): ["class": "number"]
        case (false, let tone): ["class": tone.rawValue]
        case (true, let tone): ["class": "number \(tone.rawValue)"]
        }
    }
}
