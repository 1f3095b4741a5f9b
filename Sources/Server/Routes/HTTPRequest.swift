import Wire

/// One whole request, as the router takes it.
struct HTTPRequest {
    let head: HTTPRequestHead
    let body: [UInt8]

    /// The segments of the path; one slash at the end is not looked at.
    var segments: [ExactText] {
        let slash = UInt8(ascii: "/")
        var rest = head.path.utf8.dropFirst()
        if rest.last == slash { rest.removeLast() }
        if rest.isEmpty { return [] }
        return rest.split(separator: slash, omittingEmptySubsequences: false).map { String(Substring($0)).exact }
    }
}
