import Wire

// The servers that the load test starts itself, each on a core of its own, in a directory that goes with it.
extension ServerProcess {
    /// A hub with the synthetic agent and the echo.
    ///
    /// - Parameters:
    ///   - hasOwnCore: `nil`: if one is enough.
    ///   - limits: other limits than its own, by name.
    static func hub(
        _ binary: String, loops: Int, hasOwnCore: Bool? = nil, limits: [(name: String, value: Int64)],
        in directory: ScratchDirectory, name: String = "hub"
    ) throws(Failure) -> ServerProcess {
        // A load test has many users, each with little to do, and ends without waiting.
        var fields: JSONObject = ["drain_seconds": 0, "streams_per_node": 100_000]
        for limit in limits { fields[limit.name] = .int(limit.value) }
        let configuration: JSONValue = ["log_level": "warning", "limits": .object(fields)]
        try directory.write(configuration.compact, to: "\(name).json")
        return try ServerProcess(
            [
                binary, "serve", "--port", "0", "--loops", String(loops), "--data", "\(directory.path)/\(name)",
                "--config", "\(directory.path)/\(name).json", "--synthetic", "--diagnostics",
            ], hasOwnCore: hasOwnCore ?? (loops == 1), name: name, in: directory)
    }

    static func floor(
        _ binary: String, _ options: [String], in directory: ScratchDirectory, name: String = "floor"
    ) throws(Failure) -> ServerProcess {
        let words = [binary, "-d", "\(directory.path)/\(name).log"] + options
        return try ServerProcess(words, hasOwnCore: true, name: name, in: directory)
    }

    func server(_ kind: Server.Kind) -> Server {
        Server(kind: kind, url: "ws://127.0.0.1:\(port)", processID: processID)
    }
}
