// A whole hub with everything around it, in one thread and by one seed: its loops with the mailboxes between them, a
// clock, a disk, agents, a network and the clients on it.
//
// How it works: a history is a list of steps. Each step does one thing and then lets a few of the things happen that
// are ready to happen: a mailbox delivers its first message, a loop's turn ends, the disk commits, a client reads.
// Which of them, the step's seed decides, so loops run in any order, while what one tells another keeps its order.
// What the hub gives to a socket is held against the oracle at once; what a client holds, when it arrives. After the
// last step everything is healed and drained, and what everyone holds is compared with what is on disk.
//
// Invariant: all choices come from `dice`, and nothing depends on the order of a dictionary.

import Chat
import ChatProtocol
import Wire

@testable import Chat
@testable import ChatDoubles

/// One history of a hub. Confined to its thread.
final class Simulation {
    let scenario: Scenario
    let disk: Disk
    let oracle = Oracle()
    var dice: SeededRandom

    // The hub; replaced as a whole by a restart.
    var hubs: [Hub] = []
    var gauges = NodeGauges()
    var mail: [[[HubMessage]]] = []
    var timers: [(at: UInt64, loop: Int, timer: HubTimer)] = []
    /// Loops whose turn has begun and not ended.
    var isOpen: [Bool] = []
    var links: [ConnectionRef: Link] = [:]
    var eventStreams: [ConnectionRef: EventStream] = [:]
    var webRequests: [ConnectionRef: String] = [:]
    var agents: [Agent] = []

    var devices: [Device] = []
    /// Links that the hub has not closed, oldest first; also those whose client is gone.
    var openLinks: [Link] = []
    var readers: [EventStream] = []
    /// All messages that were ever sent, in order.
    var sends: [Send] = []
    /// Messages that were sent on one link in one session, in order.
    var ordered: [String: [Send]] = [:]
    /// Rooms of which somebody was asked to forget something.
    var forgotten: Set<String> = []
    var deletionsAsked: Set<String> = []
    /// Rooms in which somebody was asked to be made a member, perhaps one who may not write.
    var rolesAsked: Set<String> = []
    var nanoseconds: UInt64 = 1_000_000_000
    var nextDescriptor: Int32 = 10
    var agentsConfirm: Bool
    /// Everything is brought to its end: nothing is lazy, turns end at once.
    var isSettling = false
    var plan = WritePlan()
    var ready: [Happening] = []
    var crashes = 0

    private(set) var violations: [String] = []
    /// The step at which a rule was broken; `nil` at the end.
    private(set) var failedAt: Int?
    /// Receives what happens, line by line.
    var trace: ((String) -> Void)?

    init(_ scenario: Scenario) {
        self.scenario = scenario
        dice = SeededRandom(seed: scenario.seed ^ 0x51)
        disk = Disk(loops: scenario.loops)
        agentsConfirm = scenario.agentsConfirm
        let users = ["ann", "bob", "cyd"]
        devices = (0..<scenario.deviceCount).map { Device(number: $0, user: users[$0 % users.count], world: self) }
        for number in 0..<scenario.roomCount { makeRoom(number) }
        start()
    }

    /// A room that was made before anything is looked at.
    private func makeRoom(_ number: Int) {
        let id = "room_\(scenario.seed % 1_000)_\(number)"
        let room = RoomRecord(
            roomID: RoomID(id), userID: UserID("ann"), name: "A", createdAt: now.timestamp, lastActivity: now.timestamp,
            messageCount: 0, metadata: scenario.abandonSeconds.map { ["abandon_seconds": .int(Int64($0))] } ?? [:],
            defaultSessionID: SessionID("session_\(Slot(of: id).hex)default"))
        disk.store.put(room)
        oracle.made(room)
    }

    var now: Now {
        Now(
            instant: nanoseconds,
            timestamp: Timestamp(milliseconds: 1_700_000_000_000 + Int64(nanoseconds / 1_000_000)))
    }

    // MARK: - Running

    /// Runs all steps and brings everything to its end; stops at the first broken rule.
    func run(_ steps: [Step]) {
        for step in steps {
            dice = SeededRandom(seed: step.seed)
            note("— step \(step.number): \(step.kind) at \(nanoseconds / 1_000_000) ms")
            perform(step)
            for _ in 0..<dice.below(6) where !happen() { break }
            check()
            guard violations.isEmpty else {
                failedAt = step.number
                return
            }
        }
        note("— everything is brought to its end")
        dice = SeededRandom(seed: scenario.seed ^ 0x5e)
        settle()
    }

    private func perform(_ step: Step) {
        switch step.kind {
        case .progress: for _ in 0..<(1 + dice.below(20)) where !happen() { break }
        case .calm: calm()
        case .advance: advance()
        case .disk, .load, .crash, .stop: performFault(step.kind)
        case .connect, .drop, .notice, .read: performOnNetwork(step.kind)
        case .join, .leave, .send, .resend, .cancel, .session, .room, .state, .flood, .http: ask(step)
        case .watch, .comeBack, .unwatch: performOnEventStreams(step.kind)
        case .speak, .burst, .event, .finish, .noise: performAgent(step)
        }
    }

    // MARK: - Finding faults

    func fail(_ what: String) {
        violations.append(what)
        note("! \(what)")
    }

    func check(_ condition: Bool, _ fault: @autoclosure () -> String) {
        if !condition { fail(fault()) }
    }

    func note(_ line: @autoclosure () -> String) { trace?(line()) }

    /// What holds after every step.
    private func check() {
        collect()
        let running = hubs.reduce(0) { $0 + $1.activeStreams }
        check(gauges.streamCount == running, "\(gauges.streamCount) places are taken by \(running) streams")
        check(running <= scenario.limits.streamsPerNode, "\(running) streams run on this node")
        for user in ["ann", "bob", "cyd"] { checkStreams(of: UserID(user)) }
        for link in openLinks {
            let connection = link.connection
            check(
                connection.unanswered <= Limits.unansweredFramesPerSocket + Limits.joinedRoomsPerSocket,
                "\(link.device.name) has \(connection.unanswered) frames unanswered")
            check(
                connection.outbox.replyBytes <= Limits.replyBytesMax + Self.repliesBeyond,
                "\(connection.outbox.replyBytes) bytes of replies wait for \(link.device.name)")
        }
    }

    private func checkStreams(of user: UserID) {
        var count = 0
        for hub in hubs {
            for room in hub.rooms.values { count += room.turns.count { $0.record.userID == user } }
        }
        check(count <= scenario.limits.streamsPerUser, "\(user) has \(count) streams")
    }

    /// Answers to frames that had been taken when reading stopped.
    private static let repliesBeyond = 512 * 1024

    /// Takes over what the oracle and the store have found.
    func collect() {
        for violation in oracle.violations + disk.store.violations.dropFirst(storeViolationsSeen) { fail(violation) }
        oracle.violations = []
        storeViolationsSeen = disk.store.violations.count
    }
    private var storeViolationsSeen = 0
}
