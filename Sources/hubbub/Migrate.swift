import Storage

extension Hubbub {
    /// Changes the schema in a data directory, and says each step.
    ///
    /// - Returns: the exit code.
    static func migrate(_ migration: Command.Migration, in directory: String) -> Int32 {
        do throws(StoreError) {
            switch migration {
            case .up: try MessageStore.migrate(directory: directory, to: nil) { print($0) }
            case .down(let version): try MessageStore.migrate(directory: directory, to: version) { print($0) }
            case .status:
                let version = try MessageStore.installedVersion(directory: directory)
                print("schema version \(version) of \(MessageStore.schemaVersion)")
            }
            return 0
        } catch {
            complain(error.description)
            return failure
        }
    }
}
