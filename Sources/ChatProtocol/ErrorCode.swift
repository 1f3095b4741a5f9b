/// Every error code of `hubbub.v1` and its HTTP status.
public enum ErrorCode: String, Sendable, CaseIterable {
    case invalidJSON = "INVALID_JSON"
    case validationError = "VALIDATION_ERROR"
    case unknownFrame = "UNKNOWN_FRAME"
    case unauthenticated = "UNAUTHENTICATED"
    case accessDenied = "ACCESS_DENIED"
    case notFound = "NOT_FOUND"
    case streamActive = "STREAM_ACTIVE"
    case idempotencyConflict = "IDEMPOTENCY_CONFLICT"
    case messageTooLarge = "MESSAGE_TOO_LARGE"
    case roomLimitExceeded = "ROOM_LIMIT_EXCEEDED"
    case rateLimitExceeded = "RATE_LIMIT_EXCEEDED"
    case queueFull = "QUEUE_FULL"
    case streamLimitExceeded = "STREAM_LIMIT_EXCEEDED"
    case agentFailed = "AGENT_FAILED"
    case agentTimeout = "AGENT_TIMEOUT"
    case busy = "BUSY"
    case capacityExceeded = "CAPACITY_EXCEEDED"
    case storageUnavailable = "STORAGE_UNAVAILABLE"
    case draining = "DRAINING"
    case notImplemented = "NOT_IMPLEMENTED"
    case internalError = "INTERNAL_ERROR"

    /// Whether it says that a limit of the hub was hit.
    public var isLimit: Bool {
        switch self {
        case .messageTooLarge, .roomLimitExceeded, .rateLimitExceeded, .queueFull, .streamLimitExceeded, .busy,
            .capacityExceeded:
            true
        case .invalidJSON, .validationError, .unknownFrame, .unauthenticated, .accessDenied, .notFound, .streamActive,
            .idempotencyConflict, .agentFailed, .agentTimeout, .storageUnavailable, .draining, .notImplemented,
            .internalError:
            false
        }
    }

    /// The HTTP status that carries this code.
    public var httpStatus: Int {
        switch self {
        case .invalidJSON, .validationError, .unknownFrame, .roomLimitExceeded: 400
        case .unauthenticated: 401
        case .accessDenied: 403
        case .notFound: 404
        case .streamActive, .idempotencyConflict: 409
        case .messageTooLarge: 413
        case .rateLimitExceeded, .queueFull, .streamLimitExceeded: 429
        case .internalError: 500
        case .notImplemented: 501
        case .agentFailed: 502
        case .busy, .capacityExceeded, .storageUnavailable, .draining: 503
        case .agentTimeout: 504
        }
    }
}

/// A refusal: the code for programs, the sentence for people.
public struct HubError: Error, Sendable, Equatable {
    /// What went wrong, decidable.
    public let code: ErrorCode
    /// One sentence that says what to do; never a token, a message's text or a stack trace.
    public let message: String
    /// When trying again makes sense, in milliseconds from now.
    public let retryAfterMilliseconds: Int?

    /// A refusal with its sentence.
    public init(_ code: ErrorCode, _ message: String, retryAfterMilliseconds: Int? = nil) {
        self.code = code
        self.message = message
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }
}
