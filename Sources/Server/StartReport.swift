import Agents
import ChatProtocol
import Glibc
import Storage
import Telemetry

/// What the log says at the start: which hub this is, what it works on, and what of it is not as usual.
enum StartReport {
    static func write(_ configuration: Configuration, url: String, descriptorsMax: Int) {
        Log.info(
            "started",
            [
                "version": Version.current, "url": url, "process": String(getpid()),
                "data": configuration.dataDirectory, "schema": String(MessageStore.schemaVersion),
                "config": configuration.configFile ?? "", "loops": String(configuration.loops),
                "agents": agents(configuration), "default_agent": configuration.defaultAgent,
                "limits": changedLimits(configuration.limits), "descriptors": String(descriptorsMax),
            ])
        for warning in missingPrograms(configuration, path: getenv("PATH").map { String(cString: $0) }) {
            Log.warning("an agent's program is missing", ["agent_type": warning.agentType, "reason": warning.reason])
        }
    }

    /// Each with its connector and its model; not with a server's address, which may hold a key.
    static func agents(_ configuration: Configuration) -> String {
        configuration.agents.map { agent in
            let connector =
                switch agent.connector {
                case .guide: "guide"
                case .openAI(let settings): "openai \(settings.model)"
                case .anthropic(let settings): "anthropic \(settings.model)"
                case .command: "command"
                case .synthetic: "synthetic"
                }
            return "\(agent.agentType) (\(connector))"
        }.joined(separator: ", ")
    }

    /// Those that differ from their defaults.
    static func changedLimits(_ limits: Limits) -> String {
        let usual = Limits()
        return LimitSetting.all.compactMap { setting in
            let value = limits[keyPath: setting.field]
            return value == usual[keyPath: setting.field] ? nil : "\(setting.key)=\(value)"
        }.joined(separator: " ")
    }

    static func missingPrograms(
        _ configuration: Configuration, path: String?
    ) -> [(agentType: String, reason: String)] {
        configuration.agents.compactMap { agent in
            guard case .command(let settings) = agent.connector, let reason = settings.missingProgram(path: path)
            else { return nil }
            return (agent.agentType, reason)
        }
    }
}
