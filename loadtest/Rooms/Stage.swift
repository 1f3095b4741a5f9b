import ChatProtocol

/// Where a scenario plays: a hub, or the C floor beside it.
protocol Stage: AnyObject {
    var tally: Tally { get }
    /// The most bytes that one answer may have.
    var answerBytesMax: Int { get }
    /// Makes rooms, each with so many watchers, all of whom have joined.
    func open(rooms: Int, watchers: Int) throws(Failure) -> [Room]
    /// Asks for an answer.
    func begin(_ script: SyntheticScript, in room: Room, isTimed: Bool) -> Exchange
    /// Lets more tokens of an answer be said.
    func release(_ count: Int, of exchange: Exchange, in room: Room)
    /// Stops what runs, waits until every watcher has everything, and checks what is stored.
    func close(_ rooms: [Room]) throws(Failure)
}
