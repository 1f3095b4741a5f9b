// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is built alike: warnings are errors; release builds drop the dynamic exclusivity checks, which
/// cost a third of the fan-out path. Bounds and overflow checks stay.
let swiftSettings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// A target of ours; the files of the directory `embedded` become byte arrays in its `PackageResources`.
func library(_ name: String, _ dependencies: [Target.Dependency] = [], embedded: String? = nil) -> Target {
    let resources = embedded.map { [Resource.embedInCode($0)] }
    return .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: swiftSettings)
}

let package = Package(
    name: "hubbub",
    products: [
        .executable(name: "hubbub", targets: ["hubbub"]),
        .executable(name: "loadtest", targets: ["loadtest"]),
    ],
    targets: [
        .target(name: "CLinux"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

        library("Wire"),
        library("Telemetry", ["CLinux"]),
        library("Reactor", ["CLinux", "Telemetry"]),
        library("ChatProtocol", ["Wire"]),
        library("Chat", ["ChatProtocol", "Wire"]),
        library("Storage", ["Chat", "ChatProtocol", "Wire", "CSQLite", "CLinux"]),
        library(
            "Agents", ["Chat", "ChatProtocol", "Wire", "Reactor", "CCurl", "CSQLite", "CLinux"], embedded: "Docs"),
        library(
            "Server",
            ["Chat", "ChatProtocol", "Wire", "Reactor", "Agents", "Storage", "Telemetry", "COpenSSL", "CLinux"],
            embedded: "Page"),
        .executableTarget(
            name: "hubbub", dependencies: ["Server", "Storage", "Telemetry", "CLinux"], swiftSettings: swiftSettings),
        .executableTarget(
            name: "loadtest", dependencies: ["Wire", "ChatProtocol", "Chat", "CLinux"], path: "loadtest",
            exclude: ["floor.c", "RESULTS.md"], swiftSettings: swiftSettings),

        .target(
            name: "ChatDoubles", dependencies: ["Chat", "ChatProtocol", "Wire"], path: "Tests/ChatDoubles",
            swiftSettings: swiftSettings),
        tests("WireTests", ["Wire"]),
        tests("ReactorTests", ["Reactor", "Telemetry", "CLinux"]),
        tests("ChatProtocolTests", ["ChatProtocol", "Wire"]),
        tests("ChatTests", ["Chat", "ChatDoubles", "ChatProtocol", "Wire"]),
        tests(
            "SimulationTests", ["Chat", "ChatDoubles", "ChatProtocol", "Wire"], exclude: ["Tool", "Faults"]),
        tests("StorageTests", ["Storage", "Chat", "ChatProtocol", "Wire"]),
        tests("AgentsTests", ["Agents", "Reactor", "Chat", "ChatProtocol", "Wire", "CLinux"]),
        tests("ServerTests", ["Server", "hubbub", "Agents", "Storage", "ChatProtocol", "Wire", "CLinux"]),
        tests("LoadTestTests", ["loadtest", "Chat", "ChatProtocol", "Wire", "CLinux"]),
        tests("CostTests", ["Server", "Agents", "Chat", "ChatProtocol", "Wire"], exclude: ["Tool"]),
        tests("TidyTests", []),
    ],
    swiftLanguageModes: [.v6]
)
