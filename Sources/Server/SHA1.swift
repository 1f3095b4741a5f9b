import COpenSSL

/// SHA-1 (RFC 3174), which the WebSocket handshake asks for.
enum SHA1 {
    static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 20)
        let result = EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha1(), nil)
        precondition(result == 1, "SHA-1 is always there")
        return digest
    }
}
