import CSQLite

/// Why a data directory could not be opened; its sentence says what to do next.
public enum StoreError: Error, Equatable, CustomStringConvertible {
    /// Another process holds the directory.
    case directoryInUse(path: String)
    /// A newer Hubbub wrote the database.
    case newerSchema(found: Int, known: Int)
    /// The directory or the file could not be made or opened.
    case cannotOpen(path: String, reason: String)
    /// There is no space left.
    case diskFull(path: String)
    /// Another program, not a hubbub, holds the database.
    case locked(path: String)
    /// There is no database in the directory.
    case noDatabase(path: String)
    /// A file that is to be made is there already.
    case fileExists(path: String)
    /// A copy could not be written.
    case cannotWrite(path: String, reason: String)
    /// The file is not a database of ours, or is damaged.
    case notADatabase(path: String)
    /// Taking the schema to a version failed; the database stands at its last complete step.
    case cannotMigrate(path: String, reason: String)
    /// There is no such schema version.
    case unknownVersion(Int, known: Int)

    /// One sentence or two: what is wrong, and what to do.
    public var description: String {
        switch self {
        case .directoryInUse(let path):
            "Another hubbub is using \(path). Stop it, or choose another directory with --data."
        case .newerSchema(let found, let known):
            "The database has schema version \(found), but this hubbub knows only \(known). "
                + "Run the newer hubbub, or use it to migrate down to \(known) first."
        case .cannotOpen(let path, let reason):
            "Cannot open \(path): \(reason). "
                + "Check that it exists, that this user may write to it, and that its disk is sound and has space."
        case .diskFull(let path):
            "There is no space left for \(path). Free some, and try again."
        case .locked(let path):
            "Another program holds \(path). End it, and try again."
        case .noDatabase(let path):
            "There is no hubbub.db in \(path). Name its directory with --data."
        case .fileExists(let path):
            "\(path) exists already. Choose another name, or remove it."
        case .cannotWrite(let path, let reason):
            "Cannot write \(path): \(reason). Choose another place, or free space there."
        case .notADatabase(let path):
            "\(path) is not a readable hubbub database. "
                + "Restore it from a backup, or choose another directory with --data."
        case .cannotMigrate(let path, let reason):
            "Cannot migrate \(path): \(reason). Free disk space if it is full, and run `hubbub migrate up` again."
        case .unknownVersion(let version, let known):
            "There is no schema version \(version). Choose one from 0 to \(known)."
        }
    }

    init(migrating path: String, _ error: SQLiteError) {
        let opening = StoreError(error, path: path)
        self = opening == .notADatabase(path: path) ? opening : .cannotMigrate(path: path, reason: error.message)
    }

    init(_ error: SQLiteError, path: String) {
        switch error.primaryCode {
        case SQLITE_CORRUPT, SQLITE_NOTADB: self = .notADatabase(path: path)
        case SQLITE_FULL: self = .diskFull(path: path)
        case SQLITE_BUSY: self = .locked(path: path)
        default: self = .cannotOpen(path: path, reason: error.message)
        }
    }
}
