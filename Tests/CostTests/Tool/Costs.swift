/// Runs the cases where their instructions are counted: Valgrind looks for `measured` by its name.
@main
enum Costs {
    nonisolated(unsafe) fileprivate static var work: () -> Void = {}

    /// Without arguments it names the cases; with a case's number and a factor it runs that case for each nasty part,
    /// once with a quarter of its bytes and once with all.
    static func main() {
        let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard arguments.count == 2 else { return print(CostCase.all.map(\.name).joined(separator: "\n")) }
        let example = CostCase.all[arguments[0]]
        for nasty in Nasty.allCases {
            for bytes in [example.bytes * arguments[1] / 4, example.bytes * arguments[1]] {
                work = example.work(nasty.text(bytes: bytes))
                measured()
            }
            print(nasty)
        }
    }
}

@inline(never)
public func measured() { Costs.work() }
