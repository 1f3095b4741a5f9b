import Testing
import Wire

struct ExactTextTests {
    enum Size: String, CaseIterable {
        case small = "K"
        case large
    }

    @Test(arguments: [
        ("", "", true), ("a", "a", true), ("a", "b", false), ("a", "aa", false), ("\u{E9}", "\u{E9}", true),
        ("\u{E9}", "e\u{301}", false), ("\u{301}\u{327}", "\u{327}\u{301}", false), ("K", "\u{212A}", false),
    ])
    func equalsOnlyTheSameBytes(_ left: String, _ right: String, _ areSame: Bool) {
        #expect((left.exact == right.exact) == areSame && left.hasSameBytes(as: right) == areSame)
        #expect(Set([left.exact, right.exact]).count == (areSame ? 1 : 2))
    }

    @Test func matchesLiterals() {
        let text: String? = "e\u{301}"
        switch text?.exact {
        case "\u{E9}": Issue.record("a canonically equivalent text")
        case "e\u{301}": break
        default: Issue.record("another text")
        }
    }

    /// U+212A is the sign for kelvin, canonically equivalent to K.
    @Test(arguments: [("K", Size.small), ("large", .large), ("\u{212A}", nil), ("k", nil), ("", nil)])
    func namesCasesByTheirBytes(_ name: String, _ size: Size?) {
        #expect(Size(named: name) == size)
    }
}
