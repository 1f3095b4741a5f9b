import Glibc
import Reactor

/// What is compared: the hub, and the floor beside it.
protocol Contender {
    var name: String { get }
    /// Sends messages, so many in flight altogether, `count` by each sender.
    func send(inFlight: Int, each count: Int) throws(Failure) -> SendCost
    /// Streams text to all watchers for a while, so many tokens in flight.
    func stream(window: Int, seconds: Double) throws(Failure) -> ChunkCost
}

/// Runs the hub and the floor in turn, prints what each costs and writes it down.
func compare(_ options: CompareOptions) throws(Failure) {
    raiseDescriptorLimit()
    Cores.pin(to: Cores.loadTest)
    let directory = try ScratchDirectory()
    let driver: Driver
    do throws(SystemError) { driver = try Driver() } catch { throw Failure("\(error)") }
    let hub = try HubContender(driver, options, in: directory)
    let plain = try FloorContender(driver, options, in: directory, coalesces: false)
    let coalescing = try FloorContender(driver, options, in: directory, coalesces: true)

    var report = ComparisonReport(hub.name, plain.name)
    report.options = [Option("watchers", options.watchers), Option("pairs", options.pairs)]
    report.options += [Option("senders", options.senders), Option("seconds", options.seconds)]
    let line = ProgressLine()
    let watch = CoreWatch([hub.server, plain.server, coalescing.server])
    for pair in 1...options.pairs {
        func measure(_ scenario: String, _ floor: FloorContender, _ run: (any Contender) throws(Failure) -> [Metric])
            throws(Failure)
        {
            for contender in [hub, floor] as [any Contender] {
                line.show("\(scenario), \(contender.name)", done: Double(pair - 1) / Double(options.pairs))
                floor.names = hub.names
                for metric in try run(contender) {
                    report.add(
                        metric.name, metric.value, metric.unit, of: contender.name, to: scenario,
                        isCompared: metric.isCompared)
                }
            }
        }
        for inFlight in [1, options.senders] {
            try measure("send, \(inFlight) in flight", plain) { (contender) throws(Failure) in
                try contender.send(inFlight: inFlight, each: options.sendsEach).metrics
            }
        }
        for (window, floor) in [(1, plain), (16, coalescing)] {
            let scenario = "chunk, \(options.watchers) watchers, \(window) in flight"
            try measure(scenario, floor) { (contender) throws(Failure) in
                try contender.stream(window: window, seconds: options.seconds).metrics
            }
        }
    }
    line.clear()
    report.disturbance = watch.disturbance
    try ReportFile.comparison(report).publish(json: options.json, html: options.html)
}

/// The soft limit to the hard one, for this process and those it starts.
private func raiseDescriptorLimit() {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
