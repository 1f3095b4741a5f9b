import ChatProtocol
import Wire

@testable import ChatDoubles

/// One thing that happens to the hub. Its own seed decides all about it, so the steps before it may be taken out of a
/// history and it still does much the same.
struct Step: Equatable {
    enum Kind: Int, CaseIterable {
        // Time and the machine.
        case progress, calm, advance, disk, load, crash, stop
        // The network and the clients' sockets.
        case connect, drop, notice, read
        // What clients ask for.
        case join, leave, send, resend, cancel, session, room, state, flood, http
        // Event streams.
        case watch, comeBack, unwatch
        // Agents.
        case speak, burst, event, finish, noise

        /// How often it happens beside the others.
        var weight: Int {
            switch self {
            case .progress: 60
            case .calm: 8
            case .advance: 40
            case .disk: 10
            case .load: 4
            case .crash: 5
            case .stop: 2
            case .connect: 40
            case .drop: 20
            case .notice: 10
            case .read: 40
            case .join: 30
            case .leave: 8
            case .send: 80
            case .resend: 20
            case .cancel: 30
            case .session: 20
            case .room: 12
            case .state: 12
            case .flood: 1
            case .http: 8
            case .watch: 20
            case .comeBack: 15
            case .unwatch: 6
            case .speak: 120
            case .burst: 25
            case .event: 12
            case .finish: 35
            case .noise: 6
            }
        }
    }

    /// Its place in the whole history; it stays the same when steps before it are taken out.
    let number: Int
    let kind: Kind
    let seed: UInt64
}

/// What a seed decides before anything happens: how large everything is, and the steps.
struct Scenario {
    /// Ways in which a history that fails may be made simpler.
    enum Simplification: String, CaseIterable {
        case fewLoops, defaultLimits, promptAgents, noLoad, fastClients
    }

    var loops: Int
    var limits = Limits()
    var deviceCount: Int
    var roomCount: Int
    /// Cancelled agents confirm without being pushed to.
    var agentsConfirm = true
    /// Deliveries per second that the loops report at first.
    var load = 0
    /// Rooms stop answers that nobody has watched for so long.
    var abandonSeconds: Int?
    /// Every client reads at once what its socket takes.
    var clientsAreFast = false
    /// In the end everyone leaves and the memory is looked at.
    let endsEmpty: Bool
    let seed: UInt64
    var steps: [Step] = []

    static let stepsDefault = 200

    init(seed: UInt64, stepCount: Int = Self.stepsDefault, simplified: Set<Simplification> = []) {
        self.seed = seed
        var dice = SeededRandom(seed: seed)
        loops = [1, 2, 2, 3, 3, 4][dice.below(6)]
        deviceCount = 2 + dice.below(5)
        roomCount = 1 + dice.below(3)
        agentsConfirm = dice.chance(3, in: 4)
        load = dice.chance(1, in: 3) ? 40_000 + dice.below(400_000) : 0
        endsEmpty = dice.chance(1, in: 4)
        abandonSeconds = dice.chance(1, in: 6) ? 1 + dice.below(20) : nil
        limits = Self.limits(&dice)
        // Without any memory each room that nobody uses goes within a second.
        if seed % 8 == 5 { limits.memoryBytesMax = 0 }
        steps = Self.steps(stepCount, &dice)
        for simplification in simplified { simplify(simplification) }
    }

    private mutating func simplify(_ simplification: Simplification) {
        switch simplification {
        case .fewLoops: loops = min(loops, 2)
        case .defaultLimits: limits = Limits()
        case .promptAgents: agentsConfirm = true
        case .noLoad: load = 0
        case .fastClients: clientsAreFast = true
        }
    }

    /// The limits are small in many histories, so that they are met.
    private static func limits(_ dice: inout SeededRandom) -> Limits {
        var limits = Limits()
        limits.sessionMinutes = dice.chance(1, in: 2) ? 1 : 5
        if dice.chance(1, in: 2) { limits.logTailBytesMax = [600, 1_500, 4_000, 20_000][dice.below(4)] }
        if dice.chance(1, in: 4) { limits.memoryBytesMax = 20_000 + dice.below(60_000) }
        if dice.chance(1, in: 3) { limits.streamsPerUser = 1 + dice.below(3) }
        if dice.chance(1, in: 5) { limits.streamsPerNode = 2 + dice.below(4) }
        if dice.chance(1, in: 5) { limits.responseBytesMax = 60 + dice.below(600) }
        if dice.chance(1, in: 6) { limits.socketsPerUser = 1 + dice.below(2) }
        if dice.chance(1, in: 4) { limits.roomsPerUser = 1 + dice.below(3) }
        if dice.chance(1, in: 6) { limits.coalesceMillisecondsMax = [0, 5, 200][dice.below(3)] }
        if dice.chance(1, in: 2) { limits.snapshotExchangesMax = 1 + dice.below(3) }
        if dice.chance(1, in: 4) { limits.parkedCommandsPerRoom = 1 + dice.below(3) }
        if dice.chance(1, in: 4) { limits.queuedCommandsPerUser = 1 + dice.below(4) }
        if dice.chance(1, in: 4) { limits.waitingMessagesPerSession = 1 + dice.below(3) }
        if dice.chance(1, in: 6) { limits.uncommittedSendsPerRoom = 1 + dice.below(4) }
        if dice.chance(1, in: 4) { limits.sessionsPerRoom = 1 + dice.below(3) }
        if dice.chance(1, in: 2) { limits.joinedBytesMax = [0, 900, 1_200, 3_000][dice.below(4)] }
        if dice.chance(1, in: 2) { limits.restartInterruptedSeconds = 300 }
        return limits
    }

    /// Kinds are weighted anew for each seed, and some do not happen at all: what hides among all the others shows
    /// itself where there are few.
    private static func steps(_ count: Int, _ dice: inout SeededRandom) -> [Step] {
        let weights = Step.Kind.allCases.map { $0.weight * [0, 1, 1, 2, 4][dice.below(5)] }
        var upTo: [Int] = []
        for weight in weights { upTo.append((upTo.last ?? 0) + weight) }
        let total = max(upTo.last ?? 1, 1)
        return (0..<count).map { number in
            let place = dice.below(total)
            let kind = upTo.firstIndex { place < $0 } ?? 0
            return Step(number: number, kind: Step.Kind.allCases[kind], seed: dice.next())
        }
    }
}
