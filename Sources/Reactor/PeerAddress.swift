import CLinux
import Glibc

/// An IPv4 or IPv6 address with a port. An IPv4 address that arrives mapped into IPv6 is held as IPv4, so that one
/// peer has one form.
public struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    /// Whether this is an IPv6 address.
    public let isIPv6: Bool
    /// The port, in the machine's byte order.
    public let port: UInt16
    /// The address in network order; IPv4 uses the first four bytes of `high`.
    private let high: UInt64
    private let low: UInt64

    /// Reads an IPv4 or IPv6 literal, or `localhost` (127.0.0.1); `nil` for anything else, since names need DNS and
    /// DNS would block.
    public init?(host: String, port: UInt16) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &four) == 1 {
            self.init(four, port: port)
        } else if inet_pton(AF_INET6, host, &six) == 1 {
            self.init(six, port: port)
        } else {
            return nil
        }
    }

    private init(_ address: in_addr, port: UInt16) {
        isIPv6 = false
        high = UInt64(address.s_addr)
        low = 0
        self.port = port
    }

    private init(_ address: in6_addr, port: UInt16) {
        let words = withUnsafeBytes(of: address) {
            ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        // ::ffff:0:0/96 (RFC 4291 section 2.5.5.2)
        let isMapped = words.0 == 0 && UInt32(truncatingIfNeeded: words.1) == UInt32(bigEndian: 0xffff)
        isIPv6 = !isMapped
        high = isMapped ? words.1 >> 32 : words.0
        low = isMapped ? 0 : words.1
        self.port = port
    }

    /// The address alone, as text: `127.0.0.1`, `::1`.
    public var host: String {
        var words = (high, low)
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(isIPv6 ? AF_INET6 : AF_INET, &words, &text, socklen_t(text.count))
        return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    /// The address with its port: `127.0.0.1:8080`, `[::1]:8080`.
    public var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension PeerAddress {
    init(_ storage: sockaddr_storage) {
        var storage = storage
        if Int32(storage.ss_family) == AF_INET6 {
            let address = withUnsafeBytes(of: &storage) { $0.load(as: sockaddr_in6.self) }
            self.init(address.sin6_addr, port: UInt16(bigEndian: address.sin6_port))
        } else {
            let address = withUnsafeBytes(of: &storage) { $0.load(as: sockaddr_in.self) }
            self.init(address.sin_addr, port: UInt16(bigEndian: address.sin_port))
        }
    }

    var family: Int32 { isIPv6 ? AF_INET6 : AF_INET }

    /// Lends the kernel's form of the address.
    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) {
                $0.storeBytes(of: high, as: UInt64.self)
                $0.storeBytes(of: low, toByteOffset: 8, as: UInt64.self)
            }
            return lend(&address, body)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(truncatingIfNeeded: high)
        return lend(&address, body)
    }

    private func lend<Address, Result>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
        }
    }
}
