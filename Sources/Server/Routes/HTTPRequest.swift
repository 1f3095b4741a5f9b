import Wire

/// One whole request, as the router takes it.
struct HTTPRequest {
    let head: HTTPRequestHead
    let body: [UInt8]

    /// The segments of the path; one slash at the end is not looked at.
    var segments: [Substring] {
        var rest = head.path.dropFirst()
        if rest.hasSuffix("/") { rest.removeLast() }
        return rest.isEmpty ? [] : rest.split(separator: "/", omittingEmptySubsequences: false)
    }
}
