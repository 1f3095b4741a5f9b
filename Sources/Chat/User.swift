import ChatProtocol
import Wire

/// A user's home: the registry of its sockets and its stream permits. Confined to its loop.
final class User {
    let id: UserID
    private(set) var sockets: [ConnectionRef] = []
    private(set) var permitsTaken = 0

    init(id: UserID) { self.id = id }

    /// Nothing is held for this user any more.
    var isIdle: Bool { sockets.isEmpty && permitsTaken == 0 }

    /// Registers a socket, or returns `false` when the user has as many as may be.
    func open(_ socket: ConnectionRef, max: Int) -> Bool {
        guard sockets.count < max else { return false }
        sockets.append(socket)
        return true
    }

    func close(_ socket: ConnectionRef) { sockets.removeAll { $0 == socket } }

    /// Takes a stream permit if one is free.
    func takePermit(max: Int) -> Bool {
        guard permitsTaken < max else { return false }
        permitsTaken += 1
        return true
    }

    func returnPermit() {
        precondition(permitsTaken > 0, "a permit was returned twice")
        permitsTaken -= 1
    }
}
