/// Reads `--flag value`, `--flag=value` and `--switch`; of a flag that comes twice the last wins.
enum FlagParser {
    /// A setting with its text, and where it was said.
    struct Flag: Equatable {
        let setting: Setting
        let text: String
        let place: ConfigurationError.Place
    }

    static func parse(_ arguments: [String]) throws(ConfigurationError) -> [Flag] {
        var flags: [Flag] = []
        var rest = arguments[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else { throw ConfigurationError(.commandLine(word), .unexpectedArgument) }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let place = ConfigurationError.Place.commandLine(parts[0])
            guard let setting = Setting(flag: parts[0]) else {
                let nearest = Suggestion.nearest(to: parts[0], among: Setting.allCases.map(\.flag))
                throw ConfigurationError(place, .unknown(suggestion: nearest))
            }
            let text: String
            if parts.count == 2 {
                text = parts[1]
            } else if setting.placeholder == nil {
                text = "true"
            } else if let next = rest.first, !next.hasPrefix("--") {
                text = rest.removeFirst()
            } else {
                throw ConfigurationError(place, .needsValue)
            }
            flags.append(Flag(setting: setting, text: text, place: place))
        }
        return flags
    }
}
