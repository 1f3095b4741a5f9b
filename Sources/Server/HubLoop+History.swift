import Chat
import ChatProtocol
import Reactor
import Wire

/// How far the answer to a request for a page of history has come. Confined to its loop.
final class HistoryAnswer {
    let filter: HistoryFilter
    let limit: Int
    let offset: Int
    let user: UserID
    /// From the first part on.
    private(set) var page: HistoryPage?
    /// The head was sent: what fails from here on cuts the body short.
    var hasBegun = false

    init(_ filter: HistoryFilter, limit: Int, offset: Int, user: UserID) {
        (self.filter, self.limit, self.offset, self.user) = (filter, limit, offset, user)
    }

    var heldBytes: Int { page?.heldBytes ?? 0 }
    /// All of it has left.
    var isOver: Bool { page?.isOver ?? false }
    /// What is to be asked for next: the first part, or the one behind what is here.
    var request: ClientRequest? {
        guard let page else { return .historyPage(filter, limit: limit, offset: offset) }
        return page.rest(of: filter).map { .historyPage($0.filter, limit: $0.limit, offset: 0) }
    }

    func add(_ exchanges: [ExchangeRecord], total: Int?, next: Int64?, at now: Timestamp) {
        if page == nil { page = HistoryPage(limit: limit, offset: offset, total: total ?? 0, at: now) }
        page?.add(exchanges, next: next)
    }

    func takePiece() -> [UInt8] { page?.takePiece() ?? [] }
}

// Pages of history. One that is short is a response like any other. A longer one leaves in chunks (RFC 9112 section
// 7.1), or for HTTP/1.0 up to the connection's end: a piece is made when the kernel has taken the one before, and the
// store is asked for the next rows when all pieces have left. The pages of a loop take turns, so that a few that are
// read fast keep nobody else waiting.
extension HubLoop {
    /// Pieces that are made in one turn of the loop.
    private static let piecesPerTurn = 4

    /// A socket's page needs rows.
    func readHistory(for socket: Socket) {
        historyReads.wait(socket.id)
        startHistoryReads()
    }

    func startHistoryReads() {
        while let id = historyReads.take() {
            guard let socket = socket(id), case .http(let stage) = socket.stage, let answer = stage.pending?.history,
                let request = answer.request
            else { continue }
            let question = nextQuestion(socket, stage)
            historyReads.began(question)
            hub.request(request, user: answer.user, from: question, now: now)
        }
    }

    /// The store has read the next rows, or the room's home has refused.
    func advance(
        _ answer: HistoryAnswer, _ result: Result<Ack, HubError>, on socket: Socket, _ stage: HTTPStage,
        _ pending: PendingRequest
    ) {
        switch result {
        case .success(.historyPage(let exchanges, let total, let next)):
            answer.add(exchanges, total: total, next: next, at: now.timestamp)
        case .success: preconditionFailure("an acknowledgement of another request")
        case .failure(let error): return fail(answer, error, on: socket, pending)
        }
        guard account(socket) else { return fail(answer, .connectionMemoryFull, on: socket, pending) }
        guard !answer.hasBegun else { return writeLater(socket) }
        let first = answer.takePiece()
        guard !answer.isOver else { return finish(HTTPResponse(status: 200, json: first), on: socket) }
        begin(answer, with: first, on: socket, stage, pending)
    }

    private func begin(
        _ answer: HistoryAnswer, with first: [UInt8], on socket: Socket, _ stage: HTTPStage, _ pending: PendingRequest
    ) {
        answer.hasBegun = true
        if pending.version == .http10 { stage.pending?.keepsAlive = false }
        let head = HTTPResponseWriter.streamHead(
            HTTPResponse(status: 200, json: []).head.adding(pending.sharing), date: now.timestamp,
            version: pending.version,
            keepAlive: pending.keepsAlive)
        guard pending.wantsBody else {
            end(on: socket, stage)
            return send(head, on: socket)
        }
        send(head + framed(first, pending.version), on: socket)
    }

    /// There is no way to take back a response that has begun: its reader learns from the missing end that it failed.
    private func fail(_ answer: HistoryAnswer, _ error: HubError, on socket: Socket, _ pending: PendingRequest) {
        guard answer.hasBegun else {
            return finish(Envelope.refusal(.hub(error), at: now.timestamp, path: pending.path), on: socket)
        }
        forget(socket)
        loop.reset(socket.id)
    }

    /// The kernel has taken a piece; the next one waits for its turn.
    func writeLater(_ socket: Socket) {
        if pagesToWrite.isEmpty { loop.mailbox.post(.writePages) }
        pagesToWrite.append(socket.id)
    }

    func writePages() {
        var waiting: [ConnectionID] = []
        swap(&waiting, &pagesToWrite)
        for id in waiting.prefix(Self.piecesPerTurn) {
            if let socket = socket(id), case .http(let stage) = socket.stage, let pending = stage.pending {
                writePiece(of: pending, on: socket, stage)
            }
        }
        let rest = waiting.dropFirst(Self.piecesPerTurn)
        guard !rest.isEmpty else { return }
        if pagesToWrite.isEmpty { loop.mailbox.post(.writePages) }
        pagesToWrite = rest + pagesToWrite
    }

    private func writePiece(of pending: PendingRequest, on socket: Socket, _ stage: HTTPStage) {
        guard let answer = pending.history, answer.hasBegun else { return }
        let piece = answer.takePiece()
        if answer.isOver {
            end(on: socket, stage)
            let last = pending.version == .http11 ? HTTPResponseWriter.lastChunk : []
            send(framed(piece, pending.version) + last, on: socket)
        } else if !piece.isEmpty {
            send(framed(piece, pending.version), on: socket)
        } else {
            readHistory(for: socket)
        }
    }

    /// Only what is still unsent is left of the request.
    private func end(on socket: Socket, _ stage: HTTPStage) {
        if stage.pending?.keepsAlive == false { socket.closesWhenSent = true }
        stage.pending = nil
    }

    private func framed(_ piece: [UInt8], _ version: HTTPVersion) -> [UInt8] {
        guard version == .http11 else { return piece }
        var chunk: [UInt8] = []
        HTTPResponseWriter.chunk(piece, into: &chunk)
        return chunk
    }
}
