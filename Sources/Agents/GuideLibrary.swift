import Reactor

/// Why there is no guide's library.
public enum GuideError: Error, Sendable, Equatable {
    /// The folder does not exist or may not be read, for the system's reason.
    case unreadableFolder(String, reason: String)
    /// SQLite, the system's memory or its threads gave out.
    case unavailable(String)
}

extension GuideError: CustomStringConvertible {
    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .unreadableFolder(let path, let reason):
            "The guide cannot read the folder \(path): \(reason). Name a folder of Markdown with --docs, or with "
                + "`docs` in the configuration."
        case .unavailable(let reason): "The guide cannot be started: \(reason)."
        }
    }
}

/// What the guide knows: documents cut into sections, indexed in memory once, searched on a thread of their own.
/// Shared by all loops.
public final class GuideLibrary: Sendable {
    /// What was left out of the folders and why, one sentence each.
    public let warnings: [String]
    private let indexes: [String?: GuideIndex]
    private let worker: WorkerThread

    /// Reads and indexes all that the agents need.
    ///
    /// - Parameter builtIn: the hub's own documentation, for guides without a folder.
    public init(agents: [AgentConfiguration], builtIn: [GuideDocument]) throws(GuideError) {
        var indexes: [String?: GuideIndex] = [:]
        var warnings: [String] = []
        for agent in agents {
            guard case .guide(let directory) = agent.connector, indexes[directory] == nil else { continue }
            var documents = builtIn
            if let directory {
                let folder = try DocumentFolder(directory)
                documents = folder.documents
                warnings += folder.warnings
            }
            indexes[directory] = try GuideIndex(documents)
        }
        self.indexes = indexes
        self.warnings = warnings
        do {
            worker = try WorkerThread(name: "hubbub-guide")
        } catch {
            throw .unavailable(error.description)
        }
    }

    /// Ends the thread, once, after every host that uses the library was shut down.
    public func shutdown() { worker.shutdown() }

    /// Whether a folder (`nil`: the built-in documents) is indexed.
    func holds(_ directory: String?) -> Bool { indexes[directory] != nil }

    /// Finds the answer to a question on the library's thread; the running streams bound how many are asked.
    ///
    /// - Parameter earlier: the question before, which a follow-up may be about.
    func answer(
        _ question: String, after earlier: String?, in directory: String?,
        then reply: @escaping @Sendable (GuideAnswer) -> Void
    ) {
        let index = indexes[directory]!
        worker.submit { reply(index.answer(question, after: earlier)) }
    }
}

/// What the guide says: the text, as it is streamed.
enum GuideAnswer: Sendable, Equatable {
    case text(String)
    /// The index could not be searched.
    case unavailable
}
