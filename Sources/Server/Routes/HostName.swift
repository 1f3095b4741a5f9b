import Reactor
import Wire

/// The host of a `Host` header or of a target's authority (RFC 9110 section 7.2), without its port.
struct HostName: Sendable, Equatable {
    /// In lower case, without the dot at a full name's end; an IPv6 address keeps its brackets.
    let text: String
    /// An address or `localhost`: what no name server can point elsewhere.
    let isAddress: Bool
    /// 127.0.0.0/8, `[::1]` or `localhost`, written like this: there browsers say by `Sec-Fetch-Site` who asks,
    /// although the connection is plain (W3C Secure Contexts section 3.1).
    let isLoopback: Bool

    /// Reads a host with or without a port. What is neither a name nor an address is a name that nobody lists.
    init(_ authority: String) {
        let host = Self.withoutPort(authority.lowercased())
        text = host.hasSuffix(".") ? String(host.dropLast()) : host
        let address = Self.address(text)
        isAddress = address != nil
        let isBracketed = host.hasPrefix("[")
        isLoopback =
            text == host
            && address.map { isBracketed ? $0.isIPv6 && $0.host == "::1" : $0.host.hasPrefix("127.") } == true
    }

    private static func withoutPort(_ authority: String) -> String {
        guard let colon = authority.lastIndex(of: ":"),
            authority[colon...].dropFirst().utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return authority }
        return String(authority[..<colon])
    }

    /// An IPv6 address stands in brackets (RFC 3986 section 3.2.2), perhaps with a zone (RFC 6874).
    private static func address(_ host: String) -> PeerAddress? {
        guard host.hasPrefix("["), host.hasSuffix("]") else {
            return host.contains(":") ? nil : PeerAddress(host: host, port: 0)
        }
        let inner = String(host.dropFirst().dropLast().prefix { $0 != "%" })
        return inner.contains(":") ? PeerAddress(host: inner, port: 0) : nil
    }
}
