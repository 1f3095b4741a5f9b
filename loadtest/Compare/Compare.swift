/// Lets two contenders play each case in turn, prints what each costs and writes it down.
func compare(_ options: CompareOptions) throws(Failure) {
    Descriptors.raiseLimit()
    let contenders = try ContenderPool(options)
    // All of them first, so that the watch over the core knows what is theirs.
    for compared in options.cases {
        for contender in [compared.first, compared.second] { _ = try contenders.server(of: contender) }
    }
    let watch = CoreWatch(try contenders.probes)
    var report = ComparisonReport(options.cases[0].first.name, options.cases[0].second.name)
    report.options = [Option("pairs", options.pairs), Option("seconds", brief(options.seconds))]
    for pair in 1...options.pairs {
        for compared in options.cases {
            for contender in [compared.first, compared.second] {
                let title = "pair \(pair) of \(options.pairs): \(compared.title), \(contender.name)"
                let server = try contenders.server(of: contender)
                let run = try play(compared, contender, seconds: options.seconds, on: server, title: title)
                try report.add(run, of: contender.name, to: compared)
            }
        }
    }
    report.disturbance = watch.disturbance
    try ReportFile.comparison(report).publish(json: options.json, html: options.html)
}

private func play(
    _ compared: ComparedCase, _ contender: Contender, seconds: Double, on server: Server, title: String
) throws(Failure) -> RunReport {
    var values = Dictionary(compared.scenario.knobs.map { ($0.knob, $0.value) }) { $1 }
    values.merge(compared.values) { $1 }
    values.merge(contender.values) { $1 }
    values[.seconds] = seconds
    let report = try play(compared.scenario, values, on: server, title: title)
    switch report.verdict {
    case .failed(let reason): throw Failure("\(title): \(reason)")
    case .missed(let names): throw Failure("\(title): beyond its limit is \(names.joined(separator: ", "))")
    case .clientBound, .passed: return report
    }
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
            case .shown(let name):
                guard contender == compared.first.name else { continue }
                guard let figure = run.figures.first(where: { $0.name == name }) else {
                    throw Failure("\(compared.title), \(contender): nothing was counted as \(name)")
                }
                add(name, figure.value, figure.unit, of: contender, to: compared.title, isCompared: false)
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
