/// The servers of a comparison, one for each way to run them, each started when it is first asked for. All share one
/// core; those that are not measured do nothing.
final class ContenderPool {
    private let options: CompareOptions
    private let directory: ScratchDirectory
    private var hubs: [String: ServerProcess] = [:]
    private var floors: [String: ServerProcess] = [:]

    init(_ options: CompareOptions) throws(Failure) {
        self.options = options
        directory = try ScratchDirectory()
    }

    func servers(of compared: ComparedCase) throws(Failure) -> (hub: Server, floor: Server) {
        let limits = compared.hubLimits.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
        if hubs[limits] == nil { hubs[limits] = try startHub(compared.hubLimits) }
        let words = compared.floorOptions.joined(separator: " ")
        if floors[words] == nil { floors[words] = try startFloor(compared.floorOptions) }
        return (hubs[limits]!.server(.hub), floors[words]!.server(.floor))
    }

    var probes: [ServerProbe] {
        get throws(Failure) {
            var probes: [ServerProbe] = []
            for process in Array(hubs.values) + Array(floors.values) {
                probes.append(try ServerProbe(processID: process.processID))
            }
            return probes
        }
    }

    private func startHub(_ limits: [(name: String, value: Int64)]) throws(Failure) -> ServerProcess {
        try .hub(options.hub, loops: 1, limits: limits, in: directory, name: "hub-\(hubs.count + 1)")
    }

    private func startFloor(_ words: [String]) throws(Failure) -> ServerProcess {
        try .floor(options.floor, words, in: directory, name: "floor-\(floors.count + 1)")
    }
}
