import Chat
import ChatProtocol
import Glibc
import Testing

@testable import Agents

private let documents = [
    GuideDocument(
        name: "rooms",
        bytes: Array(
            """
            # Rooms

            A room holds people and agents.

            ## Deleting a room

            The owner removes a room with `delete-room`. Grüße an alle 👋🏽.

            ```sh
            # not a heading
            hubbub delete
            ```

            ## Limits

            A user may own fifty rooms.
            """.utf8)),
    GuideDocument(
        name: "install",
        bytes: Array("# Installing\n\n## From source\n\nYou need a compiler. Then build it.\n".utf8)),
]

struct MarkdownSectionsTests {
    private static let cases: [(String, [MarkdownSection])] = [
        ("", []),
        (" \n\n", []),
        ("Just text\n", [MarkdownSection(title: "name", body: "Just text")]),
        (
            "before\n# A\r\nb\r\n",
            [
                MarkdownSection(title: "name", body: "before"), MarkdownSection(title: "A", body: "b"),
            ]
        ),
        (
            "# A\n### B\nx\n## C ##\ny\n# D\nz",
            [
                MarkdownSection(title: "A > B", body: "x"), MarkdownSection(title: "A > C", body: "y"),
                MarkdownSection(title: "D", body: "z"),
            ]
        ),
        ("# C#\n#hashtag\n####### seven", [MarkdownSection(title: "C#", body: "#hashtag\n####### seven")]),
        (
            "# A\n~~~~\n# b\n~~~\n# c\n~~~~\n# D\nx",
            [
                MarkdownSection(title: "A", body: "~~~~\n# b\n~~~\n# c\n~~~~"), MarkdownSection(title: "D", body: "x"),
            ]
        ),
    ]

    @Test(arguments: cases) func cutsAtHeadings(_ text: String, _ sections: [MarkdownSection]) {
        #expect(MarkdownSections.split(text, documentName: "name") == sections)
    }
}

struct GuideIndexTests {
    private func answer(_ question: String, after earlier: String? = nil) throws -> String {
        guard case .text(let text) = try GuideIndex(documents).answer(question, after: earlier) else {
            Issue.record("the index failed")
            return ""
        }
        return text
    }

    @Test(arguments: [
        ("How can I delete a room?", "Rooms > Deleting a room"),
        ("deletion", "Rooms > Deleting a room"),
        ("What are the LIMITS?", "Rooms > Limits"),
        ("who may own things", "Rooms > Limits"),
        ("gruße", "Rooms > Deleting a room"),
        ("compilers, please!", "Installing > From source"),
        ("people", "Rooms"),
    ])
    func findsTheRightSection(_ question: String, _ title: String) throws {
        #expect(try answer(question).hasPrefix("**\(title)**\n\n"))
    }

    @Test func answersWithTheSectionAndWhereElseToLook() throws {
        let text = try answer("own rooms")
        #expect(text.hasPrefix("**Rooms > Limits**\n\nA user may own fifty rooms.\n\nSee also: Rooms"))
        #expect(try answer("compiler") == "**Installing > From source**\n\nYou need a compiler. Then build it.")
    }

    @Test(arguments: [
        "", "Hello!", "What is this about?", "photosynthesis", "👋🏽🎉", "\"", "' OR 1=1 --", "\" OR \"", "*", "^", "()",
        "-",
        "NEAR(", "{title} :", "\u{0}", String(repeating: "x", count: 1000),
    ])
    func offersItsTopicsWhenNothingMatches(_ question: String) throws {
        let text = try answer(question)
        #expect(text.hasPrefix("I answer from the documentation"))
        #expect(text.hasSuffix(":\n\n- Rooms\n- Installing > From source"))
    }

    @Test(arguments: [
        "\"limits\" AND NOT (fifty", "title:limits*", "limits^2 NEAR(own)", "-limits", "limits\u{0}own", "limits 🎉",
        "limits " + String(repeating: "word", count: 300),
        (0..<100).map { "limits\($0)" }.joined(separator: " ") + " x",
    ])
    func takesWordsForWordsWhateverStandsAround(_ question: String) throws {
        let text = try answer(question)
        #expect(text.hasPrefix("**Rooms > Limits**") || text.hasPrefix("I answer"))
        #expect(!question.hasPrefix("limits ") || text.hasPrefix("**Rooms > Limits**"))
    }

    @Test func takesAFollowUpTogetherWithTheQuestionBefore() throws {
        #expect(try answer("And why is that?", after: "Tell me about the limits").hasPrefix("**Rooms > Limits**"))
        #expect(try answer("And the compiler?", after: "the limits").hasPrefix("**Installing"))
    }

    @Test func saysSoWhenThereIsNothingToAnswerFrom() throws {
        let answer = try GuideIndex([]).answer("Hello?", after: nil)
        #expect(answer == .text("I answer from a folder of documents, and it is empty so far."))
    }

    @Test func cutsALongSectionAtALine() throws {
        let line = "word " + String(repeating: "é", count: 100)
        let body = Array(repeating: line, count: 100).joined(separator: "\n")
        let index = try GuideIndex([GuideDocument(name: "long", bytes: Array(body.utf8))])
        guard case .text(let text) = index.answer("word", after: nil) else { return }
        #expect(text.utf8.count < GuideIndex.bodyBytesMax + 100)
        #expect(text.hasSuffix(line + "\n…"))
    }
}

struct BuiltInDocumentsTests {
    private static let index = Result { () throws(GuideError) in try GuideIndex(GuideDocument.builtIn) }

    @Test(arguments: [
        ("How do I stop an answer?", "stop"), ("connect my own model", "connect"), ("how does resume work", "resume"),
        ("what is hubbub", "what is hubbub?"), ("Where is my data?", "data"), ("install and start", "install"),
        ("which limits are there", "limits"),
    ])
    func answerWhatANewcomerAsks(_ question: String, _ word: String) throws {
        guard case .text(let text) = try Self.index.get().answer(question, after: nil) else { return }
        let title = try #require(text.split(separator: "\n").first)
        #expect(title.lowercased().contains(word))
    }

    @Test func introduceThemselvesToWhoSaysHello() throws {
        guard case .text(let text) = try Self.index.get().answer("Hello!", after: nil) else { return }
        #expect(text.contains("What is Hubbub?"))
        #expect(text.split(separator: "\n").count == 1 + GuideDocument.builtIn.count)
    }
}

struct GuideWordsTests {
    @Test(arguments: [
        ("", []), ("one", ["one"]), ("one two", ["one ", "two"]), (" a\n\nb  c ", [" ", "a\n\n", "b  ", "c "]),
        ("é 👩‍👩‍👧 x", ["é ", "👩‍👩‍👧 ", "x"]),
    ])
    func keepsWhiteSpaceWithTheWordBefore(_ text: String, _ words: [String]) {
        #expect(GuideRun.words(of: text).map { String(decoding: $0, as: UTF8.self) } == words)
    }
}

struct GuideRunTests {
    private func withGuide(_ body: (AgentBench) throws -> Void) throws {
        let agents = [AgentConfiguration(agentType: "guide", connector: .guide(docsDirectory: nil))]
        let library = try GuideLibrary(agents: agents, builtIn: documents)
        let bench = try AgentBench(agents, library: library)
        try body(bench)
        bench.stop()
        library.shutdown()
    }

    @Test func streamsASectionWordByWord() throws {
        try withGuide { bench in
            bench.start(.asking("Where do I get a compiler?", agentType: "guide"))
            let transcript = bench.wait(for: "stream_1")
            #expect(transcript.text == "**Installing > From source**\n\nYou need a compiler. Then build it.")
            #expect(transcript.pieces.count == 11)
            #expect(transcript.ends == [.finished(reason: "stop")])
            #expect(transcript.usage == nil)
        }
    }

    @Test func usesTheLastQuestionForAFollowUp() throws {
        try withGuide { bench in
            let context = [
                ContextMessage(role: .user, text: "compiler?"), ContextMessage(role: .assistant, text: "limits"),
            ]
            bench.start(.asking("And then?", agentType: "guide", context: context))
            #expect(bench.wait(for: "stream_1") { $0.pieces.count > 1 }.text.hasPrefix("**Installing"))
        }
    }

    @Test func stopsInTheMiddleOfASentence() throws {
        try withGuide { bench in
            bench.start(
                .asking("delete", agentType: "guide"), .asking("limits", stream: "stream_2", agentType: "guide"))
            _ = bench.wait(for: "stream_1") { !$0.text.isEmpty }
            bench.cancel("stream_1")
            let transcript = bench.wait(for: "stream_1")
            #expect(transcript.ends == [.cancelled])
            #expect(bench.wait(for: "stream_2").ends == [.finished(reason: "stop")])
            #expect(bench.transcript("stream_1") == transcript)
        }
    }

    @Test func stopsBeforeTheFirstWord() throws {
        try withGuide { bench in
            bench.start(.asking("limits", agentType: "guide"))
            bench.cancel("stream_1")
            #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        }
    }
}

/// A folder that is gone after the test.
private final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/hubbub-docs-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard name != ".", name != ".." else { continue }
                // Links are removed, not followed.
                if unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
            }
            closedir(folder)
        }
        rmdir(path)
    }

    func write(_ name: String, _ text: String) throws {
        let file = try #require(fopen("\(path)/\(name)", "w"))
        fwrite(text, 1, text.utf8.count, file)
        fclose(file)
    }
}

struct DocumentFolderTests {
    @Test func readsMarkdownInOrderAndOnce() throws {
        let folder = try TemporaryFolder()
        mkdir("\(folder.path)/sub", 0o700)
        try folder.write("b.md", "B")
        try folder.write("A.MARKDOWN", "A")
        try folder.write("sub/c.md", "C")
        try folder.write("notes.txt", "no")
        try folder.write(".hidden.md", "no")
        symlink("..", "\(folder.path)/sub/loop")
        symlink("sub", "\(folder.path)/twin")
        let read = try DocumentFolder(folder.path)
        #expect(read.documents.map(\.name) == ["A", "b", "c"])
        #expect(read.documents.map { String(decoding: $0.bytes, as: UTF8.self) } == ["A", "B", "C"])
        #expect(read.warnings.isEmpty)
    }

    @Test func saysWhatItLeftOut() throws {
        let folder = try TemporaryFolder()
        try folder.write("big.md", String(repeating: "x", count: DocumentFolder.fileBytesMax + 1))
        try folder.write("full.md", String(repeating: "x", count: DocumentFolder.fileBytesMax))
        mkfifo("\(folder.path)/pipe.md", 0o600)
        symlink("nowhere", "\(folder.path)/dangling.md")
        let read = try DocumentFolder(folder.path)
        #expect(read.documents.map(\.name) == ["full"])
        #expect(
            read.warnings == [
                "\(folder.path)/big.md: larger than 1048576 bytes",
                "\(folder.path)/dangling.md: No such file or directory",
                "\(folder.path)/pipe.md: not a regular file",
            ])
    }

    @Test func refusesAFolderThatIsNotThere() {
        let fault = GuideError.unreadableFolder("/nowhere/at/all", reason: "No such file or directory")
        #expect(throws: fault) { try DocumentFolder("/nowhere/at/all") }
        #expect(fault.description.hasPrefix("The guide cannot read the folder /nowhere/at/all: No such file"))
    }

    @Test func indexesEachAgentsFolder() throws {
        let folder = try TemporaryFolder()
        try folder.write("tea.md", "# Tea\n\nBoil water.")
        let agents = [
            AgentConfiguration(agentType: "hub", connector: .guide(docsDirectory: nil)),
            AgentConfiguration(agentType: "tea", connector: .guide(docsDirectory: folder.path)),
        ]
        let library = try GuideLibrary(agents: agents, builtIn: documents)
        let bench = try AgentBench(agents, library: library)
        bench.start(.asking("water", agentType: "tea"), .asking("water", stream: "stream_2", agentType: "hub"))
        #expect(bench.wait(for: "stream_1").text == "**Tea**\n\nBoil water.")
        #expect(bench.wait(for: "stream_2").text.hasPrefix("I answer"))
        bench.stop()
        library.shutdown()
    }
}
