import Testing

/// The house rules that a machine can check, on every file of the repository.
struct TidyTests {
    private static let swiftDirectories = ["Sources", "loadtest", "Tests"]
    private static let productDirectories = ["Sources", "loadtest"]

    /// What each target may import: the walls of the design. `Wire` and `Chat` do no I/O, hence no C module and no
    /// Glibc; nothing imports Foundation, which would double the binary; nobody imports `Server` but the executable.
    private static let allowedImports: [String: Set<String>] = [
        "Wire": [],
        "ChatProtocol": ["Wire"],
        "Chat": ["ChatProtocol", "Wire", "Synchronization"],
        "Telemetry": ["CLinux", "Glibc", "Synchronization"],
        "Reactor": ["CLinux", "Glibc", "Synchronization", "Telemetry"],
        "Storage": ["CLinux", "CSQLite", "Chat", "ChatProtocol", "Glibc", "Synchronization", "Telemetry", "Wire"],
        "Agents": [
            "CCurl", "CLinux", "CSQLite", "Chat", "ChatProtocol", "Glibc", "Reactor", "Synchronization", "Telemetry",
            "Wire",
        ],
        "Server": [
            "Agents", "CLinux", "COpenSSL", "Chat", "ChatProtocol", "Glibc", "Reactor", "Storage", "Synchronization",
            "Telemetry", "Wire",
        ],
        "hubbub": ["CLinux", "Glibc", "Server", "Storage", "Synchronization", "Telemetry"],
        "loadtest": ["CLinux", "Chat", "ChatProtocol", "Glibc", "Synchronization", "Wire"],
    ]

    private static let topLevelNames: Set<String> = [
        "LICENSE", "Package.swift", "Protocol", "README.md", "Sources", "Tests", "deploy", "dev", "loadtest",
    ]

    @Test func filesAreRead() throws {
        #expect(try swiftFiles(Self.swiftDirectories).contains { $0.path == "Tests/TidyTests/TidyTests.swift" })
    }

    @Test func filesAndLinesAreShort() throws {
        let files = try Repository.files(in: Self.swiftDirectories, extensions: ["swift", "js", "css", "html", "py"])
        expectNone(files.flatMap(Rules.fileSize) + files.flatMap(Rules.lineWidth))
    }

    @Test func functionsAreShort() throws {
        expectNone(try swiftFiles(Self.swiftDirectories).flatMap(Rules.functionSize))
    }

    @Test func targetsImportOnlyWhatTheDesignAllows() throws {
        let files = try swiftFiles(Self.productDirectories)
        expectNone(files.flatMap { Rules.imports($0, allowed: Self.allowedImports) })
    }

    @Test func publicDeclarationsAreDocumented() throws {
        expectNone(try swiftFiles(Self.productDirectories).flatMap(Rules.publicDocs))
    }

    @Test func uncheckedSendableIsRareAndProven() throws {
        let found = try swiftFiles(Self.productDirectories).map(Rules.uncheckedSendable)
        let uses = found.flatMap(\.uses)
        #expect(uses.count <= Limits.uncheckedSendableMax, "\(uses)")
        expectNone(found.flatMap(\.unproven))
    }

    @Test func nothingIsForced() throws {
        expectNone(try swiftFiles(["Sources"]).flatMap(Rules.forcedTry))
    }

    @Test func nothingIsLeftForLater() throws {
        expectNone(try textFiles().flatMap(Rules.unfinished))
    }

    @Test func noPathOfOneMachineIsWritten() throws {
        expectNone(try textFiles().flatMap(Rules.machinePaths))
    }

    @Test func theTopLevelHoldsOnlyWhatTheDesignNames() throws {
        #expect(try Repository.topLevel().filter { !Self.topLevelNames.contains($0) } == [])
    }

    private func swiftFiles(_ directories: [String]) throws -> [SourceFile] {
        try Repository.files(in: directories, extensions: ["swift"])
    }

    private func textFiles() throws -> [SourceFile] {
        let extensions: Set<String> = ["swift", "c", "h", "js", "css", "html", "py", "md", "json", "yaml"]
        return try Repository.files(in: Self.swiftDirectories + ["Protocol"], extensions: extensions)
            + ["dev", ".ci/run", "Package.swift", "README.md"].map { try SourceFile(path: $0) }
    }

    private func expectNone(_ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation) {
        for finding in findings { Issue.record("\(finding)", sourceLocation: sourceLocation) }
    }
}
