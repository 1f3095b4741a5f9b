import Storage

extension Hubbub {
    /// Looks whether a database is sound, a file's or a directory's, and says what it found.
    ///
    /// - Returns: the exit code.
    static func check(file: String?, orIn directory: String) -> Int32 {
        do throws(StoreError) {
            let found: StoreCheck
            if let file {
                found = try StoreCheck.run(file: file)
            } else {
                found = try StoreCheck.run(directory: directory)
            }
            for fault in found.faults { complain("fault: \(fault)") }
            for note in found.notes { complain("note: \(note)") }
            guard found.faults.isEmpty else {
                complain("the database is not sound. Stop the hub and restore a backup.")
                return unsound
            }
            print(
                "sound: schema version \(found.version), \(found.rooms) rooms, \(found.exchanges) exchanges, "
                    + "\(found.messages) messages")
            return 0
        } catch {
            complain(error.description)
            if case .notADatabase = error { return unsound }
            return failure
        }
    }
}
