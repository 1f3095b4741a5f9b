import Wire

/// Why a request was refused for the page or the name behind it.
enum OriginRefusal: Error, Equatable {
    /// `Host` is a name that is not listed.
    case host(String)
    /// The page's origin is not allowed.
    case page
    /// A `GET` that sends does not show that no other page makes it.
    case hiddenPage

    /// HTTP's own code where the hub has none.
    var status: Int {
        switch self {
        case .host: 421
        case .page, .hiddenPage: 403
        }
    }

    /// A sentence for whoever asked.
    var message: String {
        switch self {
        case .host(let name):
            "This hub is not known as `\(Self.shortened(name))`; where it should be, start it with the option "
                + "--origins, such as --origins https://\(Self.shortened(HostName(name).text))."
        case .page: "This page's origin is not allowed here; the hub's option --origins may list it."
        case .hiddenPage:
            "A GET that sends must show that no other page makes it: use POST, or add the header "
                + "`\(OriginRule.sendHeader): 1`."
        }
    }

    /// For the log; what a stranger sent is cut.
    static func shortened(_ text: String) -> String { String(decoding: text.utf8.prefix(255), as: UTF8.self) }
}
