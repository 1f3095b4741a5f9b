import Foundation
import Testing
import Wire

/// The frames under `Protocol/frames`, which other clients' tests read too.
enum GoldenFrames {
    private static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Protocol/frames")

    static func names(in subfolder: String, prefix: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: subfolder).path)
            .filter { $0.hasPrefix(prefix) && $0.hasSuffix(".json") }
            .sorted()
    }

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: path)))
    }

    static func value(_ path: String) throws -> JSONValue {
        try JSONValue(parsing: try bytes(path))
    }
}
