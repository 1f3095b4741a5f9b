import ChatProtocol
import Wire

/// Puts the fragments of tool calls together.
///
/// A call's first fragment carries its id and name, the later ones pieces of its arguments. By the documentation they
/// belong together by `index`. Some servers leave the index out, or give every call the index 0: so a new id begins a
/// new call too, and a fragment that has neither belongs to the call before, unless it names a function.
struct ToolCallCollector {
    /// A piece of a call, as it came; what it does not say is `nil`.
    struct Fragment {
        var index: Int64?
        var id: String?
        var name: String?
        /// A string is a piece of the arguments' JSON text; anything else is the arguments themselves.
        var arguments: JSONValue?
    }

    private struct Call {
        let index: Int64?
        var id: String?
        var name = ""
        var arguments = ""
        /// Arguments that came as JSON instead of its text.
        var parsedArguments: JSONValue?
    }

    private var current: Call?
    private var closedIndexes: Set<Int64> = []
    private var closedCount = 0

    /// Takes one fragment; returns the call before it if that is complete now.
    mutating func take(_ fragment: Fragment) throws(ModelError) -> JSONObject? {
        let id = fragment.id.flatMap { $0.isEmpty ? nil : $0 }
        let name = fragment.name ?? ""
        var completed: JSONObject?
        if begins(index: fragment.index, id: id, name: name) {
            if let index = fragment.index, closedIndexes.contains(index), id == nil { throw .toolCallOutOfOrder }
            completed = try finish()
            current = Call(index: fragment.index)
        }
        current!.id = current!.id ?? id
        if current!.name.isEmpty { current!.name = name }
        switch fragment.arguments {
        case .string(let piece)?: current!.arguments += piece
        case nil, .null?: break
        case let value?: current!.parsedArguments = value
        }
        guard current!.arguments.utf8.count <= Limits.toolPayloadBytesMax else { throw .toolCallTooLarge }
        return completed
    }

    /// Completes the call that is under way.
    mutating func finish() throws(ModelError) -> JSONObject? {
        guard let call = current else { return nil }
        current = nil
        if let index = call.index { closedIndexes.insert(index) }
        defer { closedCount += 1 }
        let event: JSONObject = [
            "id": .string(call.id ?? "call_\(closedCount)"), "name": .string(call.name), "arguments": arguments(call),
        ]
        guard JSONValue.object(event).compact.count <= Limits.toolPayloadBytesMax else { throw .toolCallTooLarge }
        return event
    }

    private func begins(index: Int64?, id: String?, name: String) -> Bool {
        guard let current else { return true }
        if let id, let currentID = current.id, id.exact != currentID.exact { return true }
        if let index, let currentIndex = current.index { return index != currentIndex }
        return id == nil && !name.isEmpty
    }

    private func arguments(_ call: Call) -> JSONValue {
        if let parsed = call.parsedArguments { return parsed }
        if call.arguments.isEmpty { return [:] }
        return (try? JSONValue(parsing: Array(call.arguments.utf8))) ?? .string(call.arguments)
    }
}
