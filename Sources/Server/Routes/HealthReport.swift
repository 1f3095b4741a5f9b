import Storage
import Wire

/// Which of the three health endpoints was asked.
enum HealthProbe {
    /// `/healthz`: the process answers.
    case alive
    /// `/readyz`: the hub can work.
    case ready
    /// `/api/health`: how well it works.
    case detailed
}

/// What `/api/health` tells, from the numbers that the shell has.
struct HealthReport: Sendable, Equatable {
    /// How long the store took to write and read, or to say that it cannot.
    var storageMicroseconds: Int
    /// What is wrong with it.
    var storageTrouble: StorageTrouble?
    /// Sessions in memory.
    var activeSessions: Int
    /// Streams of this node, running and waiting.
    var activeStreams: Int
    /// Streams that this node takes.
    var streamCapacity: Int
    /// The hub is about to stop.
    var isDraining: Bool

    private enum Status: String {
        case healthy, degraded, unhealthy
    }

    /// From nine tenths of its capacity on the hub is degraded: somebody should look before it refuses.
    private var streams: Status { activeStreams * 10 >= streamCapacity * 9 ? .degraded : .healthy }
    private var database: Status { storageTrouble == nil ? .healthy : .unhealthy }
    private var status: Status { database == .unhealthy || isDraining ? .unhealthy : streams }

    /// What `/readyz` tells.
    var readiness: HTTPResponse {
        if let storageTrouble { return Health.unready("storage: \(storageTrouble.reason)") }
        return isDraining ? Health.unready("the hub is stopping") : Health.ready
    }

    /// 200, or 503 when unhealthy, which is what load balancers look at.
    func response(at now: Timestamp) -> HTTPResponse {
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.field("status", status.rawValue)
        writer.field("timestamp", now.rfc3339)
        writer.field("version", Version.current)
        writer.key("checks")
        writer.beginObject()
        writer.check("database", database.rawValue) { writer in
            writer.field("latency_ms", Double(storageMicroseconds) / 1000)
            writer.field("error", storageTrouble?.reason)
            writer.field("failing_seconds", storageTrouble?.seconds)
        }
        writer.check("sessions", Status.healthy.rawValue) { $0.field("active_count", activeSessions) }
        writer.check("streams", streams.rawValue) { writer in
            writer.field("active_count", activeStreams)
            writer.field("capacity", streamCapacity)
        }
        writer.endObject()
        writer.endObject()
        return HTTPResponse(status: status == .unhealthy ? 503 : 200, json: writer.bytes)
    }
}

extension JSONWriter {
    fileprivate mutating func check(
        _ name: StaticString, _ status: String, facts: (inout JSONWriter) -> Void
    ) {
        key(name)
        beginObject()
        field("status", status)
        facts(&self)
        endObject()
    }
}
