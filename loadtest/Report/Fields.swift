import Wire

/// The members of a JSON object that is read, and where it stands in its file, so that an error can say so.
struct Fields {
    let place: String
    private let object: JSONObject

    init(_ value: JSONValue?, _ place: String) throws(Failure) {
        guard let object = value?.object else { throw Failure("\(place) is not an object") }
        self.object = object
        self.place = place
    }

    func string(_ name: String) throws(Failure) -> String { try required(object[name]?.string, name, "a string") }
    func int(_ name: String) throws(Failure) -> Int { Int(try required(object[name]?.int, name, "an integer")) }
    func bool(_ name: String) throws(Failure) -> Bool { try required(object[name]?.bool, name, "true or false") }
    func array(_ name: String) throws(Failure) -> [JSONValue] { try required(object[name]?.array, name, "an array") }

    /// A number; `null`, which is how JSON writes none, is none.
    func double(_ name: String) throws(Failure) -> Double {
        object[name] == .null ? .nan : try required(object[name]?.double, name, "a number")
    }

    func has(_ name: String) -> Bool { object[name] != nil }
    func optionalString(_ name: String) -> String? { object[name]?.string }
    func optionalDouble(_ name: String) -> Double? { object[name]?.double }
    func optionalInt(_ name: String) -> Int? { object[name]?.int.map { Int($0) } }

    func fields(_ name: String) throws(Failure) -> Fields { try Fields(object[name], "\(place).\(name)") }

    func doubles(_ name: String) throws(Failure) -> [Double] {
        var numbers: [Double] = []
        for value in try array(name) { numbers.append(value.double ?? .nan) }
        return numbers
    }

    /// An array of objects.
    func list<Element>(_ name: String, _ read: (Fields) throws(Failure) -> Element) throws(Failure) -> [Element] {
        var elements: [Element] = []
        for (index, value) in try array(name).enumerated() {
            elements.append(try read(try Fields(value, "\(place).\(name)[\(index)]")))
        }
        return elements
    }

    private func required<Value>(_ value: Value?, _ name: String, _ what: String) throws(Failure) -> Value {
        guard let value else { throw Failure("\(place).\(name) is not \(what)") }
        return value
    }
}

extension JSONValue {
    /// An object of those members that have a value.
    static func members(_ members: [(String, JSONValue?)]) -> JSONValue {
        var object = JSONObject()
        for (name, value) in members { object[name] = value }
        return .object(object)
    }

    /// A number; what JSON cannot write is `null`.
    static func number(_ value: Double) -> JSONValue { value.isFinite ? .double(value) : .null }
}
