import ChatProtocol
import Wire

/// Why a request was refused: by the hub, or by HTTP before it reached the hub.
enum RouteFault: Error, Equatable {
    case hub(HubError)
    case noSuchRoute
    case methodNotAllowed(allow: [String])
    case unsupportedMediaType
    /// The bytes were no request, or too many.
    case unreadable(HTTPParseError)
    /// The page behind the request, or the name it was sent to, is not allowed.
    case origin(OriginRefusal)

    var status: Int {
        switch self {
        case .hub(let error): error.code.httpStatus
        case .noSuchRoute: 404
        case .methodNotAllowed: 405
        case .unsupportedMediaType: 415
        case .unreadable(let error): error.status
        case .origin(let refusal): refusal.status
        }
    }

    /// The hub's codes, and HTTP's own reason where the hub has none.
    var code: String {
        switch self {
        case .hub(let error): error.code.rawValue
        case .noSuchRoute: ErrorCode.notFound.rawValue
        case .methodNotAllowed: "METHOD_NOT_ALLOWED"
        case .unsupportedMediaType: "UNSUPPORTED_MEDIA_TYPE"
        case .unreadable(let error):
            switch error.status {
            case 413: ErrorCode.messageTooLarge.rawValue
            case 501: ErrorCode.notImplemented.rawValue
            default: ErrorCode.validationError.rawValue
            }
        case .origin(.host): "MISDIRECTED_REQUEST"
        case .origin(.page), .origin(.hiddenPage): ErrorCode.accessDenied.rawValue
        }
    }

    var message: String {
        switch self {
        case .hub(let error): error.message
        case .noSuchRoute: "There is nothing at this path."
        case .methodNotAllowed(let allow): "This path allows \(allow.joined(separator: ", "))."
        case .unsupportedMediaType: "The body must be JSON, with `Content-Type: application/json`."
        case .unreadable(let error): "The request cannot be read: \(error.reason)."
        case .origin(let refusal): refusal.message
        }
    }

    var headers: HTTPHeaders {
        switch self {
        case .hub(let error):
            guard [429, 503].contains(error.code.httpStatus) else { return [:] }
            // Whole seconds, rounded up (RFC 9110 section 10.2.3); a second where the hub knows no better.
            let milliseconds = error.retryAfterMilliseconds ?? 1000
            return ["Retry-After": String(max(1, (milliseconds + 999) / 1000))]
        case .methodNotAllowed(let allow): return ["Allow": allow.joined(separator: ", ")]
        case .noSuchRoute, .unsupportedMediaType, .unreadable, .origin: return [:]
        }
    }
}
