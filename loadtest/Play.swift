/// Plays a scenario and reports it; says whether everything was as it should be.
func play(_ options: Options) throws(Failure) -> Bool {
    Descriptors.raiseLimit()
    var process: ServerProcess?
    let server: Server
    if let url = options.url {
        server = Server(kind: .hub, url: url, processID: options.serverPID)
    } else {
        let directory = try ScratchDirectory()
        let isHub = options.hub != nil
        let started: ServerProcess =
            isHub
            ? try .hub(options.hub!, loops: options.loops, limits: options.limits, in: directory)
            : try .floor(options.floor!, options.floorOptions, in: directory)
        process = started
        server = started.server(isHub ? .hub : .floor)
    }
    defer { withExtendedLifetime(process) {} }
    let shares = try options.shares
    let siblings = try shares.count > 1 ? Siblings(options, on: server, shares: shares) : nil
    var report = try play(options.scenario, shares[0], on: server, title: options.scenario.name, options)
    if let siblings {
        try siblings.finish(into: &report)
        report.options = options.scenario.knobs.map { Option($0.knob.name, brief(options.values[$0.knob]!)) }
        report.options.append(Option("processes", options.processes))
        report.notes.append("The processes began together and were not kept in step.")
    }
    try ReportFile.run(report).publish(json: options.json, html: options.html)
    switch report.verdict {
    case .failed: return false
    case .clientBound, .missed, .passed: return true
    }
}

/// Plays a scenario on a running server.
func play(
    _ scenario: Scenario, _ values: [Knob: Double], on server: Server, title: String, _ options: Options? = nil
) throws(Failure) -> RunReport {
    let engine = try Engine()
    defer { engine.closeAll() }
    let run = try Run(
        scenario, values, on: server, engine, title: title, tokens: options?.tokens ?? [],
        countedSeconds: options?.countedSeconds ?? 0, processes: options?.processes ?? 1)
    do throws(Failure) {
        try scenario.play(run)
    } catch {
        run.report.failure = error.reason
    }
    run.progress.clear()
    run.report.client.connections = engine.openCountMax
    for tally in run.tallies {
        run.report.latencies += tally.latencies
        run.report.checks += tally.checks
        run.report.notes += tally.refusals.sorted { $0.key < $1.key }.map { "The hub refused \($1) sends: \($0)." }
    }
    return run.report
}
