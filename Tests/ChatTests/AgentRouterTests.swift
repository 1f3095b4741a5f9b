import ChatProtocol
import Testing
import Wire

@testable import Chat

struct AgentRouterTests {
    private let router = AgentRouter([
        AgentRouter.Rule(agentType: "billing", keywords: ["Invoice", "credit card", "größe"]),
        AgentRouter.Rule(agentType: "travel", keywords: ["train", "credit", "invoice", "über_uns", "café", "42"]),
    ])

    @Test(arguments: [
        ("", nil), ("hello", nil), ("my invoice", "billing"), ("INVOICE!", "billing"), ("invoices", nil),
        ("pre-invoice", "billing"), ("my_invoice", nil), ("the train's late", "travel"), ("trainee", nil),
        ("a train and an invoice", "billing"), ("a credit  card", "billing"), ("Credit\ncard.", "billing"),
        ("credit cards", "travel"), ("card credit", "travel"), ("credit", "travel"), ("GRÖSSE", nil),
        ("Größe?", "billing"), ("ÜBER_UNS", "travel"), ("caf\u{E9}", "travel"), ("cafe\u{301}", nil), ("cafe", nil),
        ("42.", "travel"),
        ("420", nil), ("🚂train🚂", "travel"),
    ])
    func choosesByWholeWords(_ text: String, _ agentType: String?) {
        #expect(router.agentType(for: text) == agentType)
    }

    @Test func choosesNobodyWithoutRules() {
        #expect(AgentRouter().agentType(for: "invoice") == nil)
        #expect(AgentRouter([AgentRouter.Rule(agentType: "a", keywords: ["?", ""])]).agentType(for: "? a") == nil)
    }

    /// The send's own wish, then the room's, then the rules', then the default.
    @Test(arguments: [
        ("other", nil, "help", "other"), ("guide", "other", "help", "guide"), (nil, "guide", "help", "guide"),
        (nil, "nobody", "help", "other"), (nil, nil, "help", "other"), (nil, nil, "hello", "guide"),
    ])
    func comesAfterTheRoomAndBeforeTheDefault(_ wish: String?, _ initial: String?, _ text: String, _ agent: String) {
        let world = HubWorld(
            loops: 1, router: AgentRouter([AgentRouter.Rule(agentType: "other", keywords: ["help"])]))
        let room = world.room(metadata: initial.map { ["initial_agent": .string($0)] } ?? [:])
        let client = world.connect()
        client.join(room)
        var fields: JSONObject = ["room_id": .string(room), "text": .string(text)]
        fields["agent_type"] = wish.map { .string($0) }
        _ = client.ask("send", fields)
        #expect(client.all("stream-started").last?.text("agent_type") == agent)
    }
}
