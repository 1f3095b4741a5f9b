/// The servers of a comparison, one for each way to run them, each started when it is first asked for. Those with a
/// core share one; those that are not measured do nothing.
final class ContenderPool {
    private let options: CompareOptions
    private let directory: ScratchDirectory
    private var processes: [String: ServerProcess] = [:]

    init(_ options: CompareOptions) throws(Failure) {
        self.options = options
        directory = try ScratchDirectory()
    }

    func server(of contender: Contender) throws(Failure) -> Server {
        if processes[contender.server] == nil { processes[contender.server] = try start(contender) }
        return processes[contender.server]!.server(contender.kind)
    }

    var probes: [ServerProbe] {
        get throws(Failure) {
            var probes: [ServerProbe] = []
            for process in processes.values { probes.append(try ServerProbe(processID: process.processID)) }
            return probes
        }
    }

    private func start(_ contender: Contender) throws(Failure) -> ServerProcess {
        let name = "\(contender.kind)-\(processes.count + 1)"
        switch contender.kind {
        case .hub:
            return try .hub(
                options.hub, loops: contender.loops, hasOwnCore: contender.hasOwnCore, limits: contender.limits,
                in: directory, name: name)
        case .floor: return try .floor(options.floor, contender.floorOptions, in: directory, name: name)
        }
    }
}
