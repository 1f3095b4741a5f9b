import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Orders of events that once went wrong; the simulator found each of them.
@Suite struct RaceTests {
    private func smallTail(_ bytes: Int = 600) -> Limits {
        var limits = Limits()
        limits.logTailBytesMax = bytes
        return limits
    }

    /// A user whose home is a loop.
    private func user(homeOn loop: Int, in world: HubWorld) -> String {
        (0...).lazy.map { "user_\($0)" }.first { world.home(of: $0) == loop } ?? ""
    }

    private func fill(_ room: String, by writer: TestClient) {
        for index in 0..<10 { writer.send(room, "message \(index) for a log that is too short", key: "fill\(index)") }
    }

    // MARK: - Sockets

    @Test func whoLeavesIsNotBroughtBackByASnapshot() {
        let world = HubWorld(loops: 2, limits: smallTail())
        let room = world.room(homeOn: 1)
        // The `leave` of this user reaches the room before the wish for a snapshot that its loop sends after it.
        let reader = world.connect(user(homeOn: 0, in: world), loop: 0)
        reader.join(room)
        reader.read(0)
        fill(room, by: world.connect("bob", loop: 1))
        reader.post("leave", ["room_id": .string(room), "id": "l1"])
        reader.budget = .max
        reader.pump()
        world.finishTurn(0)
        world.run()
        #expect(reader.answer(to: "l1").text("for") == "leave")
        #expect(reader.all("joined").count == 1)
        #expect(world.hubs[1].rooms[RoomID(room)]?.links.isEmpty == true)
        world.expectConsistent()
    }

    @Test func aReplyThatWaitedForTheLogGoesWithIt() {
        let world = HubWorld(loops: 1)
        world.agentsConfirm = false
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        client.read(0)
        world.say(world.lastStream, "word ")
        client.postCancel(world.lastStream)
        client.read(.max)
        #expect(client.last("ack").text("state") == "accepted")
        #expect(client.text(world.lastStream) == "word ")
    }

    @Test func aSnapshotIsAskedForBehindTheReplies() {
        let world = HubWorld(loops: 1, limits: smallTail())
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.read(0)
        fill(room, by: world.connect("bob"))
        client.post("ping", [:])
        client.read(.max)
        #expect(client.last("joined")["id"] == nil)
        #expect(client.rooms[room]?.position.seq == world.hubs[0].rooms[RoomID(room)]?.log.seq)
        world.expectConsistent()
    }

    @Test func nothingOfARoomComesBeforeItsJoined() {
        let world = HubWorld(loops: 1)
        world.agentsConfirm = false
        let room = world.room()
        let first = world.connect()
        first.join(room)
        let position = first.rooms[room]?.position ?? LogPosition(epoch: "", seq: 0)
        world.disconnect(first)
        world.connect("bob").send(room, "hello", key: "m1")
        world.say(world.lastStream, "word ")
        let back = world.connect()
        back.inherit(first)
        back.read(0)
        back.postCancel(world.lastStream)
        back.join(room, after: position)
        back.read(.max)
        #expect(back.last("joined")["recovered"] == true)
        #expect(back.last("ack").text("state") == "accepted")
        #expect(world.violations == [])
    }

    // MARK: - The history read anew

    private func isReload(_ request: StorageRequest) -> Bool {
        if case .loadRoom = request { true } else { false }
    }

    /// A mark at an exchange that the home does not know makes it read the history again.
    private func makeReload(_ world: HubWorld, _ client: TestClient, _ room: String) {
        world.storeAnswers = false
        client.post("read", ["room_id": .string(room), "exchange_id": "exchange_of_long_ago"])
        world.run()
        world.answerFirst { if case .markRead = $0 { true } else { false } }
        world.beginReads(isReload)
    }

    @Test func whatEndedWhileTheHistoryWasReadHasEndedInIt() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        makeReload(world, client, room)
        world.say(world.lastStream, "all of it")
        world.finish(world.lastStream)
        world.answerFirst { if case .finishExchange = $0 { true } else { false } }
        world.answerFirst(isReload)
        world.releaseStore()
        let history = client.join(room)["history"]?.array?.compactMap(\.object) ?? []
        #expect(history.map { $0.text("status") } == ["completed"])
        #expect(history.map { $0.text("text") } == ["all of it"])
    }

    @Test func whatWasRemovedWhileTheHistoryWasReadStaysRemoved() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.finish(world.lastStream)
        makeReload(world, client, room)
        client.post("clear-history", ["room_id": .string(room)])
        world.run()
        world.answerFirst { if case .clearHistory = $0 { true } else { false } }
        world.answerFirst(isReload)
        #expect(client.join(room)["history"]?.array?.count == 0)
        world.releaseStore()
        #expect(client.join(room)["history"]?.array?.count == 0)
    }

    @Test func aHistoryReadAnewKeepsItsOrder() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        let most = world.limits.snapshotExchangesMax
        for index in 0...most {
            client.send(room, "q\(index)", key: "m\(index)")
            if index < most { world.finish(world.lastStream) }
        }
        makeReload(world, client, room)
        world.releaseStore()
        client.join(room)
        #expect(client.rooms[room]?.messages == (1...most).map { "q\($0)" })
    }

    // MARK: - Messages again

    @Test(arguments: [true, false]) func aRepetitionInAClosedSessionIsStillOne(_ responds: Bool) {
        let world = HubWorld(loops: 2)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        let session = client.openSession(room)
        let more: JSONObject = ["session_id": .string(session), "respond": .bool(responds)]
        let sent = client.send(room, "hello", key: "m1", more)
        if responds { world.finish(world.lastStream) }
        client.ask("close-session", ["session_id": .string(session)])
        let again = client.send(room, "hello", key: "m1", more)
        #expect(again["duplicate"] == true)
        #expect(again.text("exchange_id") == sent.text("exchange_id"))
        #expect(client.send(room, "new", key: "m2", more).text("code") == "NOT_FOUND")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func whatWasNotStoredIsNotInterrupted() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        world.storeAnswers = false
        client.postSend(room, "lost", key: "m1")
        client.postSend(room, "stored", key: "m2", ["if_busy": "interrupt"])
        world.run()
        let isInsertion = { (request: StorageRequest) in if case .insertMessage = request { true } else { false } }
        world.store.fails = isInsertion
        world.answerFirst(isInsertion)
        world.store.fails = { _ in false }
        world.releaseStore()
        #expect(client.answer(to: "m1").text("code") == "STORAGE_UNAVAILABLE")
        world.finish(client.answer(to: "m2").text("stream_id"))
        #expect(client.last("stream-ended").text("status") == "completed")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    /// The room is in memory and the session is not.
    private func restarted() -> (HubWorld, TestClient, String, String) {
        let before = HubWorld(loops: 1)
        let room = before.room()
        let session = before.connect().openSession(room)
        let world = HubWorld(loops: 1, seed: 2, before: before)
        let client = world.connect()
        client.join(room)
        world.storeAnswers = false
        return (world, client, room, session)
    }

    @Test(arguments: [true, false]) func aCancelDoesNotOvertakeASendThatLooksForItsSession(_ byMessage: Bool) {
        let (world, client, room, session) = restarted()
        client.postSend(room, "hello", key: "m1", ["session_id": .string(session)])
        client.post(
            "cancel",
            byMessage
                ? ["id": "c1", "room_id": .string(room), "message_id": "m1"]
                : ["id": "c1", "session_id": .string(session)])
        world.run()
        world.releaseStore()
        #expect(client.answer(to: "c1").text("state") == "accepted")
        #expect(client.last("stream-ended").text("status") == "cancelled")
        #expect(world.agents.isEmpty)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func sendsKeepTheirOrderWhileTheirSessionIsLookedUp() {
        let (world, client, room, session) = restarted()
        for word in ["one", "two", "three"] {
            client.postSend(room, word, key: word, ["session_id": .string(session)])
        }
        world.run()
        #expect(world.requestsHeld.count == 1)
        world.releaseStore()
        #expect(client.rooms[room]?.messages == ["one", "two", "three"])
        client.ask("cancel", ["room_id": .string(room)])
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test func aSessionThatIsMetMeanwhileLetsNothingOvertake() {
        let (world, client, room, session) = restarted()
        world.request(.getSession(SessionID(session)))
        client.postSend(room, "one", key: "m1", ["session_id": .string(session)])
        world.run()
        world.answerFirst { if case .findSession = $0 { true } else { false } }
        client.postSend(room, "two", key: "m2", ["session_id": .string(session)])
        world.run()
        world.releaseStore()
        #expect(client.rooms[room]?.messages == ["one", "two"])
        client.ask("cancel", ["room_id": .string(room)])
        world.expectConsistent()
    }

    @Test func whatEndedWhileAContextWasReadIsRemembered() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let client = world.connect()
        client.join(room)
        let isContext = { (request: StorageRequest) in if case .context = request { true } else { false } }
        world.storeAnswers = false
        client.postSend(room, "one", key: "m1")
        world.run()
        world.answerFirst { if case .insertMessage = $0 { true } else { false } }
        world.beginReads(isContext)
        world.connect("bob").postSend(room, "two", key: "m2")
        world.run()
        world.answerFirst { if case .insertMessage = $0 { true } else { false } }
        world.clients.last?.post("cancel", ["room_id": .string(room), "message_id": "m2"])
        world.run()
        world.answerFirst { if case .finishExchange = $0 { true } else { false } }
        world.releaseStore()
        world.finish(world.lastStream)
        client.send(room, "three", key: "m3")
        #expect(Set(world.agents.last?.context.map(\.text) ?? []) == ["one", "two"])
        world.finish(world.lastStream)
        world.expectConsistent()
    }

    // MARK: - Event streams

    @Test func nobodyWaitsForATurnThatIsARepetition() {
        let before = HubWorld(loops: 1)
        let room = before.room()
        before.connect().send(room, "hello", key: "m1")
        before.finish(before.lastStream)
        let world = HubWorld(loops: 1, seed: 2, before: before)
        let client = world.connect()
        client.join(room)
        world.storeAnswers = false
        client.postSend(room, "hello", key: "m1")
        let reader = world.watch("session_\(Slot(of: room).hex)default")
        #expect(reader.isEmpty)
        world.releaseStore()
        #expect(client.answer(to: "m1")["duplicate"] == true)
        world.expectConsistent()
    }

    @Test func theReaderOfAnEndedAnswerIsNotTakenForAnothersReader() {
        let before = HubWorld(loops: 1)
        let room = before.room()
        let session = "session_\(Slot(of: room).hex)default"
        let ended = before.connect().send(room, "hello", key: "m1").text("stream_id")
        before.say(ended, "the first answer")
        before.finish(ended)
        let world = HubWorld(loops: 1, seed: 2, before: before)
        let client = world.connect()
        client.join(room)
        client.send(room, "and now?", key: "m2")
        world.say(world.lastStream, "another answer")
        let reader = world.watch(session, stream: ended)
        #expect(reader.text == "the first answer")
        #expect(reader.status == "completed")
        let cutOff = world.watch(session, after: (reader, reader.events.first))
        #expect(cutOff.text == "the first answer" && cutOff.status == "completed")
        #expect(world.watch(session, after: (reader, nil)).isEmpty)
        world.expectConsistent()
    }

    @Test func whoLostItsPlaceIsNotTakenForAnothersReader() {
        let world = HubWorld(loops: 1, limits: smallTail(200))
        let room = world.room()
        let session = "session_\(Slot(of: room).hex)default"
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.say(world.lastStream, "word ")
        let reader = world.watch(session)
        world.endWatching(reader)
        for index in 0..<20 {
            client.ask("update-room", ["room_id": .string(room), "room_name": .string("n\(index)")])
        }
        let lost = world.watch(session, after: (reader, nil))
        #expect(lost.isLost)
        #expect(world.watch(session, after: (lost, nil)).isEmpty)
        world.expectConsistent()
    }

    @Test func aReaderWithoutNewsIsToldThatItsPlaceIsLost() {
        let world = HubWorld(loops: 1)
        let room = world.room()
        let session = "session_\(Slot(of: room).hex)default"
        let client = world.connect()
        client.join(room)
        client.send(room, "hello", key: "m1")
        world.say(world.lastStream, "word ")
        let reader = world.watch(session)
        world.endWatching(reader)
        let back = world.watch(session, after: (reader, nil), budget: 0)
        world.finish(world.lastStream)
        client.ask("clear-history", ["room_id": .string(room)])
        back.read(.max)
        #expect(back.isLost)
        world.expectConsistent()
    }
}

extension RaceTests {
    @Test func whatWasLeftOutOfTheHistoryDoesNotStandBehindAGap() {
        func ended(_ number: Int) -> ExchangeRecord {
            var exchange = ExchangeRecord(
                exchangeID: ExchangeID("\(number)"), streamID: StreamID(""), roomID: RoomID("r"),
                sessionID: SessionID("s"), userID: UserID("ann"), agentType: "guide",
                startedAt: Timestamp(milliseconds: 0))
            exchange.text = String(repeating: "x", count: number == 1 ? 1 : Limits.snapshotBytesMax * 2 / 3)
            return exchange
        }
        var history = RoomHistory(exchangesMax: 20)
        history.insert(ended(2), commit: 2)
        history.insert(ended(3), commit: 3)
        #expect(history.exchanges.map(\.exchangeID.text) == ["3"], "two are too large together")
        history.insert(ended(1), commit: 1)
        #expect(history.exchanges.map(\.exchangeID.text) == ["3"])
        #expect(history.nextBefore?.text == "3")
    }
}
