/// Plays each case on the hub and the floor in turn, prints what each costs and writes it down.
func compare(_ options: CompareOptions) throws(Failure) {
    Descriptors.raiseLimit()
    let contenders = try ContenderPool(options)
    // All of them first, so that the watch over the core knows what is theirs.
    for compared in options.cases { _ = try contenders.servers(of: compared) }
    let watch = CoreWatch(try contenders.probes)
    var report = ComparisonReport("hub", "floor")
    report.options = [Option("pairs", options.pairs), Option("seconds", brief(options.seconds))]
    for pair in 1...options.pairs {
        for compared in options.cases {
            let servers = try contenders.servers(of: compared)
            for (name, server) in [("hub", servers.hub), ("floor", servers.floor)] {
                let title = "pair \(pair) of \(options.pairs): \(compared.title), \(name)"
                let run = try play(compared, seconds: options.seconds, on: server, title: title)
                try report.add(run, of: name, to: compared)
            }
        }
    }
    report.disturbance = watch.disturbance
    try ReportFile.comparison(report).publish(json: options.json, html: options.html)
}

private func play(
    _ compared: ComparedCase, seconds: Double, on server: Server, title: String
) throws(Failure) -> RunReport {
    var values = Dictionary(compared.scenario.knobs.map { ($0.knob, $0.value) }) { $1 }
    values.merge(compared.values) { $1 }
    values[.seconds] = seconds
    let report = try play(compared.scenario, values, on: server, title: title)
    if case .failed(let reason) = report.verdict { throw Failure("\(title): \(reason)") }
    return report
}

extension ComparisonReport {
    fileprivate mutating func add(_ run: RunReport, of contender: String, to compared: ComparedCase) throws(Failure) {
        for measure in compared.measures {
            switch measure {
            case .figure(let name, let target):
                guard let figure = run.figures.first(where: { $0.name == name }) else {
                    throw Failure("\(compared.title), \(contender): nothing was counted as \(name)")
                }
                add(name, figure.value, figure.unit, of: contender, to: compared.title, target: target)
            case .latency(let name, let percent, let target):
                guard let latency = run.latencies.first(where: { $0.name == name }) else {
                    throw Failure("\(compared.title), \(contender): nothing was timed as \(name)")
                }
                let value = Double(latency.histogram.percentile(percent))
                add(
                    "\(name), p\(brief(percent))", value, .nanoseconds, of: contender, to: compared.title,
                    target: target)
            }
        }
        add("load test busy", run.client.busyShare, .share, of: contender, to: compared.title, isCompared: false)
    }
}
