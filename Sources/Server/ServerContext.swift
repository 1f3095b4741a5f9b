import Agents
import Chat
import ChatProtocol
import Reactor
import Storage
import Wire

/// What all loops of a running server share: values, and objects that are safe to share.
struct ServerContext: Sendable {
    let configuration: Configuration
    let hub: HubConfiguration
    let gauges: NodeGauges
    let store: MessageStore
    let library: GuideLibrary
    let router: Router
    let memory: ConnectionMemory
    let mailboxes: [Mailbox<HubLoop>]
    /// Connections get no descriptor from here on.
    let acceptedDescriptorsMax: Int

    var limits: Limits { configuration.limits }
    var requestNanoseconds: UInt64 { UInt64(limits.requestSeconds) * 1_000_000_000 }

    var httpLimits: HTTPLimits {
        var http = HTTPLimits()
        http.headBytesMax = limits.httpHeadBytesMax
        http.bodyBytesMax = limits.httpBodyBytesMax
        return http
    }
}

/// What a loop is told by others.
enum LoopMessage: Sendable {
    case hub(HubMessage)
    case stored(ticket: UInt64, StorageResult)
    /// What is wrong with the store, for the request of a probe, and how long it took to find out.
    case probed(ConnectionRef, StorageTrouble?, microseconds: Int)
    /// Pages wait to be written, to itself.
    case writePages
    /// Ask for these again.
    case restart([InterruptedAnswer])
    /// Stop accepting, tell the clients.
    case drain
    /// End the streams that still run.
    case interruptStreams
    /// Close everything and end the loop.
    case stop
}
