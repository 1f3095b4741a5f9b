import Chat
import ChatProtocol
import Testing
import Wire

@testable import Storage

@Suite struct QueryPlanTests {
    let scratch = Scratch()

    /// Runs every request on one connection, so that its cache holds every statement of the store.
    private func connectionThatRanEverything() throws -> DatabaseConnection {
        let connection = try DatabaseFile.create(scratch.database).1
        try Migrations.migrate(connection, to: MessageStore.schemaVersion)
        let writes: [StorageRequest] = [
            .createRoom(.example("r"), roomsMax: 5), .updateRoom(.example("r")),
            .member("bob"), .member("bob", .viewer), .noMember("bob"),
            .create("running"), .message("zero", in: "running", exchange: "r"),
            .message("one", exchange: "e", key: "k"), .message("one", exchange: "f", key: "k"),
            .message("two", exchange: "e", opens: false), .startExchange(ExchangeID("e"), at: .at(1)),
            .segment("e", 0, "text"), .segment("e", 4, "more"),
            .createSession(
                SessionRecord(
                    sessionID: SessionID("s"), userID: UserID("ada"), roomID: RoomID("r"), createdAt: .at(0),
                    expiresAt: .at(9))),
            .touchSession(SessionID("s"), expiresAt: .at(10)), .message("three", exchange: "g", session: "s"),
            .markCancelled([ExchangeID("g")], at: .at(11)),
            .finish("g", "done"), .finish("running", "", .interrupted), .note("all", exchange: "n"), .read("g"),
            .read("n"),
        ]
        let reads: [StorageRequest] =
            [
                .loadRoom(RoomID("r")), .history(), .history(before: "e"), .findStream(StreamID("stream_e")),
                .findMessage(RoomID("r"), UserID("ada"), messageID: "k", text: ""),
                .findSession(SessionID("s")), .findRoom(of: SessionID("s")), .context("s"), .context(of: "e"),
                .findExchange(RoomID("r"), ExchangeID("e")),
                .readExchange(RoomID("r"), .id(ExchangeID("e"))),
                .readExchange(RoomID("r"), .stream(StreamID("stream_e"))),
            ] + HistoryFilter.allShapes.map { .page($0) }
            + RoomOrder.allCases.map { .listRooms(UserID("ada"), RoomPage(order: $0)) }
        let ends: [StorageRequest] = [
            .finish("e", "done"), .reset("s"), .clear(session: "s"), .clear(),
            .closeSession(SessionID("s"), at: .at(2)),
            .deleteRoom(RoomID("r"), at: .at(3), outcomes: []),
        ]
        for request in writes + reads + ends {
            switch request.work {
            case .write(_, let perform): _ = try perform(RoomWriter(connection: connection))
            case .read(let perform): _ = try perform(RoomReader(connection: connection))
            }
        }
        return connection
    }

    @Test func everyRequestUsesIndexes() throws {
        let connection = try connectionThatRanEverything()
        let statements = connection.statements.keys.filter { !$0.hasPrefix("PRAGMA") }.sorted()
        #expect(statements.count >= 50)
        for sql in statements {
            var plan: [String] = []
            let count = sql.count { $0 == "?" }
            try connection.explain(sql, values: count) { plan.append($0) }
            for step in plan {
                #expect(!step.hasPrefix("SCAN"), "\(step) in \(sql)")
                // What a list sorts is the rooms that the user is a member of, without reading more than their order.
                let sorts = sql.contains("UNION ALL") && step == "USE TEMP B-TREE FOR ORDER BY"
                #expect(sorts || !step.contains("TEMP B-TREE"), "\(step) in \(sql)")
                #expect(!step.contains("AUTOMATIC"), "\(step) in \(sql)")
            }
        }
    }

    @Test func aPageFollowsItsNarrowestIndex() throws {
        let connection = try connectionThatRanEverything()
        for filter in HistoryFilter.allShapes {
            let clause = HistoryClause(filter)
            let index =
                filter.sessionID != nil
                ? "exchanges_by_session (session_id=?"
                : filter.roomID != nil ? "exchanges_by_room (room=?" : "exchanges_by_user (user_id=?"
            let range = filter.beforeRow == nil ? ")" : " AND "
            var plan: [String] = []
            let sql = "SELECT exchanges.text \(clause.rows) ORDER BY exchanges.id DESC"
            try connection.explain(sql, values: clause.values.count) { plan.append($0) }
            #expect(plan.first?.hasPrefix("SEARCH exchanges USING INDEX \(index)\(range)") == true, "\(plan)")
        }
    }

    @Test func aListOfRoomsFollowsItsOrderAndFindsEachPreviewByKey() throws {
        let connection = try connectionThatRanEverything()
        let indexes = [
            "last_activity": "rooms_by_activity", "created_at": "rooms_by_creation", "room_name": "rooms_by_name",
        ]
        for (order, index) in indexes {
            let sql = try #require(
                connection.statements.keys.first { $0.contains("UNION ALL") && $0.contains("ORDER BY \(order) ") })
            var plan: [String] = []
            try connection.explain(sql, values: sql.count { $0 == "?" }) { plan.append($0) }
            #expect(plan.contains("SEARCH rooms USING INDEX \(index) (user_id=?)"), "\(plan)")
            #expect(plan.contains("SEARCH members USING INDEX members_by_user (user_id=?)"), "\(plan)")
            #expect(plan.contains("SEARCH rooms USING INTEGER PRIMARY KEY (rowid=?)"), "\(plan)")
            #expect(plan.count { $0.contains("TEMP B-TREE") } == 1, "only of memberships: \(plan)")
        }
        let sql = try #require(connection.statements.keys.first { $0.contains("AS newest") })
        var plan: [String] = []
        try connection.explain(sql, values: 2) { plan.append($0) }
        #expect(plan.contains("SEARCH exchanges USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN"), "\(plan)")
        #expect(plan.contains("SEARCH newest USING COVERING INDEX exchanges_by_room (room=?)"), "\(plan)")
        for (table, index) in [("messages", "messages_by_exchange"), ("segments", "segments_by_exchange")] {
            let previews = connection.statements.keys.filter { $0.contains("substr") && $0.contains("FROM \(table)") }
            #expect(previews.count == 1)
            for sql in previews {
                var plan: [String] = []
                try connection.explain(sql, values: 1) { plan.append($0) }
                #expect(plan == ["SEARCH \(table) USING INDEX \(index) (exchange=?)"])
            }
        }
    }

    @Test func aContextIsReadByItsSession() throws {
        let connection = try connectionThatRanEverything()
        let sql = try #require(connection.statements.keys.first { $0.contains("SELECT id, text, told_before") })
        var plan: [String] = []
        try connection.explain(sql, values: 4) { plan.append($0) }
        #expect(plan == ["SEARCH exchanges USING INDEX exchanges_by_session (session_id=? AND id>? AND id<?)"])
    }

    @Test func whatIsUnreadIsCountedInAnIndexOnly() throws {
        let connection = try connectionThatRanEverything()
        let statements = connection.statements.keys.filter { $0.contains("AS later") }
        #expect(statements.count == 2, "a room's marks, and a row of a list")
        for sql in statements {
            var plan: [String] = []
            try connection.explain(sql, values: sql.count { $0 == "?" }) { plan.append($0) }
            #expect(plan.contains("SEARCH later USING COVERING INDEX exchanges_by_room (room=? AND rowid>?)"), "\(sql)")
        }
    }

    @Test func startingUpLooksAtRunningExchangesOnly() throws {
        let connection = try connectionThatRanEverything()
        _ = try RoomWriter(connection: connection).settleRunning(at: .at(1))
        let sql = try #require(
            connection.statements.keys.first { $0.contains("ended_at IS NULL") && $0.contains("cancelled_at FROM") })
        var plan: [String] = []
        try connection.explain(sql, values: 0) { plan.append($0) }
        #expect(plan == ["SCAN exchanges USING INDEX exchanges_running"])
    }
}

extension HistoryFilter {
    /// Every combination of fields that a filter may set.
    fileprivate static var allShapes: [HistoryFilter] {
        (1..<32).filter { $0 & 7 != 0 }.map { bits in
            var filter = HistoryFilter(
                roomID: bits & 1 == 0 ? nil : RoomID("r"), sessionID: bits & 2 == 0 ? nil : SessionID("s"),
                userID: bits & 4 == 0 ? nil : UserID("ada"), agentType: bits & 8 == 0 ? nil : "guide")
            filter.beforeRow = bits & 16 == 0 ? nil : 9
            return filter
        }
    }
}

extension DatabaseConnection {
    fileprivate func explain(_ sql: String, values: Int, step: (String) -> Void) throws(SQLiteError) {
        try each("EXPLAIN QUERY PLAN \(sql)", values: Array(repeating: .null, count: values)) {
            (row) throws(SQLiteError) in
            step(row.text(3))
            return true
        }
    }
}
