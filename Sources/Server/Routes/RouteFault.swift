import ChatProtocol

/// Why a request was refused: by the hub, or by HTTP before it reached the hub.
enum RouteFault: Error, Equatable {
    case hub(HubError)
    case noSuchRoute
    case methodNotAllowed(allow: [String])
    case unsupportedMediaType
    case malformedRequest
    case bodyTooLarge(bytesMax: Int)
    case headTooLarge(bytesMax: Int)

    var status: Int {
        switch self {
        case .hub(let error): error.code.httpStatus
        case .noSuchRoute: 404
        case .methodNotAllowed: 405
        case .unsupportedMediaType: 415
        case .malformedRequest: 400
        case .bodyTooLarge: 413
        case .headTooLarge: 431
        }
    }

    /// The hub's codes, and HTTP's own reason where the hub has none.
    var code: String {
        switch self {
        case .hub(let error): error.code.rawValue
        case .noSuchRoute: ErrorCode.notFound.rawValue
        case .methodNotAllowed: "METHOD_NOT_ALLOWED"
        case .unsupportedMediaType: "UNSUPPORTED_MEDIA_TYPE"
        case .malformedRequest: ErrorCode.validationError.rawValue
        case .bodyTooLarge: "CONTENT_TOO_LARGE"
        case .headTooLarge: "REQUEST_HEADER_FIELDS_TOO_LARGE"
        }
    }

    var message: String {
        switch self {
        case .hub(let error): error.message
        case .noSuchRoute: "There is nothing at this path."
        case .methodNotAllowed(let allow): "This path allows \(allow.joined(separator: ", "))."
        case .unsupportedMediaType: "The body must be JSON, with `Content-Type: application/json`."
        case .malformedRequest: "This is not a well-formed HTTP/1.1 request."
        case .bodyTooLarge(let bytesMax): "The body must be at most \(bytesMax) bytes."
        case .headTooLarge(let bytesMax): "The request line and headers must be at most \(bytesMax) bytes."
        }
    }

    var headers: [(name: String, value: String)] {
        switch self {
        case .hub(let error):
            guard [429, 503].contains(error.code.httpStatus) else { return [] }
            // Whole seconds, rounded up (RFC 9110 section 10.2.3); a second where the hub knows no better.
            let milliseconds = error.retryAfterMilliseconds ?? 1000
            return [("Retry-After", String(max(1, (milliseconds + 999) / 1000)))]
        case .methodNotAllowed(let allow): return [("Allow", allow.joined(separator: ", "))]
        case .noSuchRoute, .unsupportedMediaType, .malformedRequest, .bodyTooLarge, .headTooLarge: return []
        }
    }
}
