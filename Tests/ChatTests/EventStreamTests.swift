import ChatProtocol
import Testing
import Wire

@testable import Chat
@testable import ChatDoubles

/// Answers as event streams: one text, whatever happens to the reader.
@Suite struct EventStreamTests {
    private func start(_ loops: Int, limits: Limits = Limits()) -> (HubWorld, String, TestClient, String) {
        let world = HubWorld(loops: loops, limits: limits)
        let room = world.room()
        let client = world.connect(loop: loops - 1)
        client.join(room)
        return (world, room, client, client.openSession(room))
    }

    private func send(_ client: TestClient, _ room: String, _ session: String, _ text: String) -> String {
        client.send(room, text, key: text, ["session_id": .string(session)]).text("stream_id")
    }

    @Test(arguments: [1, 2, 3]) func allReadersGetTheStoredText(_ loops: Int) {
        let (world, room, client, session) = start(loops)
        let other = world.connect("bob", loop: 0)
        other.join(room)
        let stream = send(client, room, session, "hello")
        let early = world.watch(session, stream: stream, loop: 0)
        #expect(early.hasBegun && early.events.count == 1)
        let first = early.events.first?.data ?? [:]
        #expect(first.text("session_id") == session && first.text("room_id") == room)
        #expect(first.text("stream_id") == stream && first["content"] == "")
        #expect(early.position?.epoch == client.rooms[room]?.epoch)
        world.say(stream, "wörds ")
        let late = world.watch(session, loop: loops - 1)
        world.agent(stream, .reasoning(Array("hm".utf8)))
        world.say(stream, "\"and\"\nmore")
        world.finish(stream)
        for reader in [early, late] {
            #expect(reader.text == "wörds \"and\"\nmore")
            #expect(reader.status == "completed" && reader.connection?.isOver == true)
            #expect(reader.position == client.rooms[room]?.position)
        }
        #expect([client, other].allSatisfy { $0.text(stream) == early.text })
        let afterwards = world.watch(session, stream: stream, loop: 0)
        #expect(afterwards.text == early.text && afterwards.status == "completed")
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2, 3], [true, false]) func aResumeGetsExactlyTheRest(_ loops: Int, _ ends: Bool) {
        let (world, room, client, session) = start(loops)
        let before = send(client, room, session, "before")
        world.say(before, "of another")
        world.finish(before)
        let stream = send(client, room, session, "hello")
        let whole = world.watch(session, loop: loops - 1)
        let noise = client.send(room, "noise", key: "noise").text("stream_id")
        for index in 0..<5 {
            world.say(stream, "word \(index) ")
            world.say(noise, "noise ")
        }
        world.finish(noise)
        client.send(room, "waits", key: "waits", ["session_id": .string(session)])
        let events = whole.events
        if ends { world.finish(stream) }
        let back = events.enumerated().map { world.watch(session, loop: $0.offset % loops, after: (whole, $0.element)) }
        for reader in back { #expect(reader.text == "word 0 word 1 word 2 word 3 word 4 ") }
        world.say(ends ? world.lastStream : stream, "end")
        if !ends { world.finish(stream) }
        for reader in back {
            #expect(reader.text == whole.text && reader.status == "completed")
            #expect(!reader.events.contains { $0.data["stream_id"] != nil }, "names come once")
        }
        let read = world.watch(session, loop: 0, after: (whole, nil))
        #expect(read.isEmpty && !read.hasBegun, "read to the end, though another answer runs")
        world.finish(world.lastStream)
        #expect(world.watch(session, loop: 0, after: (whole, nil)).isEmpty)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 2]) func aReaderCutAnywhereLosesNothing(_ loops: Int) {
        let (world, room, client, session) = start(loops)
        let stream = send(client, room, session, "hello")
        for index in 0..<20 { world.say(stream, "word \(index) ") }
        var parts: [EventReader] = []
        for bytes in stride(from: 0, to: 900, by: 60) {
            let reader = world.watch(session, loop: 0, budget: bytes)
            world.say(stream, "more ")
            world.endWatching(reader)
            parts.append(reader)
        }
        let back = parts.map { world.watch(session, loop: loops - 1, after: ($0, nil)) }
        world.finish(stream)
        for reader in back { #expect(reader.text == world.said[stream]) }
        world.expectConsistent()
    }

    @Test(arguments: [2, 3]) func whatALateAnswerSaysIsNotForTheConnectionsNextRequest(_ loops: Int) {
        let (world, room, client, session) = start(loops)
        let stream = send(client, room, session, "hello")
        world.say(stream, "one ")
        let other = client.openSession(room)
        let loop = (world.home(of: room) + 1) % loops
        let first = world.watch(session, loop: loop, running: false)
        world.endWatching(first)
        let second = world.watch(other, loop: loop, before: first.ref)
        #expect(!first.hasBegun && first.events.isEmpty, "it is gone")
        #expect(!second.hasBegun && second.events.isEmpty && second.isEmpty, "nothing runs in its session")
        let third = world.watch(session, loop: loop, before: second.ref)
        world.say(stream, "two")
        world.finish(stream)
        #expect(third.text == "one two" && third.status == "completed")
        #expect(second.events.isEmpty)
        world.expectConsistent()
        world.endWatching(second)
        world.endWatching(third)
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 3]) func whatWaitsIsReadFromItsStart(_ loops: Int) {
        let (world, room, client, session) = start(loops)
        let running = send(client, room, session, "one")
        world.say(running, "not mine ")
        let waiting = send(client, room, session, "two")
        let reader = world.watch(session, stream: waiting)
        #expect(reader.comments == 1 && reader.named == waiting && reader.text == "")
        let same = world.watch(session, stream: waiting)
        #expect(same.stream == "" && same.comments == 1)
        world.say(running, "either")
        world.finish(running)
        #expect(same.stream == waiting && reader.stream == waiting)
        world.say(waiting, "mine")
        let back = world.watch(session, loop: loops - 1, after: (reader, nil))
        world.finish(waiting)
        #expect([reader, same, back].allSatisfy { $0.text == "mine" && $0.status == "completed" })
        world.expectConsistent()
    }

    /// Sends as a `GET` does, which joins what says the same already.
    private func ask(_ world: HubWorld, _ room: String, _ session: String, _ text: String) -> SendReceipt? {
        var request = SendRequest(roomID: RoomID(room), text: text)
        request.sessionID = SessionID(session)
        request.joinsSameText = true
        guard case .success(.sent(let receipt)) = world.request(.send(request)) else { return nil }
        return receipt
    }

    @Test(arguments: [1, 3]) func theSameTextJoinsWhatLives(_ loops: Int) {
        let (world, room, client, session) = start(loops)
        let running = send(client, room, session, "one")
        let waiting = send(client, room, session, "two")
        #expect(ask(world, room, session, "one")?.streamID?.text == running)
        #expect(ask(world, room, session, "one")?.duplicateStatus == .streaming)
        #expect(ask(world, room, session, "two")?.streamID?.text == waiting)
        #expect(ask(world, room, session, "two")?.duplicateStatus == .waiting)
        let elsewhere = ask(world, room, client.openSession(room), "one")
        #expect(elsewhere?.streamID?.text != running && elsewhere?.duplicateStatus == nil)
        while let stream = world.runningAgents.first { world.finish(stream) }
        #expect(ask(world, room, session, "one")?.duplicateStatus == nil, "it is a new question after the end")
        world.finish(world.lastStream)
        #expect(world.store.exchanges.count == 4)
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [true, false]) func theSameTextIsSentOnceAlsoBeforeItIsStored(_ isStored: Bool) {
        let (world, room, _, session) = start(2)
        world.storeAnswers = false
        world.store.fails = { if case .insertMessage = $0 { !isStored } else { false } }
        for _ in 0..<3 { #expect(ask(world, room, session, "one") == nil) }
        world.releaseStore()
        let receipts = world.httpAnswers.compactMap { answer in
            if case .success(.sent(let receipt)) = answer { receipt } else { nil }
        }
        #expect(receipts.count == (isStored ? 3 : 0) && world.httpAnswers.count == 3)
        #expect(Set(receipts.compactMap(\.streamID)).count == (isStored ? 1 : 0))
        #expect(world.agents.count == (isStored ? 1 : 0))
        if isStored { world.finish(world.lastStream) }
        world.expectConsistent()
        world.expectNoPermitTaken()
    }

    @Test(arguments: [1, 3]) func whatWaitedIsFoundByItsNameWhateverBecameOfIt(_ loops: Int) {
        let (world, room, client, session) = start(loops)
        let running = send(client, room, session, "one")
        let waiting = send(client, room, session, "two")
        let reader = world.watch(session, stream: waiting)
        world.endWatching(reader)
        func comeBack() -> EventReader { world.watch(session, loop: loops - 1, after: (reader, nil)) }
        let stillWaits = comeBack()
        #expect(stillWaits.comments == 1 && stillWaits.events.isEmpty)
        world.say(running, "not mine")
        world.finish(running)
        world.say(waiting, "mine")
        #expect(comeBack().text == "mine")
        world.finish(waiting)
        _ = send(client, room, session, "three")
        let late = comeBack()
        #expect([stillWaits, late].allSatisfy { $0.text == "mine" && $0.status == "completed" })
        #expect(world.watch(session, after: (late, nil)).isEmpty)
        world.expectConsistent()
    }

    @Test func aReaderThatWaitsDoesNotFallBehindTheLog() {
        var limits = Limits()
        limits.logTailBytesMax = 2_000
        let (world, room, client, session) = start(2, limits: limits)
        let running = send(client, room, session, "one")
        let waiting = send(client, room, session, "two")
        let reader = world.watch(session, stream: waiting)
        for _ in 0..<40 { world.agent(running, .event(.action, ["name": .string(String(repeating: "x", count: 200))])) }
        world.finish(running)
        world.say(waiting, "mine")
        world.finish(waiting)
        #expect(reader.text == "mine" && reader.status == "completed")
        world.expectConsistent()
    }

    @Test func aPlaceElsewhereIsLostAndNeverRepeated() {
        let (world, room, client, session) = start(2)
        let stream = send(client, room, session, "hello")
        world.say(stream, "text")
        let reader = world.watch(session)
        for ended in [false, true] {
            if ended { world.finish(stream) }
            for place in [
                LogPosition(epoch: "another", seq: 3),
                LogPosition(epoch: client.rooms[room]?.epoch ?? "", seq: 1_000),
            ] {
                let event = EventReader.Event(position: place, data: [:])
                let back = world.watch(session, after: (reader, event))
                #expect(back.isLost && back.events.count == 1)
                #expect(back.connection?.isOver == true)
            }
        }
        let after = HubWorld(loops: 2, seed: 9, before: world)
        #expect(after.watch(session, after: (reader, nil)).isEmpty, "it had read the last event")
        world.expectConsistent()
    }

    @Test func whatTheKernelDidNotTakeIsPlannedAgain() {
        let (world, room, client, session) = start(1)
        let first = send(client, room, session, "first")
        let second = client.send(room, "second", key: "m2", ["session_id": .string(session), "agent_type": "other"])
            .text("stream_id")
        let reader = world.watch(session, stream: second)
        reader.read(0)
        world.finish(first)
        client.send(room, "an entry that means nothing to the reader", key: "m3", ["respond": false])
        world.say(second, "text")
        reader.read(.max)
        #expect(reader.events.first?.data.text("stream_id") == second)
        #expect(reader.text == "text")
        world.finish(second)
        world.expectConsistent()
    }

    @Test(arguments: [1, 2]) func aSlowReaderGetsMergedEvents(_ loops: Int) {
        let (world, room, client, session) = start(loops)
        let stream = send(client, room, session, "hello")
        let slow = world.watch(session, loop: 0, budget: 0)
        for index in 0..<500 { world.say(stream, "word \(index) ") }
        slow.read(.max)
        #expect(slow.events.count <= 3)
        slow.read(100)
        for index in 0..<1_000 { world.say(stream, "word \(index) ") }
        world.finish(stream)
        slow.read(.max)
        #expect(slow.events.count < 8)
        #expect(slow.text == world.said[stream] && slow.status == "completed")
        world.expectConsistent()
    }

    @Test func aReaderBehindTheLogIsToldSo() {
        var limits = Limits()
        limits.logTailBytesMax = 2_000
        let (world, room, client, session) = start(2, limits: limits)
        let stream = send(client, room, session, "hello")
        let readers = [world.watch(session, budget: 0), world.watch(session, budget: 0)]
        world.say(stream, "text")
        for _ in 0..<40 { world.agent(stream, .event(.action, ["name": .string(String(repeating: "x", count: 200))])) }
        readers[0].read(.max)
        #expect(readers[0].isLost && readers[0].connection?.isOver == true)
        world.finish(stream)
        client.ask("delete-room", ["room_id": .string(room)])
        readers[1].read(.max)
        #expect(readers[1].isLost && readers[1].connection?.isOver == true, "also behind a deleted room's log")
        world.expectConsistent()
    }

    enum End: CaseIterable { case completed, cancelled, failed, interrupted, closed, deleted, stopped, displaced }

    @Test(arguments: [1, 2, 3], End.allCases) func theLastEventTellsHowItEnded(_ loops: Int, _ end: End) {
        let (world, room, client, session) = start(loops)
        let stream = send(client, room, session, "one")
        let waiting = send(client, room, session, "two")
        let readers = (0..<loops).map { world.watch(session, stream: stream, loop: $0) }
        let behind = world.watch(session, stream: waiting, loop: 0)
        world.say(stream, "part")
        switch end {
        case .completed: world.finish(stream)
        case .cancelled: client.ask("cancel", ["room_id": .string(room)])
        case .failed: world.agent(stream, .ended(.failed(.agentFailed, "it broke")))
        case .interrupted: world.interruptStreams()
        case .closed: client.ask("close-session", ["session_id": .string(session)])
        case .deleted: client.ask("delete-room", ["room_id": .string(room)])
        case .stopped: world.request(.stopSession(SessionID(session)))
        case .displaced:
            client.send(room, "three", key: "m3", ["session_id": .string(session), "if_busy": "interrupt"])
        }
        for reader in readers {
            #expect(reader.text == "part" && reader.connection?.isOver == true)
            switch end {
            case .completed: #expect(reader.status == "completed")
            case .failed: #expect(reader.errorCode == "AGENT_FAILED")
            case .interrupted: #expect(reader.errorCode == "INTERRUPTED")
            case .cancelled, .closed, .deleted, .stopped, .displaced: #expect(reader.status == "cancelled")
            }
        }
        while let running = world.runningAgents.first { world.finish(running) }
        #expect(behind.hasEnded && behind.text == "" && behind.connection?.isOver == true)
        world.expectConsistent()
        world.expectNoPermitTaken()
        (readers + [behind]).forEach(world.endWatching)
        world.disconnect(client)
        world.expectNoReaderLeft()
    }

    @Test(arguments: [1, 2, 3]) func aReaderThatGoesLeavesNothingBehind(_ loops: Int) {
        let (world, room, client, session) = start(loops)
        let stream = send(client, room, session, "one")
        for loop in 0..<loops {
            world.endWatching(world.watch(session, loop: loop))
            // Gone before the answer comes, and with the socket full.
            world.endWatching(world.watch(session, loop: loop, running: false))
            world.endWatching(world.watch(session, loop: loop, budget: 10))
        }
        world.disconnect(client)
        world.expectNoReaderLeft()
        #expect(world.cancelled.isEmpty, "a lost connection is never a cancel")
        world.finish(stream)
        #expect(world.watch(session).isEmpty, "nothing runs")
        #expect(world.watch("session_00ff12").answer != nil)
        world.readers.forEach(world.endWatching)
        world.expectNoReaderLeft()
        world.expectNoPermitTaken()
    }

    @Test func aDrainSendsNoFrameOnAnEventStream() {
        let (world, room, client, session) = start(2)
        let stream = send(client, room, session, "one")
        let reader = world.watch(session)
        world.drain()
        #expect(reader.events.count == 1)
        world.say(stream, "part")
        world.interruptStreams()
        #expect(reader.text == "part" && reader.errorCode == "INTERRUPTED")
        world.expectConsistent()
    }

    @Test(arguments: [1, 2]) func aClearedHistoryLeavesTheRunningAnswer(_ loops: Int) {
        let (world, room, client, session) = start(loops)
        let gone = send(client, room, session, "one")
        let old = world.watch(session)
        world.say(gone, "secret")
        world.finish(gone)
        let stream = send(client, room, session, "two")
        let reader = world.watch(session, loop: loops - 1)
        world.say(stream, "one ")
        client.ask("clear-history", ["room_id": .string(room)])
        world.say(stream, "two")
        let back = world.watch(session, after: (reader, nil))
        world.finish(stream)
        #expect(reader.text == "one two" && back.text == "one two")
        let early = world.watch(session, after: (old, old.events.first))
        #expect(early.isLost, "its answer is gone")
        #expect(world.watch(session, stream: gone).isEmpty)
        world.expectConsistent()
    }
}
