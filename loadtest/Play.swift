import Wire

/// Plays a scenario and reports it; says whether everything was as it should be.
func play(_ options: Options) throws(Failure) -> Bool {
    Descriptors.raiseLimit()
    var server = options.url.map { Server(kind: .hub, url: $0, processID: options.serverPID) }
    var process: ServerProcess?
    if server == nil {
        Cores.pin(to: Cores.loadTest)
        let directory = try ScratchDirectory()
        if let binary = options.hub {
            process = try .hub(binary, loops: options.loops, limits: options.limits, in: directory)
            server = process?.server(.hub)
        } else {
            process = try .floor(options.floor!, options.floorOptions, in: directory)
            server = process?.server(.floor)
        }
    }
    defer { withExtendedLifetime(process) {} }
    let report = try play(options.scenario, options.values, on: server!, token: options.token)
    print(String(decoding: report.json.compact, as: UTF8.self))
    if let path = options.json { try writeFile(report.json.compact + [UInt8(ascii: "\n")], to: path) }
    switch report.verdict {
    case .failed: return false
    case .clientBound, .missed, .passed: return true
    }
}

/// Plays a scenario on a running server.
func play(
    _ scenario: Scenario, _ values: [Knob: Double], on server: Server, token: String? = nil
) throws(Failure) -> RunReport {
    let engine = try Engine()
    let run = try Run(scenario, values, on: server, engine, token: token)
    do throws(Failure) {
        try scenario.play(run)
    } catch {
        run.report.failure = error.reason
    }
    run.report.latencies += run.tally.latencies
    run.report.checks += run.tally.checks
    return run.report
}
