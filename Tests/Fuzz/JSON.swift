// sources: Sources/Wire

/// What is read is written, read again, and must be the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    guard let value = try? JSONValue(parsing: bytes) else { return 0 }
    let compact = value.compact
    guard let again = try? JSONValue(parsing: compact) else { preconditionFailure("wrote what it cannot read") }
    precondition(again == value && again.compact == compact)
    return 0
}
