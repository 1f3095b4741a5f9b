import Chat
import ChatProtocol
import Reactor
import Wire

/// One turn with a model behind HTTP, whichever API it speaks. Confined to its loop.
///
/// How it works: an attempt is a request with its own reader. Until the model's first token an attempt that fails for
/// a reason that may pass is made again after a wait; after it, never, since the answer would begin twice. One
/// deadline watches the model: set at the start for the first token, moved on by each one.
///
/// Invariant: while the run is not over it has a transfer under way or a retry scheduled, and always a deadline.
final class ModelRun {
    /// How long a complete answer waits for its connection to become free for the next request.
    private static let lingerSeconds = 0.25
    /// An error's body, in bytes, beyond which it is not kept.
    private static let errorBytesMax = 64 * 1024

    private let settings: ModelSettings
    private let request: HTTPRequest
    private let client: HTTPClient
    private let services: LoopServices
    private let deliver: (AgentEvent) -> Void

    private var transfer: HTTPTransfer?
    private let makeReader: () -> any ModelReader
    private var reader: any ModelReader
    private var reported: Usage?
    private var errorBody: [UInt8] = []
    private var failedAttempts = 0
    /// A first token has come: no attempt follows this one.
    private var hasSpoken: Bool { reader.tokenCount > 0 }
    private var isOver = false
    private var retryTimer: TimerID?
    private let deadline: Deadline

    init(
        _ request: HTTPRequest, _ settings: ModelSettings, client: HTTPClient, services: LoopServices,
        makeReader: @escaping () -> any ModelReader, deliver: @escaping (AgentEvent) -> Void
    ) {
        self.request = request
        self.settings = settings
        self.client = client
        self.services = services
        self.makeReader = makeReader
        self.deliver = deliver
        reader = makeReader()
        deadline = Deadline(services)
    }

    func start() {
        setDeadline(afterSeconds: settings.firstTokenTimeoutSeconds)
        attempt()
    }

    /// Closes the connection and forgets the timers; the run says nothing more.
    func close() {
        isOver = true
        transfer.map(client.close)
        transfer = nil
        retryTimer.map(services.cancel)
        retryTimer = nil
        deadline.cancel()
    }

    private func attempt() {
        retryTimer = nil
        reader = makeReader()
        errorBody = []
        transfer = client.send(request) { [weak self] in self?.receive($0) }
    }

    private func receive(_ event: HTTPEvent) {
        switch event {
        case .body(let status, let bytes) where (200..<300).contains(status): read(bytes)
        case .body(_, let bytes): errorBody += bytes.prefix(Self.errorBytesMax - errorBody.count)
        case .ended(let status, _) where (200..<300).contains(status): readEnd(isCut: false)
        case .ended(let status, let retryAfter): refused(status, retryAfterSeconds: retryAfter)
        case .failed(let failure): failed(failure)
        }
    }

    private func failed(_ failure: HTTPFailure) {
        switch failure {
        case .connectTimedOut:
            let limit = Deadline.text(ofSeconds: settings.connectTimeoutSeconds)
            retry(else: .failed(.agentTimeout, "no connection to the model's server within \(limit)"))
        case .notConnected(let reason):
            retry(else: .failed(.agentFailed, "the model's server cannot be reached: \(reason)"))
        case .cut: readEnd(isCut: true)
        case .tooLarge: fail(.tooLarge)
        }
    }
}

// MARK: - The answer

extension ModelRun {
    private func read(_ bytes: [UInt8]) {
        guard !reader.isDone else { return }
        var said: [AgentEvent] = []
        let tokenCount = reader.tokenCount
        do throws(ModelError) {
            try reader.read(bytes, into: &said)
            if reader.tokenCount > tokenCount { tokensCame(first: tokenCount == 0) }
            guard say(said), report() else { return }
            if reader.isDone { setDeadline(afterSeconds: Self.lingerSeconds) }
        } catch {
            if say(said) { fail(error) }
        }
    }

    private func readEnd(isCut: Bool) {
        var said: [AgentEvent] = []
        do throws(ModelError) {
            try reader.end(isCut: isCut, into: &said)
            if say(said) { finish() }
        } catch {
            if say(said) { fail(error) }
        }
    }

    /// Delivers events; false if one of them led to this run's end.
    private func say(_ events: [AgentEvent]) -> Bool {
        for event in events {
            deliver(event)
            if isOver { return false }
        }
        return true
    }

    private func finish() {
        end(.finished(reason: reader.finishReason ?? "stop"))
    }

    private func end(_ end: AgentEnd) {
        if report() { deliver(.ended(end)) }
    }

    /// Delivers what the model has reported since the last time, so that it is known of an answer that is stopped.
    private func report() -> Bool {
        guard let usage = reader.usage, usage != reported else { return !isOver }
        reported = usage
        return say([.usage(usage)])
    }
}

// MARK: - Failures

extension ModelRun {
    private func refused(_ status: Int, retryAfterSeconds: Int) {
        let object = (try? JSONValue(parsing: errorBody))?.object ?? JSONObject()
        let message = ErrorBody.message(of: object).map { ": \(publishable($0))" } ?? ""
        let end = AgentEnd.failed(.agentFailed, "the model's server answered \(status)\(message)")
        let mayPass = status == 408 || status == 429 || status >= 500
        if mayPass {
            retry(afterSeconds: Double(retryAfterSeconds), else: end)
        } else {
            self.end(end)
        }
    }

    /// Makes the request again after a wait, or ends the run if that was done often enough.
    private func retry(afterSeconds asked: Double = 0, else end: AgentEnd) {
        transfer.map(client.close)
        transfer = nil
        guard failedAttempts < settings.retries, asked <= ModelSettings.retryDelaySecondsMax else {
            return self.end(end)
        }
        let backOff = settings.retryDelaySeconds * Double(1 << min(failedAttempts, 16))
        failedAttempts += 1
        let delay = max(asked, min(backOff, ModelSettings.retryDelaySecondsMax))
        retryTimer = services.schedule(afterSeconds: delay) { [weak self] in self?.attempt() }
    }

    private func fail(_ error: ModelError) {
        var sentence = Self.sentence(for: error)
        var mayPass = error == .cut
        if case .reported(let message, let passes) = error {
            if !message.isEmpty { sentence += ": \(publishable(message))" }
            mayPass = passes
        }
        let end = AgentEnd.failed(.agentFailed, sentence)
        if mayPass, !hasSpoken {
            retry(else: end)
        } else {
            self.end(end)
        }
    }

    private static func sentence(for error: ModelError) -> String {
        switch error {
        case .malformed: "the model's server sent something that is not an answer"
        case .tooLarge: "the model's server sent more than an answer can hold"
        case .cut: "the connection to the model's server was cut before the answer was complete"
        case .reported: "the model's server reported an error"
        case .toolCallOutOfOrder: "the model's server sent the pieces of its tool calls out of order"
        case .toolCallTooLarge: "the model's tool call is larger than \(Limits.toolPayloadBytesMax) bytes"
        }
    }

    /// A server's own words, without the key, control characters or great length.
    private func publishable(_ message: String) -> String {
        Redaction.publishable(message, hiding: settings.apiKey)
    }
}

// MARK: - The deadline

extension ModelRun {
    private func setDeadline(afterSeconds seconds: Double) {
        deadline.set(afterSeconds: seconds) { [weak self] in self?.deadlineMet() }
    }

    private func tokensCame(first: Bool) {
        if first {
            setDeadline(afterSeconds: settings.stallTimeoutSeconds)
        } else {
            deadline.extend(afterSeconds: settings.stallTimeoutSeconds)
        }
    }

    private func deadlineMet() {
        if reader.isDone {
            finish()
        } else if hasSpoken {
            let limit = Deadline.text(ofSeconds: settings.stallTimeoutSeconds)
            end(.failed(.agentTimeout, "the model said nothing for \(limit)"))
        } else {
            let limit = Deadline.text(ofSeconds: settings.firstTokenTimeoutSeconds)
            end(.failed(.agentTimeout, "the model did not begin to answer within \(limit)"))
        }
    }
}
